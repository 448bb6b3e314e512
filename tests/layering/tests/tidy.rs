//! What every file owes its reader.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use millrace_layering::{Source, documents, packages, root, sources};

/// A file that is longer holds a second concept.
const MOST_LINES: usize = 400;

/// Marks of work that isn't done. In two halves, or this file would find itself.
const UNFINISHED: &[&str] =
    &[concat!("to", "do!("), concat!("unimple", "mented!("), concat!("FIX", "ME"), concat!("TO", "DO")];

fn places(found: impl IntoIterator<Item = Source>) -> Vec<PathBuf> {
    found.into_iter().map(|source| source.path).collect()
}

#[test]
fn nothing_is_left_for_later() {
    let unfinished = |source: &Source| UNFINISHED.iter().any(|mark| source.text.contains(mark));
    let found = sources().unwrap().into_iter().chain(documents().unwrap()).filter(unfinished);
    assert_eq!(places(found), Vec::<PathBuf>::new(), "these say that something is still to be done");
}

#[test]
fn a_file_is_one_concept_and_not_too_long() {
    let long = sources().unwrap().into_iter().filter(|source| !source.is_test() && source.lines_of_code() > MOST_LINES);
    assert_eq!(places(long), Vec::<PathBuf>::new(), "over {MOST_LINES} lines: look for the second concept in them");
}

#[test]
fn a_file_says_first_what_it_is() {
    let silent = sources().unwrap().into_iter().filter(|source| !source.is_test() && !source.text.starts_with("//!"));
    assert_eq!(places(silent), Vec::<PathBuf>::new(), "these don't begin with `//!` and what they are");
}

#[test]
fn a_newcomer_finds_every_crate_in_the_documents() {
    for document in ["README.md", "ARCHITECTURE.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for package in packages().unwrap() {
            let folder = package.folder();
            if folder.starts_with("host") {
                assert!(text.contains(&*folder.to_string_lossy()), "{document} does not speak of {}", folder.display());
            }
        }
    }
}

#[test]
fn a_link_in_a_document_leads_somewhere() {
    for document in documents().unwrap() {
        let folder = root().join(document.path.parent().unwrap_or(Path::new("")));
        for target in links(&document.text) {
            let file = target.split('#').next().unwrap_or_default();
            assert!(folder.join(file).exists(), "{} links to {file}, which is not there", document.path.display());
        }
    }
}

/// Paths of ours that a document names, as in `host/engine/src/task.rs`, are paths from the top of the workspace, or from its own folder.
#[test]
fn files_that_a_document_names_are_there() {
    let folders = ["benches/", "docs/", "guest-sdk/", "host/", "pipelines/", "plugins/", "samples/", "tests/", "wit/"];
    let (mut checked, mut missing) = (0, Vec::new());
    for document in documents().unwrap() {
        // Between backticks, and outside of blocks of commands, which may make files of their own.
        let prose = document.text.split("```").step_by(2);
        let spans = prose.flat_map(|text| text.split('`').skip(1).step_by(2));
        let is_ours = |span: &&str| folders.iter().any(|folder| span.starts_with(folder));
        // The plugin that a reader of the README writes isn't there yet.
        let is_to_be = |span: &&str| !["large-orders", "large_orders"].iter().any(|name| span.contains(name));
        let is_one = |span: &&str| !span.contains(['*', '{', '<', ' ', '$']) && !span.contains("NAME");
        for span in spans.filter(is_ours).filter(is_one).filter(is_to_be) {
            checked += 1;
            let beside = document.path.with_file_name(span);
            if !root().join(span).exists() && !root().join(beside).exists() {
                missing.push(format!("{}: `{span}`", document.path.display()));
            }
        }
    }
    assert!(checked > 0, "no document names a file");
    assert!(missing.is_empty(), "these aren't there: {missing:#?}");
}

/// Where the process can be told to die at a point (`MILLRACE_FAULT`), that is compiled with debug assertions only; and
/// what is built as in a release has none.
#[test]
fn what_is_built_as_in_a_release_can_not_be_told_to_die() {
    let faults = "host/kafka/src/faults.rs";
    let speaks = |source: &&Source| source.text.contains("MILLRACE_FAULT") && !source.is_test();
    let found = sources().unwrap();
    assert_eq!(places(found.iter().filter(speaks).cloned()), [Path::new(faults)]);
    let text = std::fs::read_to_string(root().join(faults)).unwrap();
    let (_, hit) = text.split_once("pub(crate) fn hit(point: Point)").unwrap();
    assert!(hit.contains("MILLRACE_FAULT") && text.contains("#[cfg(debug_assertions)]\npub(crate) fn hit("));

    let just = std::fs::read_to_string(root().join("justfile")).unwrap();
    let as_released = just.lines().find(|line| line.starts_with("as_released :=")).unwrap();
    assert!(as_released.contains("--config profile.dev.debug-assertions=false"), "{as_released}");
    let cargo = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(!cargo.contains("[profile.release"), "cargo's own release profile has no debug assertions: leave it so");
}

/// The targets of links to files, as in `[text](target)`.
fn links(text: &str) -> BTreeSet<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).collect()
}
