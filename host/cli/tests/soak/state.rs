//! Oracle 4: the state on disk equals its changelogs.

use std::path::Path;
use std::sync::Arc;

use millrace_engine::ports::StoreId;
use millrace_store::Database;

use crate::findings::attempt;
use crate::harness::records::Kafka;
use crate::harness::same::assert_same;
use crate::harness::stores::{assert_same_but_for_the_expired, assert_table_of, fold, stored};
use crate::names::full;

/// Stores whose entries expire, and the age in milliseconds, before the newest entry, up to which none has expired.
const EXPIRING: [(&str, i64); 8] = [
    ("resolve-window", 610_000),
    ("outer-window", 660_000),
    ("tumbling", 12_000),
    ("hopping", 12_000),
    ("sliding", 4_000),
    ("session", 3_000),
    ("closed", 2_000),
    ("once", 60_000),
];

/// Entries at the very end of it may have expired or not.
const EDGE_MS: i64 = 10;

/// Checks the state in this folder, whose process has had all tasks and has stopped.
pub fn check(kafka: &Kafka, data: &Path) -> Vec<String> {
    let database = Arc::new(Database::open_read_only(&data.join("db")).unwrap());
    let names: Vec<String> = database.stores().map(str::to_owned).collect();
    let topics = kafka.topics(&full("")).unwrap();
    let mut found = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let changelog = full(&format!("{name}-changelog"));
        if !topics.contains_key(&changelog) {
            // A global table stands for itself.
            if name != "names" {
                found.push(format!("store `{name}` has no changelog"));
            }
            continue;
        }
        let looked = attempt(|| check_store(kafka, &database, (number, name), &changelog));
        found.extend(looked.err());
    }
    println!("  {} stores", names.len());
    found
}

fn check_store(kafka: &Kafka, database: &Arc<Database>, (number, name): (usize, &str), changelog: &str) {
    let stored = stored(database, StoreId(number));
    let folded = fold(&kafka.read(changelog));
    let is_of = |step: &str| name.strip_prefix(step).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    match EXPIRING.iter().find(|(step, _)| is_of(step)) {
        Some((_, keep)) => assert_same_but_for_the_expired(name, &stored, folded, keep - EDGE_MS),
        None => assert_same(&format!("state of `{name}` against its changelog"), &folded, &stored),
    }
    if name == "resolved" {
        assert_table_of(name, &stored, &kafka.read(&full(name)));
    }
}
