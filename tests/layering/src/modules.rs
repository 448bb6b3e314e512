//! The modules of a crate, and which of them names which.
//!
//! A module here is a file or a folder right under `src/`: what lies deeper belongs to the folder. Code for tests doesn't
//! count, nor do comments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{Package, Source};

/// Each module with the modules that it names.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

/// Which modules of a crate name which.
pub fn imports_of(package: &Package, sources: &[Source]) -> Imports {
    let folder = package.folder().join("src");
    let ours = sources.iter().filter(|source| source.path.starts_with(&folder) && !source.is_test());
    let files: Vec<File> = ours.filter_map(|source| File::new(source, &folder)).collect();
    let modules: BTreeSet<&str> = files.iter().filter_map(|file| file.path.first().map(String::as_str)).collect();
    let root = files.iter().find(|file| file.path.is_empty());
    let exported = root.map(|root| exports(&root.code, &modules)).unwrap_or_default();
    let mut imports: Imports = modules.iter().map(|module| ((*module).to_owned(), BTreeSet::new())).collect();
    for file in &files {
        let Some(own) = file.path.first() else { continue };
        for name in file.names() {
            let module = exported.get(&name).cloned().unwrap_or(name);
            if module != *own && modules.contains(module.as_str()) {
                imports.entry(own.clone()).or_default().insert(module);
            }
        }
    }
    imports
}

/// Modules that can't be put in an order because they import each other, directly or through others.
pub fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|module| (module, reached(module, imports))).collect();
    let of = |module: &String| {
        let both = |other: &&String| reach.get(module).is_some_and(|from| from.contains(*other));
        let back = |other: &&String| reach.get(*other).is_some_and(|from| from.contains(module));
        imports.keys().filter(both).filter(back).cloned().collect::<BTreeSet<String>>()
    };
    let circles: BTreeSet<BTreeSet<String>> = imports.keys().map(of).filter(|circle| !circle.is_empty()).collect();
    circles.into_iter().collect()
}

/// All modules that one imports, directly or through others.
fn reached<'a>(module: &String, imports: &'a Imports) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&String> = imports.get(module).into_iter().flatten().collect();
    while let Some(module) = next.pop() {
        if found.insert(module) {
            next.extend(imports.get(module).into_iter().flatten());
        }
    }
    found
}

/// A file with its place in the crate.
struct File {
    /// Modules from the crate's root to this one; none for the root.
    path: Vec<String>,
    code: String,
}

impl File {
    fn new(source: &Source, folder: &Path) -> Option<Self> {
        let path = source.path.strip_prefix(folder).ok()?.with_extension("");
        let mut path: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if path == ["lib"] {
            path.clear();
        }
        let code = source.text.lines().take(source.lines_of_code()).map(without_comment).collect::<Vec<_>>().join("\n");
        Some(Self { path, code })
    }

    /// What it names at the crate's root: by `crate::`, or by as many `super::` as lead there.
    fn names(&self) -> BTreeSet<String> {
        let upwards = "super::".repeat(self.path.len());
        let mut names = BTreeSet::new();
        for prefix in ["crate::", &upwards] {
            for (at, _) in self.code.match_indices(prefix) {
                let before = self.code.get(..at).unwrap_or_default();
                let is_longer = before.ends_with("::") || before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let after = self.code.get(at + prefix.len()..).unwrap_or_default();
                if !is_longer && !after.starts_with("super::") {
                    names.extend(firsts(after));
                }
            }
        }
        names
    }
}

/// The first names of what follows `crate::`: one, or each of a list in braces.
fn firsts(text: &str) -> Vec<String> {
    let name =
        |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = text.strip_prefix('{') else { return vec![name(text)] };
    let (mut depth, mut names, mut begin) = (0, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(list.get(begin..at).unwrap_or_default()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(list.get(begin..at).unwrap_or_default()));
                begin = at + 1;
            }
            _ => {}
        }
    }
    names
}

/// Names that the root takes from its modules, with the module of each.
fn exports(code: &str, modules: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for statement in code.split(';').filter_map(|statement| statement.split_once("use ")) {
        let Some((module, names)) = statement.1.split_once("::") else { continue };
        if modules.contains(module) {
            let names = names.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|name| !name.is_empty());
            exports.extend(names.map(|name| (name.to_owned(), module.to_owned())));
        }
    }
    exports
}

fn without_comment(line: &str) -> &str {
    line.find("//").map_or(line, |at| line.get(..at).unwrap_or_default())
}
