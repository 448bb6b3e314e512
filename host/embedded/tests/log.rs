//! The durable log, from outside.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use millrace_embedded::log::{Log, LogError, LogTopicId, NewRecord, Reader, Tail};
use millrace_engine::record::{Header, Headers, InputRecord};
use millrace_store::{Batch, Database, Durability, OpenOptions};

fn open(path: &Path) -> Arc<Log> {
    let options = OpenOptions { families: &Log::FAMILIES, memory: 8 << 20, ..OpenOptions::new(&[]) };
    Arc::new(Log::open(Arc::new(Database::open(path, &options).unwrap())).unwrap())
}

fn record(text: &str) -> NewRecord {
    NewRecord::new(text.len() as i64, "key", text.to_owned())
}

fn append(tail: &mut Tail, topic: LogTopicId, partition: u32, texts: &[&str]) {
    for text in texts {
        tail.append(topic, partition, record(text)).unwrap();
    }
}

fn commit(log: &Log, tail: &mut Tail) {
    let mut batch = Batch::new(log.database());
    let prepared = log.prepare(tail, &mut batch).unwrap();
    log.database().write(batch, Durability::Buffered).unwrap();
    prepared.publish();
}

fn value(record: &InputRecord) -> String {
    String::from_utf8_lossy(record.value.as_ref().unwrap()).into_owned()
}

/// Offsets and values of what is committed.
fn read(reader: &mut Reader) -> Vec<(i64, String)> {
    reader.map(|record| record.unwrap()).map(|record| (record.offset, value(&record))).collect()
}

fn read_with(reader: &mut Reader, tail: &mut Tail) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    while let Some(record) = reader.next_with(tail).unwrap() {
        found.push((record.offset, value(&record)));
    }
    found
}

fn expect(first: i64, texts: &[&str]) -> Vec<(i64, String)> {
    (first..).zip(texts.iter().map(|text| (*text).to_owned())).collect()
}

#[test]
fn records_come_back_as_they_were_appended() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    let headers = vec![
        Header::new("name", "value"),
        Header { name: Bytes::from_static(b"\xff\x00"), value: None },
        Header::new("", ""),
        Header::new("name", "again"),
    ];
    let plain = NewRecord { timestamp: 5, key: None, value: None, headers: Headers::EMPTY };
    let records = [
        plain.clone(),
        NewRecord { timestamp: i64::MIN, key: Some(Bytes::new()), value: Some(Bytes::new()), ..plain.clone() },
        NewRecord { timestamp: i64::MAX, headers: headers.into(), ..plain.clone() },
        NewRecord { timestamp: -1, value: Some(Bytes::from(vec![7; 5 << 20])), ..plain.clone() },
        NewRecord { key: Some(Bytes::from(vec![8; 300_000])), ..plain },
    ];
    let mut tail = Tail::new(&log);
    for (offset, record) in records.iter().enumerate() {
        assert_eq!(tail.append(topic, 0, record.clone()).unwrap(), offset as i64);
    }
    let uncommitted = |reader: &mut Reader, tail: &mut Tail| {
        std::iter::from_fn(|| reader.next_with(tail).unwrap()).collect::<Vec<_>>()
    };
    let ahead = uncommitted(&mut log.reader(topic, 0, 0).unwrap(), &mut tail);
    commit(&log, &mut tail);
    let stored: Vec<_> = log.reader(topic, 0, 0).unwrap().map(|record| record.unwrap()).collect();
    assert_eq!(ahead, stored);
    let back: Vec<_> = stored
        .into_iter()
        .map(|InputRecord { timestamp, key, value, headers, .. }| NewRecord { timestamp, key, value, headers })
        .collect();
    assert_eq!(back, records);
}

#[test]
fn every_offset_can_be_read_from_in_blocks_of_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    let mut tail = Tail::new(&log);
    let long = "x".repeat(30_000);
    let texts: Vec<String> = (0..40).map(|n| if n % 3 == 0 { format!("{n}{long}") } else { n.to_string() }).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (commits, texts) in texts.chunks(17).enumerate() {
        append(&mut tail, topic, 0, texts);
        commit(&log, &mut tail);
        assert_eq!(log.end_offset(topic, 0).unwrap(), (commits as i64 * 17) + texts.len() as i64);
    }
    for (offset, _) in (0_i64..).zip(&texts) {
        let rest = texts.get(offset as usize..).unwrap();
        assert_eq!(read(&mut log.reader(topic, 0, offset).unwrap()), expect(offset, rest));
    }
    assert_eq!(read(&mut log.reader(topic, 0, 99).unwrap()), []);
    let mut reader = log.reader(topic, 0, 39).unwrap();
    assert_eq!((reader.lag(), read(&mut reader).len(), reader.lag(), reader.offset()), (1, 1, 0, 40));
    reader.seek(38);
    assert_eq!(read(&mut reader).len(), 2);
}

