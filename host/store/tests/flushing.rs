//! Flushes that are asked for: of what has no write-ahead log, and while RocksDB takes no writes.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{FAMILIES, WINDOW, changes, dump, specs};
use millrace_store::{Batch, Database, Durability, OpenOptions, Wal};

/// How long a test waits for a condition that never comes about.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn unlogged_writes_are_flushed_at_a_certain_age() {
    let folder = tempfile::tempdir().unwrap();
    let specs = specs();
    let options = OpenOptions { wal: Wal::WithoutWindows, families: &FAMILIES, ..OpenOptions::new(&specs) };
    let database = Arc::new(Database::open(folder.path(), &options).unwrap());
    let hour = Duration::from_secs(3_600);
    assert!(!database.flush_older_than(Duration::ZERO).unwrap(), "nothing was written");
    let mut batch = Batch::new(&database);
    batch.apply(&changes(WINDOW, &[("a", Some("1"))]), 0).unwrap();
    database.write(batch, Durability::Buffered).unwrap();
    assert!(!database.flush_older_than(hour).unwrap(), "it is young");
    let on_disk = || {
        let database = Arc::new(Database::open_read_only(folder.path()).unwrap());
        let store = database.store("payments").unwrap();
        !dump(&database, store, 0).is_empty()
    };
    assert!(!on_disk());
    assert!(database.flush_older_than(Duration::ZERO).unwrap());
    while !on_disk() {
        std::thread::yield_now();
    }
    assert!(!database.flush_older_than(Duration::ZERO).unwrap(), "nothing was written since");
}

#[test]
fn a_flush_that_rocksdb_does_not_begin_while_it_stalls_writes_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let specs = specs();
    let options =
        OpenOptions { wal: Wal::WithoutWindows, families: &FAMILIES, memory: 1 << 20, ..OpenOptions::new(&specs) };
    let database = Arc::new(Database::open(folder.path(), &options).unwrap());
    let value = "v".repeat(1 << 20);
    let done = AtomicBool::new(false);
    let (mut begun, mut refused) = (false, false);
    let limit = Instant::now() + PATIENCE;
    std::thread::scope(|scope| {
        // Two write buffers of a MiB are filled sooner than one of them is flushed.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let mut batch = Batch::new(&database);
                batch.apply(&changes(WINDOW, &[("a", Some(&value))]), 0).unwrap();
                database.write(batch, Durability::Buffered).unwrap();
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while !(begun && refused) {
                match database.begin_flush().unwrap() {
                    true => begun = true,
                    false => refused = true,
                }
                assert!(Instant::now() < limit, "begun: {begun}, refused: {refused}");
            }
        }));
        done.store(true, Ordering::Relaxed);
        result.unwrap();
    });
    database.flush().unwrap();
}
