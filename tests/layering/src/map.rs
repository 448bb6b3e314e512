//! The map of the modules of all crates under `host/`, as ARCHITECTURE.md shows it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

use crate::modules::{Imports, imports_of};
use crate::{packages, sources};

/// Between these lines of ARCHITECTURE.md stands the map.
const BEGIN: &str = "<!-- module map: written by `./justw map` -->\n";
const END: &str = "<!-- end of the module map -->";

/// The map: of each crate, its modules from the top to the bottom, each with those that it imports.
///
/// # Errors
/// When the tree can't be read.
pub fn module_map() -> io::Result<String> {
    let (sources, mut map) = (sources()?, String::new());
    let mut packages = packages()?;
    packages.retain(|package| package.folder().starts_with("host"));
    packages.sort_by_key(|package| package.folder());
    for package in packages {
        let imports = imports_of(&package, &sources);
        if imports.is_empty() {
            continue;
        }
        let _ = writeln!(map, "{}:", package.folder().display());
        let width = imports.keys().map(String::len).max().unwrap_or(0);
        for module in from_the_top(&imports) {
            let below: Vec<&str> = imports.get(module).into_iter().flatten().map(String::as_str).collect();
            let line = format!("  {module:width$}  {}", below.join(" "));
            let _ = writeln!(map, "{}", line.trim_end());
        }
        map.push('\n');
    }
    Ok(map.trim_end().to_owned() + "\n")
}

/// A document with this map in the place of the one that it has, if it has a place.
pub fn with_map(document: &str, map: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n```\n{map}```\n\n{END}{after}"))
}

/// The modules, each before those that it imports, as far as there are no circles.
fn from_the_top(imports: &Imports) -> Vec<&String> {
    let mut heights: BTreeMap<&String, usize> = imports.keys().map(|module| (module, 0)).collect();
    // The longest way down has as many steps as there are modules.
    for _ in 0..imports.len() {
        for (module, below) in imports {
            let height = below.iter().filter_map(|module| heights.get(module)).max().map_or(0, |highest| highest + 1);
            heights.insert(module, height.min(imports.len()));
        }
    }
    let mut modules: Vec<&String> = imports.keys().collect();
    modules.sort_by_key(|module| (std::cmp::Reverse(heights.get(module).copied()), *module));
    modules
}
