#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::deployment::ActivePlugins;
use millrace_pipeline::{self as pipeline, SourceFile};
use millrace_store::{Database, OpenOptions};

use super::file::{decode, encode};
use super::*;
use crate::log::Log;
use crate::log::codec::BlockReader;
use crate::worker::WorkerOptions;

#[test]
fn a_file_holds_letters_to_several_partitions_in_order() {
    let record = |topic: &str, partition, value: &str| InboxRecord {
        topic: topic.into(),
        partition,
        record: NewRecord::new(1, "k", value.to_owned()),
    };
    let records = [record("a", 0, "1"), record("a", 0, "2"), record("a", 1, "3"), record("b", 1, "4")];
    let mut file = Bytes::from(encode(&records));
    let mut read = Vec::new();
    while let Some((topic, partition, block)) = decode(&mut file) {
        let mut records = BlockReader::new(block).unwrap();
        while let Some(record) = records.next().unwrap() {
            read.push(InboxRecord { topic: topic.clone(), partition, record });
        }
    }
    assert_eq!(read, records);
    assert!(decode(&mut Bytes::from_static(b"\0\x09short")).is_none());
}

/// A running app with topic `in`, and its inbox.
fn app(folder: &Path) -> (Worker, Inbox) {
    let text = "app = 'a'\n[[source]]\nname = 's'\ntopic = 'in'\n[[table]]\nname = 'rows'\nfrom = 's'\n";
    let file = SourceFile { path: "a.toml".into(), text: text.into() };
    let topology = pipeline::build(&pipeline::parse(&[file], &Default::default()).unwrap(), &BTreeMap::new()).unwrap();
    let plugins = ActivePlugins::new(topology.into(), Arc::from([]));
    let options = OpenOptions { families: &Log::FAMILIES, ..OpenOptions::new(&plugins.topology.stores) };
    let database = Arc::new(Database::open(&folder.join("db"), &options).unwrap());
    let log = Arc::new(Log::open(Arc::clone(&database)).unwrap());
    let options = WorkerOptions::default();
    let worker = Worker::open(&plugins, database, log, options).unwrap();
    (worker, Inbox::open(&folder.join("inbox")).unwrap())
}

fn record(value: &str) -> InboxRecord {
    InboxRecord { topic: "in".into(), partition: 0, record: NewRecord::new(1, "k", value.to_owned()) }
}

fn names(inbox: &Inbox) -> Vec<String> {
    let entries = fs::read_dir(&inbox.folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn records(worker: &Worker) -> i64 {
    worker.log().end_offset(worker.log().topic("in").unwrap(), 0).unwrap()
}

#[test]
fn an_entry_that_is_no_file_of_records_is_logged_once_and_stops_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (mut worker, inbox) = app(folder.path());
    fs::create_dir(inbox.folder.join("a-folder")).unwrap();
    std::os::unix::fs::symlink("nowhere", inbox.folder.join("a-link")).unwrap();
    fs::write(inbox.folder.join(OsStr::from_bytes(b"a-\xff")), encode(&[record("1")])).unwrap();
    leave_records(&inbox.folder, "b", &[record("2")]).unwrap();
    assert_eq!(inbox.list().unwrap().new_strays.len(), 3);
    assert!(inbox.import_next(&mut worker, 0).unwrap());
    assert!(!inbox.import_next(&mut worker, 0).unwrap());
    assert_eq!(records(&worker), 1);
    assert_eq!(names(&inbox), ["a-folder", "a-link", "a-\u{fffd}"]);
    assert!(inbox.list().unwrap().new_strays.is_empty());
    fs::create_dir(inbox.folder.join("another")).unwrap();
    assert_eq!(inbox.list().unwrap().new_strays, ["another"]);
}

#[test]
fn refused_files_keep_their_whole_names_and_do_not_replace_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (mut worker, inbox) = app(folder.path());
    for name in ["day.1", "day.2", "day.1"] {
        fs::write(inbox.folder.join(name), "nonsense").unwrap();
        assert!(inbox.import_next(&mut worker, 0).unwrap());
    }
    assert_eq!(names(&inbox), ["day.1.2.refused", "day.1.refused", "day.2.refused"]);
    assert!(!inbox.import_next(&mut worker, 0).unwrap());
}