#[test]
fn records_of_different_partitions_and_topics_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let (one, two) = (log.create_topic("one", 300).unwrap(), log.create_topic("two", 1).unwrap());
    let mut tail = Tail::new(&log);
    for partition in 0..300 {
        append(&mut tail, one, partition, &[&format!("one/{partition}"), "last"]);
    }
    append(&mut tail, two, 0, &["two"]);
    commit(&log, &mut tail);
    for partition in 0..300 {
        let found = read(&mut log.reader(one, partition, 0).unwrap());
        assert_eq!(found, expect(0, &[&format!("one/{partition}"), "last"]));
    }
    assert_eq!(read(&mut log.reader(two, 0, 0).unwrap()), expect(0, &["two"]));
    assert!(matches!(log.reader(two, 1, 0), Err(LogError::UnknownPartition { partition: 1, .. })));
}

#[test]
fn a_reopened_log_continues_at_its_end_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 2).unwrap();
    let mut tail = Tail::new(&log);
    append(&mut tail, topic, 1, &["a", "b"]);
    commit(&log, &mut tail);
    append(&mut tail, topic, 1, &["lost"]);
    drop((log, tail));

    let log = open(folder.path());
    assert_eq!(log.topics(), [("t".to_owned(), topic, 2)]);
    assert_eq!((log.end_offset(topic, 0).unwrap(), log.end_offset(topic, 1).unwrap()), (0, 2));
    let mut reader = log.reader(topic, 1, 1).unwrap();
    let mut tail = Tail::new(&log);
    append(&mut tail, topic, 1, &["c"]);
    commit(&log, &mut tail);
    assert_eq!(read(&mut reader), expect(1, &["b", "c"]));
}

#[test]
fn only_the_worker_that_appends_reads_its_tail() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    let mut tail = Tail::new(&log);
    append(&mut tail, topic, 0, &["a"]);
    commit(&log, &mut tail);

    let (mut mine, mut others) = (log.reader(topic, 0, 0).unwrap(), log.reader(topic, 0, 0).unwrap());
    append(&mut tail, topic, 0, &["b", "c"]);
    assert_eq!(read_with(&mut mine, &mut tail), expect(0, &["a", "b", "c"]));
    append(&mut tail, topic, 0, &["d"]);
    assert_eq!(read_with(&mut mine, &mut tail), expect(3, &["d"]));
    assert_eq!(read(&mut others), expect(0, &["a"]));
    assert_eq!((log.end_offset(topic, 0).unwrap(), tail.end_offset(topic, 0).unwrap()), (1, 4));

    commit(&log, &mut tail);
    assert!(tail.is_empty());
    assert_eq!(read(&mut others), expect(1, &["b", "c", "d"]));
    append(&mut tail, topic, 0, &["e"]);
    assert_eq!(read_with(&mut mine, &mut tail), expect(4, &["e"]));
}

#[test]
fn an_aborted_tail_leaves_no_records_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    let mut tail = Tail::new(&log);
    let mut reader = log.reader(topic, 0, 0).unwrap();
    append(&mut tail, topic, 0, &["no"]);
    assert_eq!(read_with(&mut reader, &mut tail), expect(0, &["no"]));
    tail.clear();
    reader.seek(0);
    assert_eq!(tail.bytes(), 0);
    append(&mut tail, topic, 0, &["yes"]);
    assert_eq!(read_with(&mut reader, &mut tail), expect(0, &["yes"]));
    commit(&log, &mut tail);
    assert_eq!(read(&mut log.reader(topic, 0, 0).unwrap()), expect(0, &["yes"]));
}

#[test]
fn a_batch_that_is_not_written_keeps_the_tail_for_another_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    let mut tail = Tail::new(&log);
    append(&mut tail, topic, 0, &["a"]);
    let mut batch = Batch::new(log.database());
    drop(log.prepare(&mut tail, &mut batch).unwrap());
    drop(batch);
    assert_eq!(log.end_offset(topic, 0).unwrap(), 0);
    commit(&log, &mut tail);
    assert_eq!(read(&mut log.reader(topic, 0, 0).unwrap()), expect(0, &["a"]));
}

#[test]
fn records_of_two_workers_in_one_partition_have_successive_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    let (mut one, mut two) = (Tail::new(&log), Tail::new(&log));
    append(&mut one, topic, 0, &["1", "2"]);
    append(&mut two, topic, 0, &["a", "b"]);
    commit(&log, &mut two);
    commit(&log, &mut one);
    assert_eq!(read(&mut log.reader(topic, 0, 0).unwrap()), expect(0, &["a", "b", "1", "2"]));
}

#[test]
fn a_tail_that_was_read_can_not_be_committed_after_that_of_another_worker() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    let (mut one, mut two) = (Tail::new(&log), Tail::new(&log));
    append(&mut one, topic, 0, &["1"]);
    append(&mut two, topic, 0, &["a"]);
    read_with(&mut log.reader(topic, 0, 0).unwrap(), &mut one);
    commit(&log, &mut two);
    let mut batch = Batch::new(log.database());
    assert!(matches!(log.prepare(&mut one, &mut batch), Err(LogError::Conflict { partition: 0, .. })));
}

