//! What a folder can be instead of a good database, and what is said of it.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{FAMILIES, TABLE, WINDOW, dump, open, put, specs};
use millrace_engine::ports::{Backend, StoreId};
use millrace_store::{Batch, Database, Durability, Error, OpenOptions, Wal};

fn refusal(path: &Path) -> Error {
    let specs = specs();
    let options = OpenOptions { families: &FAMILIES, ..OpenOptions::new(&specs) };
    Database::open(path, &options).err().unwrap()
}

fn files(path: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[test]
fn a_folder_with_other_files_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "precious").unwrap();
    let error = refusal(folder.path());
    assert!(matches!(error, Error::NotOurs { .. }), "{error:?}");
    assert!(error.to_string().ends_with("the folder isn't empty, and what is in it isn't a database of Millrace's"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    for error in [refusal(&path), Database::open_read_only(&path).err().unwrap()] {
        assert!(matches!(&error, Error::NotOurs { reason, .. } if reason == "this isn't a folder"), "{error:?}");
    }
}

#[test]
fn opening_for_reading_creates_no_database() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("missing")] {
        let error = Database::open_read_only(&path).err().unwrap();
        assert!(error.to_string().ends_with("there is no database of Millrace's here"), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    fs::write(folder.path().join("MILLRACE"), "millrace store, format 2\n").unwrap();
    let error = refusal(folder.path());
    assert!(matches!(&error, Error::NotOurs { .. }));
    assert!(error.to_string().contains("is of format 2, and this version of Millrace knows formats up to 1"));
}

#[test]
fn a_database_without_its_current_file_is_damaged_and_not_new() {
    for flushed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        put(&database, 0, &[("a", Some("1"))]);
        if flushed {
            database.flush().unwrap();
        }
        drop(database);
        fs::remove_file(folder.path().join("CURRENT")).unwrap();
        let error = refusal(folder.path());
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("the database is damaged: the file `CURRENT` is missing; put back a copy"));
    }
}

#[test]
fn damaged_files_are_refused() {
    type Damage = fn(&Path);
    let damage: [(&str, Damage); 3] = [
        ("a table is missing", |path| fs::remove_file(files(path, "sst").first().unwrap()).unwrap()),
        ("a table is cut short", |path| {
            fs::File::options().write(true).open(files(path, "sst").first().unwrap()).unwrap().set_len(40).unwrap();
        }),
        ("the list of files is gone", |path| fs::write(path.join("CURRENT"), "MANIFEST-999999\n").unwrap()),
    ];
    for (what, damage) in damage {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        put(&database, 0, &[("a", Some("1"))]);
        database.flush().unwrap();
        drop(database);
        damage(folder.path());
        let error = refusal(folder.path());
        assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
        assert!(error.to_string().contains("the database is damaged"), "{what}: {error}");
    }
}

#[test]
fn a_database_with_a_damaged_or_missing_write_ahead_log_is_refused() {
    type Damage = fn(&Path);
    let damage: [(&str, &str, Damage); 2] = [
        ("a byte is changed", "orruption", |path| {
            let log = log_of(path);
            let mut bytes = fs::read(&log).unwrap();
            let middle = bytes.len() / 2;
            *bytes.get_mut(middle).unwrap() ^= 1;
            fs::write(log, bytes).unwrap();
        }),
        ("it is gone", "the write-ahead log, a file such as `000004.log`, is missing", |path| {
            files(path, "log").iter().for_each(|log| fs::remove_file(log).unwrap());
        }),
    ];
    for (what, reason, damage) in damage {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path());
        for number in 0..100 {
            put(&database, 0, &[(&format!("key-{number}"), Some("1"))]);
        }
        drop(database);
        damage(folder.path());
        for error in [refusal(folder.path()), Database::open_read_only(folder.path()).err().unwrap()] {
            assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
            assert!(error.to_string().contains(reason), "{what}: {error}");
        }
    }
}

#[test]
fn after_a_power_failure_the_log_ends_at_its_first_damage() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    put(&database, 0, &[("a", Some("1"))]);
    put(&database, 0, &[("b", Some("2"))]);
    drop(database);
    let log = log_of(folder.path());
    let mut bytes = fs::read(&log).unwrap();
    let length = bytes.len();
    // A page of the last record didn't come to the disk.
    bytes.get_mut(length - 4..).unwrap().fill(0);
    fs::write(log, bytes).unwrap();
    let error = refusal(folder.path());
    assert!(matches!(error, Error::Corrupt { .. }), "no kill does that: {error:?}");
    fs::write(folder.path().join("BOOT"), "another one").unwrap();
    assert_eq!(dump(&open(folder.path()), TABLE, 0), [("a".into(), "1".into())]);
    put(&open(folder.path()), 0, &[("c", Some("3"))]);
    assert_eq!(dump(&open(folder.path()), TABLE, 0), [("a".into(), "1".into()), ("c".into(), "3".into())]);
}

#[test]
fn after_a_kill_a_truncated_last_write_is_dropped_and_the_others_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    put(&database, 0, &[("a", Some("1"))]);
    put(&database, 0, &[("b", Some("2"))]);
    drop(database);
    let log = log_of(folder.path());
    let length = fs::metadata(&log).unwrap().len();
    fs::File::options().write(true).open(log).unwrap().set_len(length - 3).unwrap();
    assert_eq!(dump(&open(folder.path()), TABLE, 0), [("a".into(), "1".into())]);
}

