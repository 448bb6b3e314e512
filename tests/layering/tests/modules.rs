//! Modules of a crate are layers too: an import only ever points down.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use millrace_layering::{Imports, Package, Source, circles, imports_of, module_map, packages, root, sources, with_map};

fn host() -> Vec<Package> {
    let mut packages = packages().unwrap();
    packages.retain(|package| package.folder().starts_with("host"));
    packages
}

#[test]
fn modules_of_a_crate_under_host_import_each_other_in_no_circle() {
    let (sources, mut modules) = (sources().unwrap(), 0);
    for package in host() {
        let imports = imports_of(&package, &sources);
        modules += imports.len();
        let circles = circles(&imports);
        assert!(circles.is_empty(), "modules of {} import each other: {circles:?}", package.name);
    }
    assert!(modules > 0, "no modules are found");
}

#[test]
fn architecture_shows_the_modules_as_they_are() {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let current = with_map(&document, &module_map().unwrap()).unwrap();
    assert!(current == document, "the map in ARCHITECTURE.md is an old one: run `./justw map`");
}

#[test]
fn an_import_is_found_in_every_form_that_it_is_written_in() {
    let engine = host().into_iter().find(|package| package.name == "millrace-engine").unwrap();
    let file = |path: &str, text: &str| Source { path: PathBuf::from("host/engine/src").join(path), text: text.into() };
    let sources = [
        file("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\nmod e;\npub use d::{Other, Thing};\n"),
        file("a.rs", "use crate::b::X;\nfn f() { crate::c::g(); }\n// crate::e is a comment\n"),
        file("b/deep.rs", "use super::own;\nuse super::super::c::{self, Y};\nuse crate::Thing;\n"),
        file("c.rs", "use super::d::Z;\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    use crate::e::T;\n}\n"),
        file("d.rs", "#[cfg(test)]\nmod tests;\nuse crate::{\n    e::{p, q},\n    unknown,\n};\n"),
        file("e.rs", ""),
        file("tests/a.rs", "use crate::e::T;\n"),
    ];
    assert_eq!(
        imports_of(&engine, &sources),
        imports(&[("a", &["b", "c"]), ("b", &["c", "d"]), ("c", &["d"]), ("d", &["e"]), ("e", &[])])
    );
}

#[test]
fn a_circle_is_found_and_so_is_one_that_is_closed_through_another_module() {
    let open = imports(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert!(circles(&open).is_empty());
    let closed = imports(&[("a", &["b"]), ("b", &["c"]), ("c", &["a", "d"]), ("d", &[])]);
    assert_eq!(circles(&closed), [set(&["a", "b", "c"])]);
}

fn imports(modules: &[(&str, &[&str])]) -> Imports {
    modules.iter().map(|(module, below)| ((*module).to_owned(), set(below))).collect::<BTreeMap<_, _>>()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
