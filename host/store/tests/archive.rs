//! The script that compiles RocksDB, with compilers that are told how to behave.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with a compiler in it, which does this when it is asked to compile.
fn compiler_that(does: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let compiler = folder.path().join("c++");
    fs::write(&compiler, format!("#!/bin/sh\n[ \"$1\" = --version ] && echo one && exit 0\n{does}\n")).unwrap();
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// What the script says, and how it ends.
fn run(folder: &Path, set: &[(&str, &str)]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rocksdb.sh");
    let mut command = Command::new(script);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CXXFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command.env("CXX", folder.join("c++")).envs(set.iter().copied());
    command.arg(folder.join("cache")).output().unwrap()
}

/// What lies in the cache.
fn cached(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("cache")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_script_compiles_an_archive_once() {
    // Writes the name of the source into its last argument, and notes that it was called.
    let folder = compiler_that(r#"for last; do :; done; echo object > "$last"; echo . >> "$(dirname "$0")/calls""#);
    let first = run(folder.path(), &[]);
    assert!(first.status.success(), "{first:?}");
    let calls = fs::read_to_string(folder.path().join("calls")).unwrap().lines().count();
    assert!(calls > 10, "{calls} units");
    assert!(
        text(&first.stderr).contains(&format!("a dot for each of {calls} units {}", ".".repeat(calls))),
        "{first:?}"
    );

    let archive = Path::new(text(&first.stdout).trim_end());
    assert_eq!(fs::read_dir(archive).unwrap().count(), 1);
    assert!(archive.join("librocksdb.a").is_file());

    let second = run(folder.path(), &[]);
    assert_eq!((text(&second.stdout), text(&second.stderr)), (text(&first.stdout), ""));
    assert_eq!(fs::read_to_string(folder.path().join("calls")).unwrap().lines().count(), calls);
}

#[test]
fn the_script_reports_an_error_in_a_source_with_its_log_and_does_not_retry() {
    let folder = compiler_that(r#"echo . >> "$(dirname "$0")/calls"; echo 'error: no such header' >&2; exit 1"#);
    let calls = || fs::read_to_string(folder.path().join("calls")).unwrap().lines().count();
    let first = run(folder.path(), &[]);
    assert_eq!((first.status.code(), text(&first.stdout)), (Some(1), ""));
    let said = "a unit doesn't compile: error: no such header: RocksDB is left to its crate";
    assert!(text(&first.stderr).contains(said), "{first:?}");

    let [failed] = &cached(folder.path())[..] else { panic!("{:?}", cached(folder.path())) };
    let log = fs::read_to_string(folder.path().join("cache").join(failed)).unwrap();
    assert!(log.contains("error: no such header"), "{log}");

    let called = calls();
    let second = run(folder.path(), &[]);
    assert_eq!((second.status.code(), calls()), (Some(1), called));
    assert!(text(&second.stderr).contains(failed), "{second:?}");
}

#[test]
fn the_script_retries_after_a_failure_that_may_pass() {
    for does in ["kill -9 $$", "echo 'fatal error: error in backend: No space left on device' >&2; exit 1"] {
        let folder = compiler_that(does);
        let output = run(folder.path(), &[]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{does}");
        assert!(text(&output.stderr).contains("RocksDB is left to its crate"), "{output:?}");
        assert!(cached(folder.path()).is_empty(), "{does}: {:?}", cached(folder.path()));
    }
}

#[test]
fn the_script_compiles_nothing_if_flags_are_set_for_the_crate() {
    let folder = compiler_that("exit 1");
    for name in ["RUSTFLAGS", "CXXFLAGS", "CARGO_BUILD_TARGET"] {
        let output = run(folder.path(), &[(name, "-march=native")]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), ""), "{name}");
    }
    assert!(cached(folder.path()).is_empty());
}
