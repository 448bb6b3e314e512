//! What cargo says of the packages of the workspace.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::root;

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// What its manifest asks for.
    pub dependencies: Vec<Dependency>,
    manifest_path: PathBuf,
}

impl Package {
    /// Its folder, from the top of the workspace.
    pub fn folder(&self) -> PathBuf {
        let folder = self.manifest_path.parent().unwrap_or(Path::new(""));
        folder.strip_prefix(root()).unwrap_or(folder).to_owned()
    }

    /// The crates that its manifest names, for uses of this kind.
    pub fn depends_on(&self, kinds: &[Kind]) -> BTreeSet<&str> {
        let wanted = self.dependencies.iter().filter(|dependency| kinds.contains(&dependency.kind()));
        wanted.map(|dependency| dependency.name.as_str()).collect()
    }
}

/// A dependency in a manifest.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// Name of the crate.
    pub name: String,
    kind: Option<Kind>,
}

impl Dependency {
    fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Normal)
    }
}

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The crate itself.
    Normal,
    /// Its build script.
    Build,
    /// Its tests, examples and benches.
    Dev,
}

/// The packages of the workspace.
///
/// # Errors
/// When cargo fails or answers with something else.
pub fn packages() -> io::Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let metadata: Metadata = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])?)?;
    Ok(metadata.packages)
}

/// The names of all crates that a package is built from, itself included, tests left out.
///
/// # Errors
/// When cargo fails.
pub fn tree_of(package: &str) -> io::Result<BTreeSet<String>> {
    let tree = cargo(&["tree", "--edges", "normal", "--package", package, "--prefix", "none", "--format", "{p}"])?;
    Ok(tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// Standard output of a cargo command that touches no network: who runs tests has built the workspace.
fn cargo(args: &[&str]) -> io::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(args).args(["--offline", "--locked"]).current_dir(root()).output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(io::Error::other(text(output.stderr))) }
}
