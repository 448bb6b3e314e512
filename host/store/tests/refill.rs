//! Emptying a partition of a store, and filling it again entry by entry.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{TABLE, WINDOW, dump, open, put};
use millrace_engine::ports::{StoreChanges, StoreId};
use millrace_engine::state::keys::{part, window_key};
use millrace_store::{Batch, Database, Durability, Error};

fn keys(database: &Arc<Database>, partition: u32) -> Vec<String> {
    dump(database, TABLE, partition).into_iter().map(|(key, _)| key).collect()
}

fn clear(database: &Arc<Database>, store: StoreId, partition: u32, durability: Durability) {
    let mut batch = Batch::new(database);
    batch.clear(store, partition).unwrap();
    database.write(batch, durability).unwrap();
}

/// Writes entries of the window store with these times.
fn put_times(database: &Arc<Database>, times: &[i64], expire_before: Option<i64>, durability: Durability) {
    let entry = |time: &i64| (window_key(part::LEFT, b"key", *time, 0), Some(Bytes::from_static(b"value")));
    let changes = StoreChanges {
        store: WINDOW,
        entries: times.iter().map(entry).collect(),
        expire_before: expire_before.map(|before| [before; 2]),
    };
    let mut batch = Batch::new(database);
    batch.apply(&changes, 0).unwrap();
    database.write(batch, durability).unwrap();
}

#[test]
fn a_restore_sets_and_deletes_single_entries() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    put(&database, 3, &[("a", Some("1")), ("b", Some("2"))]);
    let mut batch = Batch::new(&database);
    batch.set(TABLE, 3, b"b", None).unwrap();
    batch.set(TABLE, 3, b"c", Some(b"3")).unwrap();
    batch.set(TABLE, 4, b"a", Some(b"")).unwrap();
    database.write(batch, Durability::Buffered).unwrap();
    assert_eq!(dump(&database, TABLE, 3), [("a".into(), "1".into()), ("c".into(), "3".into())]);
    assert_eq!(dump(&database, TABLE, 4), [("a".into(), String::new())]);
    let unknown = Batch::new(&database).set(StoreId(9), 0, b"k", None);
    assert!(matches!(unknown, Err(Error::Unknown { .. })));
}

#[test]
fn a_cleared_partition_is_empty_and_its_neighbours_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    for partition in [0, 1, 2, u32::MAX - 1, u32::MAX] {
        put(&database, partition, &[("", Some("1")), ("\u{7f}", Some("2"))]);
    }
    clear(&database, TABLE, 1, Durability::Buffered);
    assert_eq!(database.partitions(TABLE).unwrap(), [0, 2, u32::MAX - 1, u32::MAX]);
    clear(&database, TABLE, u32::MAX, Durability::Buffered);
    assert_eq!(database.partitions(TABLE).unwrap(), [0, 2, u32::MAX - 1]);
    drop(database);
    let database = open(folder.path());
    assert_eq!(database.partitions(TABLE).unwrap(), [0, 2, u32::MAX - 1]);
    assert_eq!(keys(&database, 0).len(), 2);
}

#[test]
fn a_batch_that_clears_a_partition_keeps_only_what_it_sets_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    for partition in [7, u32::MAX] {
        put(&database, partition, &[("old", Some("1"))]);
        let mut batch = Batch::new(&database);
        batch.set(TABLE, partition, &[0xff; 40], Some(b"2")).unwrap();
        batch.clear(TABLE, partition).unwrap();
        batch.set(TABLE, partition, b"new", Some(b"3")).unwrap();
        database.write(batch, Durability::Buffered).unwrap();
        assert_eq!(keys(&database, partition), ["new"]);
    }
}

#[test]
fn a_partition_is_not_cleared_before_the_batch_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    put(&database, 0, &[("a", Some("1"))]);
    let mut batch = Batch::new(&database);
    batch.clear(TABLE, 0).unwrap();
    drop(batch);
    assert_eq!(keys(&database, 0), ["a"]);
}

#[test]
fn a_cleared_partition_may_get_entries_below_its_old_watermark() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    put_times(&database, &[8, 9], Some(8), Durability::Synced);
    assert_eq!(database.expired_before(WINDOW, 0), Some([8; 2]));
    clear(&database, WINDOW, 0, Durability::Buffered);
    assert_eq!(database.expired_before(WINDOW, 0), None);
    put_times(&database, &[1, 2, 3], Some(2), Durability::Synced);
    assert_eq!(database.expired_before(WINDOW, 0), Some([2; 2]));
    database.compact(WINDOW).unwrap();
    assert_eq!(dump(&database, WINDOW, 0).len(), 2);
}

#[test]
fn a_cleared_partition_loses_watermarks_that_were_not_durable_too() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    put_times(&database, &[8, 9], Some(8), Durability::Buffered);
    clear(&database, WINDOW, 0, Durability::Synced);
    assert_eq!(database.expired_before(WINDOW, 0), None);
    put_times(&database, &[1], None, Durability::Synced);
    assert_eq!(database.expired_before(WINDOW, 0), None);
}

#[test]
fn a_batch_that_clears_keeps_only_watermarks_that_it_sets_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    let changes = |before| StoreChanges { store: WINDOW, entries: Vec::new(), expire_before: Some([before; 2]) };
    let mut batch = Batch::new(&database);
    batch.apply(&changes(9), 0).unwrap();
    batch.clear(WINDOW, 0).unwrap();
    batch.apply(&changes(4), 0).unwrap();
    database.write(batch, Durability::Synced).unwrap();
    assert_eq!(database.expired_before(WINDOW, 0), Some([4; 2]));
}