#[test]
fn offsets_have_no_gaps_when_many_threads_append() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                let mut tail = Tail::new(log);
                for n in 0..50 {
                    append(&mut tail, topic, 0, &[&format!("{thread}/{n}")]);
                    commit(log, &mut tail);
                }
            });
        }
    });
    let found = read(&mut log.reader(topic, 0, 0).unwrap());
    assert!(found.iter().map(|(offset, _)| *offset).eq(0..200));
    for thread in 0..4 {
        let own = found.iter().filter_map(|(_, text)| text.strip_prefix(&format!("{thread}/")));
        assert!(own.eq((0..50).map(|n| n.to_string())));
    }
}

#[test]
fn a_topic_keeps_its_number_of_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("orders", 2).unwrap();
    assert_eq!(log.create_topic("orders", 2).unwrap(), topic);
    let error = log.create_topic("orders", 3).err().unwrap();
    assert_eq!(error.to_string(), "topic `orders` has 2 partitions, not 3");
    assert_eq!(log.topic("orders"), Some(topic));
    assert_eq!(log.topic("other"), None);
    assert_eq!((log.partitions(topic), log.partitions(LogTopicId(9))), (2, 0));
    for (name, partitions) in [("", 1), ("none", 0), (&*"x".repeat(250), 1), ("many", u32::MAX)] {
        assert!(matches!(log.create_topic(name, partitions), Err(LogError::Invalid { .. })), "{name}");
    }
}

#[test]
fn committed_offsets_are_kept_for_each_app_topic_and_partition() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 2).unwrap();
    let mut batch = Batch::new(log.database());
    log.commit_offset(&mut batch, "app", topic, 1, 42).unwrap();
    log.put_control(&mut batch, b"deployment/b", b"2").unwrap();
    log.put_control(&mut batch, b"deployment/a", b"1").unwrap();
    log.put_control(&mut batch, b"deploymentz", b"3").unwrap();
    assert_eq!(log.committed("app", topic, 1).unwrap(), None);
    log.database().write(batch, Durability::Buffered).unwrap();
    drop(log);

    let log = open(folder.path());
    assert_eq!(log.committed("app", topic, 1).unwrap(), Some(42));
    assert_eq!(log.committed("app", topic, 0).unwrap(), None);
    assert_eq!(log.committed("ap", topic, 1).unwrap(), None);
    assert_eq!(log.control(b"deployment/a").unwrap().as_deref(), Some(&b"1"[..]));
    let keys: Vec<_> = log.controls(b"deployment/").unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["deployment/a", "deployment/b"]);
    let mut batch = Batch::new(log.database());
    log.delete_control(&mut batch, b"deployment/a").unwrap();
    log.database().write(batch, Durability::Buffered).unwrap();
    assert_eq!(log.control(b"deployment/a").unwrap(), None);
}

#[test]
fn a_damaged_block_is_an_error_that_says_where() {
    let damage: [(&[u8], &str); 4] = [
        (&[1, 3, 10], "topic 0 partition 1 offset 2: the block of records is truncated"),
        (&[], "topic 0 partition 1 offset 2: the block of records is truncated"),
        (&[9, 1, 0, 0, 0, 0], "topic 0 partition 1 offset 2: the block of records has an unknown format"),
        (&[1, 1, 0, 0, 0, 0], "topic 0 partition 1 offset 3: the block of records is missing"),
    ];
    for (block, expected) in damage {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path());
        let topic = log.create_topic("t", 2).unwrap();
        let mut tail = Tail::new(&log);
        append(&mut tail, topic, 1, &["a", "b"]);
        commit(&log, &mut tail);
        append(&mut tail, topic, 1, &["c", "d"]);
        commit(&log, &mut tail);
        let mut batch = Batch::new(log.database());
        let key = [&topic.0.to_be_bytes()[..], &1_u32.to_be_bytes(), &2_i64.to_be_bytes()].concat();
        batch.put("log", &key, block).unwrap();
        log.database().write(batch, Durability::Buffered).unwrap();

        let found = log.reader(topic, 1, 0).unwrap().find_map(Result::err).unwrap();
        assert!(matches!(found, LogError::Corrupt { .. }));
        assert_eq!(found.to_string(), expected);
    }
}

#[test]
fn a_database_without_a_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let database = Arc::new(Database::open(folder.path(), &OpenOptions::new(&[])).unwrap());
    let error = Log::open(database).err().unwrap();
    assert!(error.to_string().ends_with("there is no column family `topics`"), "{error}");
}

#[test]
fn another_process_can_read_a_log_that_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let topic = log.create_topic("t", 1).unwrap();
    let mut tail = Tail::new(&log);
    append(&mut tail, topic, 0, &["a", "b"]);
    commit(&log, &mut tail);
    let other = Log::open(Arc::new(Database::open_read_only(folder.path()).unwrap())).unwrap();
    assert_eq!(read(&mut other.reader(topic, 0, 0).unwrap()), expect(0, &["a", "b"]));
}
