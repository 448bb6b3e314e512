//! The tree as the checks under `tests/` see it: packages with their dependencies, and source files.

mod map;
mod modules;
mod packages;
mod sources;

use std::path::{Path, PathBuf};

pub use map::{module_map, with_map};
pub use modules::{Imports, circles, imports_of};
pub use packages::{Dependency, Kind, Package, packages, tree_of};
pub use sources::{Source, documents, sources};

/// The top folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_default()
}
