//! Oracle 2: sums, recomputed from the input.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fates::{Fate, doc, fate};
use crate::harness::records::{Kafka, Record};
use crate::inputs::Inputs;
use crate::names::full;

/// Windows of the joins, in milliseconds.
pub const RESOLVE_MS: i64 = 10_000;
pub const OUTER_MS: i64 = 600_000;

/// Number of records, and the sum of their amounts, by key.
type Sums = BTreeMap<i64, (i64, i64)>;

/// Compares all sums; returns the differences.
pub fn compare(kafka: &Kafka, inputs: &Inputs) -> Vec<String> {
    let total = totals(inputs);
    let mut found = grown_one_by_one(kafka, "total", &total);
    found.extend(grown_one_by_one(kafka, "sums", &pair_sums(inputs)));
    found.extend(grown_one_by_one(kafka, "groups", &click_sums(inputs)));
    let rows = last(kafka, "row-groups").into_iter().filter(|(_, sum)| *sum != (0, 0)).collect();
    found.extend(differences("row-groups", &row_sums(inputs), &rows));
    found.extend(differences("at-commit", &total, &last(kafka, "at-commit")));
    found
}

/// Records that get to the steps with state, with their key and content.
fn accepted<'i>(inputs: &'i Inputs, topic: &'static str) -> impl Iterator<Item = (Option<i64>, Value, &'i Record)> {
    inputs.records(topic).filter_map(move |(_, record)| {
        let passes = fate(inputs, topic, record) == Fate::Passes;
        let doc = record.value.as_deref().filter(|_| passes).and_then(doc)?;
        Some((record.key.as_ref().map(|_| record.number()), doc, record))
    })
}

fn add(sums: &mut Sums, key: i64, doc: &Value) {
    // The rule refuses what is no number.
    if let Some(amount) = doc["amount"].as_i64() {
        let sum = sums.entry(key).or_default();
        *sum = (sum.0 + 1, sum.1 + amount);
    }
}

fn group(doc: &Value) -> i64 {
    doc["id"].as_i64().expect("an id").rem_euclid(100)
}

fn totals(inputs: &Inputs) -> Sums {
    let mut sums = Sums::new();
    for (key, doc, _) in accepted(inputs, "readings") {
        if let Some(key) = key {
            add(&mut sums, key, &doc);
        }
    }
    sums
}

fn click_sums(inputs: &Inputs) -> Sums {
    let mut sums = Sums::new();
    for (_, doc, _) in accepted(inputs, "clicks-a").chain(accepted(inputs, "clicks-b")) {
        add(&mut sums, group(&doc), &doc);
    }
    sums
}

/// The last row of each key, by group.
fn row_sums(inputs: &Inputs) -> Sums {
    let rows: BTreeMap<i64, Value> =
        accepted(inputs, "readings").filter_map(|(key, doc, _)| Some((key?, doc))).collect();
    let mut sums = Sums::new();
    rows.values().for_each(|doc| add(&mut sums, group(doc), doc));
    sums
}

fn pair_sums(inputs: &Inputs) -> Sums {
    let mut sums = Sums::new();
    for (payments, stock) in sides(inputs).into_values() {
        for (time, doc) in &payments {
            let met = stock.iter().filter(|(other, _)| inputs.meet(*time, *other, RESOLVE_MS)).count();
            (0..met).for_each(|_| add(&mut sums, group(doc), doc));
        }
    }
    sums
}

/// Times and contents of the records of a side.
pub type Side = Vec<(i64, Value)>;

/// Timestamps and contents of payments and stock that can match, by key.
pub fn sides(inputs: &Inputs) -> BTreeMap<i64, (Side, Side)> {
    let mut sides: BTreeMap<i64, (Vec<_>, Vec<_>)> = BTreeMap::new();
    for (key, doc, record) in accepted(inputs, "payments") {
        if let Some(key) = key {
            sides.entry(key).or_default().0.push((record.timestamp, doc));
        }
    }
    for (key, doc, record) in accepted(inputs, "stock") {
        if let Some(key) = key {
            sides.entry(key).or_default().1.push((record.timestamp, doc));
        }
    }
    sides
}

fn sum(record: &Record) -> (i64, i64) {
    let value: Value = serde_json::from_slice(record.value.as_deref().expect("sums have values")).unwrap();
    (value["records"].as_i64().unwrap(), value["amount"].as_i64().unwrap())
}

fn last(kafka: &Kafka, topic: &str) -> Sums {
    kafka.read(&full(topic)).iter().flatten().map(|record| (record.number(), sum(record))).collect()
}

/// Checks that each record adds one, and that the last sum is the expected one.
fn grown_one_by_one(kafka: &Kafka, topic: &str, expected: &Sums) -> Vec<String> {
    let (mut sums, mut found) = (Sums::new(), Vec::new());
    for (partition, records) in kafka.read(&full(topic)).iter().enumerate() {
        for record in records {
            let (key, now) = (record.number(), sum(record));
            let before = sums.insert(key, now).unwrap_or_default();
            if now.0 != before.0 + 1 {
                let offset = record.offset;
                found.push(format!(
                    "`{topic}` partition {partition} offset {offset}, key {key}: {} records after {}",
                    now.0, before.0
                ));
            }
        }
    }
    found.truncate(3);
    found.extend(differences(topic, expected, &sums));
    found
}

fn differences(topic: &str, expected: &Sums, found: &Sums) -> Option<String> {
    let keys = expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key)));
    let differ: Vec<_> = keys.filter(|key| expected.get(*key) != found.get(*key)).collect();
    let key = *differ.first()?;
    let (wanted, got) = (expected.get(key), found.get(key));
    Some(format!(
        "`{topic}`: sums of {} keys are wrong; of key {key} they should be {wanted:?} and are {got:?} (records, amounts)",
        differ.len()
    ))
}
