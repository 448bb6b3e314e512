//! Crates under `host/` are layers: an arrow only ever points down.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use millrace_layering::{Kind, Package, packages, sources, tree_of};

/// Who may use whom of us.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "millrace-cli",
        &[
            "millrace-embedded",
            "millrace-engine",
            "millrace-kafka",
            "millrace-letters",
            "millrace-pipeline",
            "millrace-plugin",
            "millrace-store",
            "millrace-topics",
        ],
    ),
    ("millrace-embedded", &["millrace-engine", "millrace-pipeline", "millrace-store", "millrace-topics"]),
    ("millrace-engine", &[]),
    ("millrace-kafka", &["millrace-engine", "millrace-pipeline", "millrace-store", "millrace-topics"]),
    ("millrace-letters", &["millrace-engine"]),
    ("millrace-pipeline", &["millrace-engine"]),
    ("millrace-plugin", &["millrace-engine"]),
    ("millrace-store", &["millrace-engine"]),
    ("millrace-topics", &["millrace-engine"]),
];

/// Crates that are functions of what they are given, with all that they are built from: data structures and readers of text,
/// nothing that reaches out of the process. Add a crate only when it neither reads a clock nor does I/O nor starts a thread.
const PURE: &[(&str, &[&[&str]])] =
    &[("millrace-engine", &[ENGINE_TREE]), ("millrace-pipeline", &[ENGINE_TREE, PIPELINE_TREE])];

const ENGINE_TREE: &[&str] = &[
    "allocator-api2",
    "bytes",
    "equivalent",
    "foldhash",
    "hashbrown",
    "indexmap",
    "itoa",
    "memchr",
    "millrace-engine",
    "proc-macro2",
    "quote",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_json",
    "smallvec",
    "syn",
    "thiserror",
    "thiserror-impl",
    "unicode-ident",
    "zmij",
];

/// What pipeline files need beside the engine and what that is built from.
const PIPELINE_TREE: &[&str] =
    &["millrace-pipeline", "serde_spanned", "strsim", "toml", "toml_datetime", "toml_parser", "toml_writer", "winnow"];

/// Crates that do I/O, read a clock, start threads or roll dice: named, so that the message says what is wrong even
/// where somebody has widened the list above.
const NEVER_IN_PURE_CRATES: &[&str] = &[
    "async-std",
    "chrono",
    "crossbeam",
    "getrandom",
    "hyper",
    "jiff",
    "librocksdb-sys",
    "memmap2",
    "mio",
    "rand",
    "rayon",
    "rdkafka",
    "reqwest",
    "rocksdb",
    "rustix",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "wasmtime",
];

/// What the standard library has of the same.
const NEVER_NAMED_IN_PURE_CRATES: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "time::Instant",
    "println!",
    "RandomState",
];

fn under<'a>(packages: &'a [Package], folder: &'a str) -> impl Iterator<Item = &'a Package> {
    packages.iter().filter(move |package| package.folder().starts_with(folder))
}

#[test]
fn a_crate_under_host_uses_only_layers_below_it() {
    let packages = packages().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in under(&packages, "host") {
        let layer = LAYERS.iter().find(|(name, _)| *name == package.name);
        let Some((_, allowed)) = layer else {
            panic!("{} has no place in LAYERS: say there what it may use", package.name);
        };
        for used in package.depends_on(&[Kind::Normal, Kind::Build]).intersection(&ours) {
            assert!(allowed.contains(used), "{} must not use {used}", package.name);
        }
    }
}

#[test]
fn the_sdk_and_the_plugins_know_nothing_of_the_host() {
    let packages = packages().unwrap();
    let host: BTreeSet<&str> = under(&packages, "host").map(|package| package.name.as_str()).collect();
    for package in under(&packages, "guest-sdk").chain(under(&packages, "plugins")) {
        let used = package.depends_on(&[Kind::Normal, Kind::Build, Kind::Dev]);
        let from_host: Vec<_> = used.intersection(&host).collect();
        assert!(from_host.is_empty(), "{} must not use {from_host:?}", package.name);
    }
}

#[test]
fn pure_crates_are_built_from_nothing_that_reaches_out_of_the_process() {
    for (pure, trees) in PURE {
        let tree = tree_of(pure).unwrap();
        let allowed: BTreeSet<&str> = trees.iter().copied().flatten().copied().collect();
        let banned: Vec<_> = tree.iter().filter(|name| NEVER_IN_PURE_CRATES.contains(&name.as_str())).collect();
        assert!(banned.is_empty(), "{pure} must not use {banned:?}, not even through another crate");
        let new: Vec<_> = tree.iter().filter(|name| !allowed.contains(name.as_str())).collect();
        assert!(new.is_empty(), "new in what {pure} is built from: {new:?}; see PURE for what may be there");
        let gone: Vec<_> = allowed.iter().filter(|name| !tree.contains(**name)).collect();
        assert!(gone.is_empty(), "{pure} is no longer built from {gone:?}, so take them off the list");
    }
}

#[test]
fn pure_crates_name_no_clock_file_thread_or_socket() {
    let packages = packages().unwrap();
    let folders: Vec<_> =
        packages.iter().filter(|package| PURE.iter().any(|(pure, _)| package.name == *pure)).collect();
    assert_eq!(folders.len(), PURE.len());
    for source in sources().unwrap() {
        let is_of = |package: &&&Package| source.path.starts_with(package.folder().join("src"));
        let Some(package) = folders.iter().find(is_of).filter(|_| !source.is_test()) else { continue };
        let code = source.text.lines().take(source.lines_of_code()).enumerate();
        for (index, line) in code.filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let named = NEVER_NAMED_IN_PURE_CRATES.iter().find(|name| line.contains(**name));
            let (path, line) = (source.path.display(), index + 1);
            assert!(named.is_none(), "{path}:{line}: {} in {}", named.unwrap(), package.name);
        }
    }
}

#[test]
fn only_the_command_uses_anyhow() {
    for package in packages().unwrap() {
        let uses = package.depends_on(&[Kind::Normal, Kind::Build]).contains("anyhow");
        assert!(!uses || package.name == "millrace-cli", "{} must have errors of its own", package.name);
    }
}
