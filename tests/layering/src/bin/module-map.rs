//! Writes the map of modules into ARCHITECTURE.md.

use std::fs;
use std::io;

use millrace_layering::{module_map, root, with_map};

fn main() -> io::Result<()> {
    let path = root().join("ARCHITECTURE.md");
    let document = fs::read_to_string(&path)?;
    let changed = with_map(&document, &module_map()?)
        .ok_or_else(|| io::Error::other("ARCHITECTURE.md has no place for the map"))?;
    if changed != document {
        fs::write(&path, changed)?;
    }
    Ok(())
}
