//! The entries of a store on disk, and those according to its changelog.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::ports::{Backend, Scan, StoreId};
use millrace_engine::state::keys::{CLOCK_KEY, decode_row, decode_window_key};
use millrace_store::Database;

use super::records::Record;
use super::same::assert_same;

/// Partition and key, to value.
pub type Entries = BTreeMap<(u32, Vec<u8>), Vec<u8>>;

/// The entries on disk.
pub fn stored(database: &Arc<Database>, store: StoreId) -> Entries {
    let mut entries = Entries::new();
    for partition in database.partitions(store).unwrap() {
        let mut take = |key: &[u8], value: &[u8]| {
            entries.insert((partition, key.to_vec()), value.to_vec());
            Scan::Continue
        };
        database.backend(partition).scan(store, &[], None, &mut take).unwrap();
    }
    entries
}

/// The last value of each key.
pub fn fold(changelog: &[Vec<Record>]) -> Entries {
    let mut entries = Entries::new();
    for (partition, records) in changelog.iter().enumerate() {
        for record in records {
            let place = (partition as u32, record.key.clone().expect("changelogs have keys"));
            match &record.value {
                Some(value) => drop(entries.insert(place, value.clone())),
                None => drop(entries.remove(&place)),
            }
        }
    }
    entries
}

/// Compares a store whose entries expire `keep` milliseconds after the newest one of their partition and side. Expired
/// entries don't count: they disappear from disk at some time, without a record in the changelog. Entries without a
/// timestamp never expire.
pub fn assert_same_but_for_the_expired(name: &str, stored: &Entries, mut folded: Entries, keep: i64) {
    let mut stored = stored.clone();
    let clocks = |entries: &mut Entries| entries.extract_if(.., |(_, key), _| *key == CLOCK_KEY).collect::<Vec<_>>();
    assert_eq!(clocks(&mut stored), clocks(&mut folded), "clocks of `{name}` against its changelog");
    let side_and_time = |key: &[u8]| decode_window_key(key).map(|(side, _, time, _)| (side, time));
    let mut newest: BTreeMap<(u32, u8), i64> = BTreeMap::new();
    for (partition, key) in folded.keys() {
        if let Some((side, time)) = side_and_time(key) {
            let newest = newest.entry((*partition, side)).or_insert(i64::MIN);
            *newest = time.max(*newest);
        }
    }
    let expired = |partition: &u32, key: &[u8]| {
        side_and_time(key).is_some_and(|(side, time)| time < newest[&(*partition, side)] - keep)
    };
    let live: Entries =
        folded.into_iter().filter(|(place, _)| stored.contains_key(place) || !expired(&place.0, &place.1)).collect();
    assert_same(&format!("state of `{name}` against its changelog"), &live, &stored);
}

/// Checks that a table has the last record of each key of its topic.
pub fn assert_table_of(name: &str, stored: &Entries, topic: &[Vec<Record>]) {
    let mut last = BTreeMap::new();
    for (partition, records) in topic.iter().enumerate() {
        for record in records {
            let key = record.key.clone().expect("a table has keys");
            last.insert((partition as u32, key), (record.timestamp, record.value.clone().unwrap_or_default()));
        }
    }
    let row = |value: &Vec<u8>| {
        let (timestamp, value) = decode_row(&value.clone().into()).expect("a row");
        (timestamp, value.to_vec())
    };
    let rows = stored.iter().map(|(place, value)| (place.clone(), row(value))).collect();
    assert_same(&format!("table `{name}` against its topic"), &last, &rows);
}
