//! Global tables: rows and lookups.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use millrace_engine::global::{NoRow, row};
use millrace_engine::ports::StoreChanges;
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::state::keys::decode_row;
use support::{Single, value};

const STEPS: &str = r#"
    [[source]]
    name = "in"
    topic = "in"
    key = "string"
    value = "bytes"
    [[global-table]]
    name = "rows"
    topic = "rows"
    key = "string"
    [[lookup]]
    name = "step"
    stream = "in"
    table = "rows"
    call = "t.cat"
    [[sink]]
    from = "step"
    topic = "out"
"#;

fn record(key: Option<&'static [u8]>, value: Option<&'static str>, timestamp: i64) -> InputRecord {
    InputRecord {
        offset: 0,
        timestamp,
        timestamp_type: TimestampType::CreateTime,
        key: key.map(Bytes::from_static),
        value: value.map(Bytes::from),
        headers: Headers::EMPTY,
        arrived: 0,
        turn: 0,
    }
}

#[test]
fn a_record_sets_or_deletes_a_row_or_is_dropped_with_a_reason() {
    let topology = support::topology(STEPS);
    let table = topology.globals.first().unwrap();
    let (key, set) = row(table, &record(Some(b"k"), Some("{}"), 7)).unwrap();
    assert_eq!((key, decode_row(&set.unwrap())), (Bytes::from("k"), Some((7, Bytes::from("{}")))));
    assert_eq!(row(table, &record(Some(b"k"), None, -7)), Ok((Bytes::from("k"), None)));
    assert_eq!(row(table, &record(None, Some("{}"), 7)), Err(NoRow::NullKey));
    let code = |record| row(table, &record).unwrap_err().code();
    assert_eq!(code(record(Some(b"\xff"), Some("{}"), 7)), "bad-key");
    assert_eq!(code(record(Some(b"k"), Some("{"), 7)), "bad-value");
    assert_eq!(code(record(None, None, 7)), "null-key");
}

#[test]
fn a_lookup_sees_committed_rows() {
    let mut single = Single::new(STEPS, 1);
    let table = single.topology.globals.first().unwrap().clone();
    single.offer("in", 0, "a", 1, 0);
    assert!(single.run().is_empty());
    let entries = vec![row(&table, &record(Some(b"k"), Some("1"), 7)).unwrap()];
    single.disk.commit(0, &[StoreChanges { store: table.store, entries, expire_before: None }]);
    single.offer("in", 1, "b", 2, 0);
    assert_eq!(single.run().iter().map(value).collect::<Vec<_>>(), ["b+1"]);
    let (_, ledger) = single.commit();
    let counts: Vec<_> = ledger.counts().map(|(_, _, code, n)| (code, n)).collect();
    assert_eq!(counts, [("no-row", 1)]);
}
