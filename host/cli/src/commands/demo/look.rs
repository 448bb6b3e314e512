//! The results of the demo, read from the topics and the table after all input is processed.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use millrace_engine::ports::{Backend, Scan, StoreId};
use millrace_engine::record::InputRecord;
use millrace_engine::state::keys::decode_row;
use millrace_engine::topology::{Operator, StoreKind, TopicKind, Topology};
use millrace_store::Database;

use super::business::Results;
use super::kafka::APP;
use crate::args::DemoKind;

/// Topics of a log or of a cluster.
pub(super) trait TopicSource {
    /// Passes all records of a topic to `visit`; none if there is no such topic.
    fn each(&mut self, topic: &str, visit: &mut dyn FnMut(InputRecord)) -> Result<()>;
}

/// The results.
#[derive(Default)]
pub(super) struct Found {
    /// Number of records in each topic that the pipeline writes to, with those of the sample.
    pub(super) written: BTreeMap<String, u64>,
    /// Number of rows of the table by their status; without one, the status is empty.
    pub(super) statuses: BTreeMap<String, u64>,
    /// Name of the table, and a key in it.
    pub(super) table: String,
    pub(super) example: Option<i64>,
    /// Number of dead letters by code and step, with the text of the first one.
    pub(super) dead: BTreeMap<String, (u64, String)>,
    /// Name of the dead-letter topic.
    pub(super) dlq: String,
    /// Number of keys that only one side of the join has, by side.
    pub(super) alone: BTreeMap<String, u64>,
    /// Number of keys that both sides have, too far apart to match.
    pub(super) apart: u64,
    /// The join's window in milliseconds.
    pub(super) within: i64,
    /// The values that the pipeline has written, for the demos that show some; the orders have their table.
    pub(super) results: Results,
}

/// Reads the results.
pub(super) fn look(
    kind: DemoKind,
    topology: &Topology,
    database: &Arc<Database>,
    source: &mut dyn TopicSource,
) -> Result<Found> {
    let mut found = Found::default();
    if let Some((store, spec)) = topology.stores.iter().enumerate().find(|(_, spec)| spec.kind == StoreKind::Table) {
        found.table.clone_from(&spec.name);
        // A database that is open for reading numbers its stores in another order.
        let store = database.store(&spec.name).unwrap_or(StoreId(store));
        statuses(database, store, &mut found)?;
    }
    for topic in topology.topics.iter().filter(|topic| topic.kind == TopicKind::DeadLetters) {
        found.dlq.clone_from(&topic.name);
        source.each(&topic.name, &mut |record| {
            let (kind, text) = reason(&record);
            found.dead.entry(kind).or_insert((0, text)).0 += 1;
        })?;
    }
    misses(source, topology, &mut found)?;
    count_written(source, topology, &mut found)?;
    if kind != DemoKind::Orders {
        found.results = results(topology, source)?;
    }
    Ok(found)
}

/// The values of each topic that the pipeline writes to, in the order of their timestamps; by the name that the topic has in
/// the pipeline's file.
fn results(topology: &Topology, source: &mut dyn TopicSource) -> Result<Results> {
    let mut results = Results::new();
    for node in topology.subtopologies.iter().flat_map(|part| &part.nodes) {
        let Operator::Sink { topic, .. } = &node.operator else { continue };
        let Some(topic) = topology.topics.get(topic.0) else { continue };
        let mut records = Vec::new();
        source.each(&topic.name, &mut |record| records.push((record.timestamp, record.value)))?;
        records.sort_by_key(|(timestamp, _)| *timestamp);
        let values = records.into_iter().map(|(_, value)| value.unwrap_or_default());
        let values = values.map(|value| serde_json::from_slice(&value).unwrap_or_default()).collect();
        let name = topic.name.strip_prefix(APP).and_then(|name| name.strip_prefix('-')).unwrap_or(&topic.name);
        results.insert(name.to_owned(), values);
    }
    Ok(results)
}

fn count_written(source: &mut dyn TopicSource, topology: &Topology, found: &mut Found) -> Result<()> {
    for node in topology.subtopologies.iter().flat_map(|part| &part.nodes) {
        let Operator::Sink { topic, .. } = &node.operator else { continue };
        let Some(topic) = topology.topics.get(topic.0) else { continue };
        let mut records = 0;
        source.each(&topic.name, &mut |_| records += 1)?;
        found.written.insert(topic.name.clone(), records);
    }
    Ok(())
}

fn statuses(database: &Arc<Database>, store: StoreId, found: &mut Found) -> Result<()> {
    for partition in database.partitions(store)? {
        database.backend(partition).scan(store, &[], None, &mut |key, row| {
            if found.example.is_none_or(|key| key < 42) {
                found.example = key.try_into().ok().map(i64::from_be_bytes);
            }
            let value = decode_row(&Bytes::copy_from_slice(row)).map(|(_, value)| value).unwrap_or_default();
            *found.statuses.entry(status(&value)).or_default() += 1;
            Scan::Continue
        })?;
    }
    Ok(())
}

fn status(value: &[u8]) -> String {
    let order: Option<serde_json::Value> = serde_json::from_slice(value).ok();
    let status = order.as_ref().and_then(|order| order.get("status"));
    match status {
        Some(serde_json::Value::String(status)) => status.clone(),
        _ => String::new(),
    }
}

/// The reason of a dead letter: its code and step, and its text.
fn reason(record: &InputRecord) -> (String, String) {
    let header = |name: &str| {
        let header = record.headers.last(name.as_bytes()).and_then(|header| header.value.clone());
        header.map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default()
    };
    let kind = format!("{} at step `{}`", header("millrace-error-code"), header("millrace-step"));
    (kind, header("__streams.errors.message"))
}

/// Counts the keys that the first join has not matched, by reason.
fn misses(source: &mut dyn TopicSource, topology: &Topology, found: &mut Found) -> Result<()> {
    for part in &topology.subtopologies {
        let Some(window) = part.nodes.iter().find_map(|node| match node.operator {
            Operator::StreamJoin { window, .. } => Some(window),
            _ => None,
        }) else {
            continue;
        };
        let [left, right] = part.inputs.as_slice() else { continue };
        let [one, two] =
            [left, right].map(|topic| topology.topics.get(topic.0).map_or("", |topic| topic.name.as_str()));
        let sides = [times(source, one)?, times(source, two)?];
        found.within = window.before;
        compare(&sides, [one, two], (window.before, window.after), found);
    }
    Ok(())
}

type Times = BTreeMap<Bytes, Vec<i64>>;

/// Timestamps by key of the records that the join can match.
fn times(source: &mut dyn TopicSource, topic: &str) -> Result<Times> {
    let mut times = Times::new();
    source.each(topic, &mut |record| {
        if let (Some(key), Some(_)) = (record.key, record.value)
            && key.len() == 8
        {
            times.entry(key).or_default().push(record.timestamp);
        }
    })?;
    Ok(times)
}

fn compare(
    [left, right]: &[Times; 2],
    [left_name, right_name]: [&str; 2],
    (before, after): (i64, i64),
    found: &mut Found,
) {
    for (key, lefts) in left {
        match right.get(key) {
            None => *found.alone.entry(left_name.to_owned()).or_default() += 1,
            Some(rights) => {
                let meets = |l: &i64| rights.iter().any(|r| (l - before..=l + after).contains(r));
                found.apart += u64::from(!lefts.iter().any(meets));
            }
        }
    }
    let only_right = right.keys().filter(|key| !left.contains_key(*key)).count();
    found.alone.insert(right_name.to_owned(), only_right as u64);
}
