//! Entries of window stores that have expired.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{WINDOW, dump, open, specs};
use millrace_engine::ports::{Backend, Scan, StoreChanges};
use millrace_engine::state::keys::{decode_window_key, part, window_key};
use millrace_store::{Batch, Database, Durability, OpenOptions, Wal};

fn write(database: &Arc<Database>, partition: u32, times: &[i64], expire_before: Option<i64>, durability: Durability) {
    let entry = |time: &i64| (window_key(part::LEFT, b"key", *time, 0), Some(Bytes::from_static(b"value")));
    let entries = times.iter().map(entry).collect();
    let mut batch = Batch::new(database);
    let expire_before = expire_before.map(|before| [before; 2]);
    batch.apply(&StoreChanges { store: WINDOW, entries, expire_before }, partition).unwrap();
    database.write(batch, durability).unwrap();
}

fn times(database: &Arc<Database>, partition: u32) -> Vec<i64> {
    let mut times = Vec::new();
    let mut visit = |key: &[u8], _: &[u8]| {
        times.extend(decode_window_key(key).map(|(_, _, time, _)| time));
        Scan::Continue
    };
    database.backend(partition).scan(WINDOW, &[], None, &mut visit).unwrap();
    times
}

#[test]
fn compaction_drops_expired_entries_of_their_partition_only() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    write(&database, 0, &[-5, 0, 9, 10, 11], None, Durability::Buffered);
    write(&database, 1, &[-5, 0, 9, 10, 11], None, Durability::Buffered);
    write(&database, 0, &[], Some(10), Durability::Synced);
    database.compact(WINDOW).unwrap();
    assert_eq!(times(&database, 0), [10, 11]);
    assert_eq!(times(&database, 1), [-5, 0, 9, 10, 11]);
}

#[test]
fn each_side_of_a_join_expires_by_its_own_watermark_and_records_that_wait_for_a_match_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    let sides = [part::LEFT, part::RIGHT].map(|side| [1, 9].map(|time| window_key(side, b"key", time, 0)));
    let waiting = Bytes::from([&[part::WAITING][..], &[0; 32]].concat());
    let keys = sides.concat().into_iter().chain([waiting.clone()]);
    let entries = keys.map(|key| (key, Some(Bytes::from_static(b"value")))).collect();
    let mut batch = Batch::new(&database);
    batch.apply(&StoreChanges { store: WINDOW, entries, expire_before: Some([5, 1]) }, 0).unwrap();
    database.write(batch, Durability::Synced).unwrap();
    database.compact(WINDOW).unwrap();
    assert_eq!(times(&database, 0), [9, 1, 9]);
    assert!(database.backend(0).get(WINDOW, &waiting).unwrap().is_some());
}

#[test]
fn a_watermark_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    write(&database, 0, &[1, 2, 3, 4], Some(3), Durability::Synced);
    write(&database, 0, &[], Some(2), Durability::Synced);
    assert_eq!(database.expired_before(WINDOW, 0), Some([3; 2]));
    assert_eq!(database.expired_before(WINDOW, 1), None);
    database.compact(WINDOW).unwrap();
    assert_eq!(times(&database, 0), [3, 4]);
}

#[test]
fn a_pipeline_with_wider_windows_keeps_entries_that_are_not_expired_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    write(&database, 0, &[1, 5], Some(4), Durability::Synced);
    drop(database);
    let database = open(folder.path());
    write(&database, 0, &[3], None, Durability::Synced);
    write(&database, 0, &[], Some(2), Durability::Synced);
    database.compact(WINDOW).unwrap();
    assert_eq!(times(&database, 0), [3, 5]);
}

#[test]
fn entries_are_not_dropped_before_the_watermark_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    write(&database, 0, &[1, 2], Some(2), Durability::Buffered);
    assert_eq!(database.expired_before(WINDOW, 0), None);
    write(&database, 1, &[], None, Durability::Synced);
    assert_eq!(database.expired_before(WINDOW, 0), Some([2; 2]));
}

#[test]
fn without_a_write_ahead_log_a_watermark_counts_at_once_even_if_nothing_else_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let specs = specs();
    let options = OpenOptions { wal: Wal::WithoutWindows, ..OpenOptions::new(&specs) };
    let database = Arc::new(Database::open(folder.path(), &options).unwrap());
    let mut batch = Batch::new(&database);
    batch.apply(&StoreChanges { store: WINDOW, entries: Vec::new(), expire_before: Some([2; 2]) }, 0).unwrap();
    assert!(!batch.is_empty());
    database.write(batch, Durability::Buffered).unwrap();
    assert_eq!(database.expired_before(WINDOW, 0), Some([2; 2]));
}

#[test]
fn a_batch_that_was_dropped_sets_no_watermark() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    write(&database, 0, &[1, 2], None, Durability::Synced);
    let mut batch = Batch::new(&database);
    batch.apply(&StoreChanges { store: WINDOW, entries: Vec::new(), expire_before: Some([9; 2]) }, 0).unwrap();
    drop(batch);
    write(&database, 0, &[3], None, Durability::Synced);
    database.compact(WINDOW).unwrap();
    assert_eq!(times(&database, 0), [1, 2, 3]);
}

#[test]
fn entries_of_another_layout_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    let entries = vec![(Bytes::from_static(b"odd"), Some(Bytes::from_static(b"1")))];
    let mut batch = Batch::new(&database);
    batch.apply(&StoreChanges { store: WINDOW, entries, expire_before: Some([i64::MAX; 2]) }, 0).unwrap();
    database.write(batch, Durability::Synced).unwrap();
    database.compact(WINDOW).unwrap();
    assert_eq!(dump(&database, WINDOW, 0), [("odd".into(), "1".into())]);
}

#[test]
fn windows_that_were_flushed_while_their_store_was_unused_are_found_by_key() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path()), 0, &[1, 2, 3], None, Durability::Buffered);
    let table = specs().into_iter().take(1).collect::<Vec<_>>();
    // What is in the log goes into files here, and these files have no filters of windows.
    let without = Database::open(folder.path(), &OpenOptions::new(&table)).unwrap();
    assert!(without.unused().contains(&"s.payments".to_owned()));
    without.flush().unwrap();
    drop(without);

    let database = open(folder.path());
    let [from, to] = [2, 9].map(|time| window_key(part::LEFT, b"key", time, 0));
    let mut found = 0;
    let mut visit = |_: &[u8], _: &[u8]| {
        found += 1;
        Scan::Continue
    };
    database.backend(0).scan(WINDOW, &from, Some(&to), &mut visit).unwrap();
    assert_eq!(found, 2);
}
