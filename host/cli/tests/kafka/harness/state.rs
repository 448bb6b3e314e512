//! The state on disk, against the changelogs that it could be restored from, and the table against its topic.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use millrace_engine::ports::{Backend, Scan, StoreId};
use millrace_engine::state::keys::{CLOCK_KEY, decode_row, decode_window_key};
use millrace_store::Database;

use super::app::App;
use super::oracles::assert_same;
use super::records::Record;

/// Partition and key, to value.
type Entries = BTreeMap<(u32, Vec<u8>), Vec<u8>>;

/// Checks the state in this folder, which no process has any more.
pub fn check(app: &App, folder: &Path, orders: &[Vec<Record>]) {
    let database = Arc::new(Database::open_read_only(&folder.join("db")).unwrap());
    let names: Vec<String> = database.stores().map(str::to_owned).collect();
    let topics = app.topics().unwrap();
    let changelogs: Vec<_> = topics.keys().filter(|topic| topic.ends_with("-changelog")).collect();
    assert_eq!(names.len(), changelogs.len(), "stores {names:?}, changelogs {changelogs:?}");
    for (number, name) in names.iter().enumerate() {
        let stored = stored(&database, StoreId(number));
        let changelog = app.kafka.read(&app.topic(&format!("{name}-changelog")));
        let folded = fold(&changelog);
        assert!(!folded.is_empty(), "the changelog of `{name}` is empty");
        match name.as_str() {
            "resolve-window" => check_window(app, name, &stored, folded),
            _ => assert_same(&format!("state of `{name}` against its changelog"), &folded, &stored),
        }
        if name == "orders" {
            check_table(&stored, orders);
        }
    }
}

fn stored(database: &Arc<Database>, store: StoreId) -> Entries {
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
fn fold(changelog: &[Vec<Record>]) -> Entries {
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

/// What is out of its window is no entry any more, and goes from disk some time, without a word in the changelog.
fn check_window(app: &App, name: &str, stored: &Entries, mut folded: Entries) {
    let mut stored = stored.clone();
    let clocks = |entries: &mut Entries| entries.extract_if(.., |(_, key), _| *key == CLOCK_KEY).collect::<Vec<_>>();
    assert_eq!(clocks(&mut stored), clocks(&mut folded), "clocks of `{name}` against its changelog");
    let side_and_time = |key: &[u8]| {
        let (side, _, time, _) = decode_window_key(key).expect("the key of a window");
        (side, time)
    };
    let mut newest: BTreeMap<(u32, u8), i64> = BTreeMap::new();
    for (partition, key) in folded.keys() {
        let (side, time) = side_and_time(key);
        let newest = newest.entry((*partition, side)).or_insert(i64::MIN);
        *newest = time.max(*newest);
    }
    let expired = |partition: &u32, key: &[u8]| {
        let (side, time) = side_and_time(key);
        time < newest[&(*partition, side)] - app.settings.window_ms()
    };
    let live: Entries =
        folded.into_iter().filter(|(place, _)| stored.contains_key(place) || !expired(&place.0, &place.1)).collect();
    assert_same(&format!("state of `{name}` against its changelog"), &live, &stored);
}

/// The table has the last decision on each order.
fn check_table(stored: &Entries, orders: &[Vec<Record>]) {
    let mut last = BTreeMap::new();
    for (partition, records) in orders.iter().enumerate() {
        for record in records {
            let key = record.key.clone().expect("decisions have keys");
            last.insert((partition as u32, key), (record.timestamp, record.value.clone().unwrap_or_default()));
        }
    }
    let row = |value: &Vec<u8>| {
        let (timestamp, value) = decode_row(&value.clone().into()).expect("a row");
        (timestamp, value.to_vec())
    };
    let rows = stored.iter().map(|(place, value)| (place.clone(), row(value))).collect();
    assert_same("table `orders` against its topic", &last, &rows);
}