/// The log that holds what was written last.
fn log_of(path: &Path) -> std::path::PathBuf {
    files(path, "log").into_iter().max_by_key(|log| fs::metadata(log).unwrap().len()).unwrap()
}

#[test]
fn a_database_whose_folder_is_deleted_is_gone_and_not_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let database = open(&path);
    put(&database, 0, &[("a", Some("1"))]);
    fs::remove_dir_all(&path).unwrap();
    let error = database.flush().unwrap_err();
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
    let said = format!("{}: the folder is gone while it was in use", path.display());
    assert!(error.to_string().starts_with(&said), "{error}");
}

#[test]
fn a_folder_whose_first_opening_was_interrupted_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("MILLRACE"), "millrace store, format 1\n").unwrap();
    put(&open(folder.path()), 0, &[("a", Some("1"))]);
    assert_eq!(dump(&open(folder.path()), TABLE, 0), [("a".into(), "1".into())]);
}

#[test]
fn stores_that_a_pipeline_no_longer_has_are_kept_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()), 3, &[("a", Some("1"))]);

    let window = specs().split_off(1);
    let smaller = Arc::new(Database::open(folder.path(), &OpenOptions::new(&window)).unwrap());
    assert_eq!(smaller.unused(), ["log", "offsets", "s.orders"]);
    assert_eq!(smaller.stores().collect::<Vec<_>>(), ["payments"]);
    smaller.flush().unwrap();
    drop(smaller);

    let database = open(folder.path());
    assert!(database.unused().is_empty());
    assert_eq!(dump(&database, TABLE, 3), [("a".into(), "1".into())]);
}

#[test]
fn an_unknown_store_or_family_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    let mut batch = Batch::new(&database);
    let error = batch.put("nonsense", b"k", b"v").err().unwrap();
    assert!(error.to_string().ends_with("there is no column family `nonsense`"), "{error}");
    assert!(matches!(database.compact(StoreId(9)), Err(Error::Unknown { .. })));
}

#[test]
fn a_reader_sees_all_earlier_writes_of_a_running_process_synced_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let running = open(folder.path());
    put(&running, 0, &[("a", Some("1"))]);
    running.flush().unwrap();
    put(&running, 0, &[("b", Some("2"))]);
    let reader = Arc::new(Database::open_read_only(folder.path()).unwrap());
    let table = reader.store("orders").unwrap();
    assert_eq!(dump(&reader, table, 0), [("a".into(), "1".into()), ("b".into(), "2".into())]);
    put(&running, 0, &[("a", None)]);
    assert_eq!(dump(&reader, table, 0).len(), 2, "later writes are seen by who opens it anew");
    let reader = Arc::new(Database::open_read_only(folder.path()).unwrap());
    assert_eq!(dump(&reader, table, 0), [("b".into(), "2".into())]);
}

#[test]
fn a_database_that_is_open_for_reading_can_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()), 0, &[("a", Some("1"))]);
    let database = Arc::new(Database::open_read_only(folder.path()).unwrap());
    let mut batch = Batch::new(&database);
    batch.put("offsets", b"k", b"v").unwrap();
    assert!(database.write(batch, Durability::Buffered).is_err());
}

#[test]
fn statistics_count_entries_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    put(&database, 0, &[("a", Some("1")), ("b", Some("2"))]);
    let before = database.statistics().unwrap();
    database.flush().unwrap();
    let after = database.statistics().unwrap();
    let entries: Vec<_> = after.stores.iter().map(|store| (store.name.as_str(), store.entries)).collect();
    assert_eq!(entries, [("orders", 2), ("payments", 0)]);
    assert_eq!(before.disk, 0);
    assert!(after.disk > 0 && after.memory > 0 && after.write_buffers > 0, "{after:?}");
}

#[test]
fn without_a_write_ahead_log_a_kill_loses_windows_and_the_keys_beside_them_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let specs = specs();
    let options = OpenOptions { wal: Wal::WithoutWindows, families: &FAMILIES, ..OpenOptions::new(&specs) };
    let family = FAMILIES[0].name;
    let write = |database: &Arc<Database>, key: &'static str| {
        let mut batch = Batch::new(database);
        for store in [TABLE, WINDOW] {
            batch.set(store, 0, key.as_bytes(), Some(b"1")).unwrap();
            batch.put_beside(store, family, format!("{key}-{}", store.0).as_bytes(), b"1").unwrap();
        }
        database.write(batch, Durability::Buffered).unwrap();
    };
    let database = Arc::new(Database::open(folder.path(), &options).unwrap());
    write(&database, "flushed");
    database.flush().unwrap();
    write(&database, "written");
    // What a process that dies now leaves behind.
    let left = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
    }
    let database = Arc::new(Database::open(left.path(), &options).unwrap());
    let has = |store: StoreId, key: &str| {
        let beside = database.get(family, format!("{key}-{}", store.0).as_bytes()).unwrap().is_some();
        (database.backend(0).get(store, key.as_bytes()).unwrap().is_some(), beside)
    };
    assert_eq!(has(TABLE, "flushed"), (true, true));
    assert_eq!(has(WINDOW, "flushed"), (true, true));
    assert_eq!(has(TABLE, "written"), (true, true));
    assert_eq!(has(WINDOW, "written"), (false, false));
}
