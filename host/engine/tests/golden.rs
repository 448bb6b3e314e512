//! Operators emit the same results as Kafka Streams: with the same times, after the same records, in the same order,
//! with batches of any size, and with a restart after every record.
//!
//! The cases are in `tests/golden` of the repository. The variable `MILLRACE_GOLDEN` names a file or folder with more.

mod support;

use std::path::{Path, PathBuf};

use support::golden;

/// Runs the cases of each file that are of these kinds.
#[track_caller]
fn check(sorts: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let mut files = golden::files(&folder);
    if let Some(more) = std::env::var_os("MILLRACE_GOLDEN").map(PathBuf::from) {
        if more.is_dir() { files.extend(golden::files(&more)) } else { files.push(more) }
    }
    let (mut passed, mut failed) = (0, Vec::new());
    for case in files.iter().flat_map(|file| golden::read(file)) {
        if sorts.contains(&golden::sort_of(&case.op)) {
            match golden::differences(&case) {
                None => passed += 1,
                Some(difference) => failed.push(difference),
            }
        }
    }
    assert!(passed + failed.len() > 0, "{} has no cases of {sorts:?}", folder.display());
    println!("{sorts:?}: {passed} passed, {} failed", failed.len());
    let first = failed.first().map_or("", String::as_str);
    assert!(failed.is_empty(), "{passed} passed, {} failed; the first:\n{first}", failed.len());
}

#[test]
fn tumbling_and_hopping_windows_are_as_in_kafka_streams() {
    check(&["tumbling", "hopping"]);
}

#[test]
fn sliding_windows_are_as_in_kafka_streams() {
    check(&["sliding"]);
}

#[test]
fn session_windows_are_as_in_kafka_streams() {
    check(&["session"]);
}

#[test]
fn aggregates_without_windows_are_as_in_kafka_streams() {
    check(&["none"]);
}

#[test]
fn joins_of_streams_are_as_in_kafka_streams() {
    check(&["stream-join"]);
}

#[test]
fn tables_and_their_joins_are_as_in_kafka_streams() {
    check(&["lookup", "table-join", "table"]);
}
