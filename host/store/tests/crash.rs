//! Processes that die or get in each other's way: each test runs a second one of itself.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{TABLE, changes, dump, open, specs};
use millrace_engine::ports::Backend;
use millrace_store::{Batch, Database, Durability, Error, OpenOptions};

const FOLDER: &str = "MILLRACE_TEST_FOLDER";

fn child(test: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(FOLDER, folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Reads lines until one is `text`.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) {
    assert!(lines.any(|line| line.unwrap().ends_with(text)), "the child ended without saying {text:?}");
}

fn say(text: &str) {
    // Not println: the test harness would buffer it.
    let mut out = std::io::stdout();
    writeln!(out, "\n{text}").unwrap();
    out.flush().unwrap();
}

fn wait_for_end_of_input() {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn folder() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

fn write(database: &std::sync::Arc<Database>, n: u32) {
    let mut batch = Batch::new(database);
    let (key, value) = (format!("{n:08}"), n.to_string());
    batch.apply(&changes(TABLE, &[(&key, Some(&value)), ("last", Some(&value))]), 7).unwrap();
    batch.put("offsets", b"next", value.as_bytes()).unwrap();
    batch.put("log", key.as_bytes(), &[b'x'; 5_000]).unwrap();
    database.write(batch, Durability::Buffered).unwrap();
}

#[test]
#[ignore = "a part of another test, which runs it"]
fn child_writes_until_it_is_killed() {
    let database = open(&folder());
    for n in 0.. {
        write(&database, n);
        say(&format!("wrote {n}"));
    }
}

#[test]
fn a_killed_process_leaves_every_batch_that_it_wrote_as_a_whole() {
    for last in [0, 1, 17, 2_000] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = child("child_writes_until_it_is_killed", folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        wait_for(&mut lines, &format!("wrote {last}"));
        child.kill().unwrap();
        child.wait().unwrap();

        let database = open(folder.path());
        let next = database.get("offsets", b"next").unwrap().unwrap();
        let next: u32 = std::str::from_utf8(&next).unwrap().parse().unwrap();
        assert!(next >= last, "{next} of at least {last}");
        let mut expected: Vec<_> = (0..=next).map(|n| (format!("{n:08}"), n.to_string())).collect();
        expected.push(("last".into(), next.to_string()));
        assert_eq!(dump(&database, TABLE, 7), expected);
        assert!(database.get("log", format!("{next:08}").as_bytes()).unwrap().is_some());
        assert!(database.get("log", format!("{:08}", next + 1).as_bytes()).unwrap().is_none());
    }
}

#[test]
#[ignore = "a part of another test, which runs it"]
fn child_dies_before_it_writes() {
    let database = open(&folder());
    write(&database, 0);
    let mut batch = Batch::new(&database);
    batch.apply(&changes(TABLE, &[("lost", Some("1"))]), 7).unwrap();
    batch.put("offsets", b"next", b"1").unwrap();
    say("ready");
    wait_for_end_of_input();
}

#[test]
fn a_batch_that_is_not_written_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = child("child_dies_before_it_writes", folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    wait_for(&mut lines, "ready");
    child.kill().unwrap();
    child.wait().unwrap();

    let database = open(folder.path());
    assert_eq!(database.get("offsets", b"next").unwrap().as_deref(), Some(&b"0"[..]));
    assert_eq!(database.backend(7).get(TABLE, b"lost").unwrap(), None);
}

#[test]
#[ignore = "a part of another test, which runs it"]
fn child_keeps_the_database_open() {
    let database = open(&folder());
    write(&database, 0);
    say("ready");
    wait_for_end_of_input();
    write(&database, 1);
    database.flush().unwrap();
}

#[test]
fn a_database_in_use_can_be_opened_for_reading_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = child("child_keeps_the_database_open", folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    wait_for(&mut lines, "ready");

    let specs = specs();
    let refused = Database::open(folder.path(), &OpenOptions::new(&specs)).err().unwrap();
    assert!(matches!(refused, Error::Locked { .. }), "{refused:?}");
    let name = folder.path().display();
    assert_eq!(refused.to_string(), format!("{name}: in use by another process; stop it, or choose another folder"));

    let reader = std::sync::Arc::new(Database::open_read_only(folder.path()).unwrap());
    let orders = reader.store("orders").unwrap();
    assert_eq!(reader.backend(7).get(orders, b"last").unwrap().as_deref(), Some(&b"0"[..]));
    assert_eq!(reader.partitions(orders).unwrap(), [7]);

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(reader.backend(7).get(orders, b"last").unwrap().as_deref(), Some(&b"0"[..]));
    let later = std::sync::Arc::new(Database::open_read_only(folder.path()).unwrap());
    let orders = later.store("orders").unwrap();
    assert_eq!(later.backend(7).get(orders, b"last").unwrap().as_deref(), Some(&b"1"[..]));
}
