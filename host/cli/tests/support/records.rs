//! Records of a topic, compared with those of a replay.

use std::collections::BTreeMap;

use serde_json::Value;

/// The lines of each topic, in order.
pub fn by_topic<'l>(lines: impl Iterator<Item = &'l str>) -> BTreeMap<String, Vec<Value>> {
    let mut topics: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines {
        let record: Value = serde_json::from_str(line).unwrap();
        topics.entry(record["topic"].as_str().unwrap().to_owned()).or_default().push(record);
    }
    topics
}

/// The parts of a record that must be equal. Where its window stands in its key, `topic read` doesn't know of it.
fn essence(record: &Value) -> String {
    let field = |name: &str| record.get(name).map(Value::to_string).unwrap_or_default();
    let window = if record["keyBase64"].is_null() { field("window") } else { String::new() };
    [field("value"), field("valueBase64"), field("timestamp"), field("headers"), window].join(" ")
}

fn key(record: &Value) -> String {
    [&record["partition"], &record["key"], &record["keyBase64"]].map(Value::to_string).join(" ")
}

/// The records of each key, in order.
pub fn keyed(records: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records {
        keys.entry(key(record)).or_default().push(essence(record));
    }
    keys
}

/// The value of the last record of each key.
pub fn last(records: &[Value]) -> BTreeMap<String, Vec<String>> {
    records.iter().map(|record| (key(record), vec![record["value"].to_string()])).collect()
}

pub fn assert_same(topic: &str, expected: &BTreeMap<String, Vec<String>>, found: &BTreeMap<String, Vec<String>>) {
    for key in expected.keys().chain(found.keys()) {
        let (expected, found) = (expected.get(key), found.get(key));
        assert_eq!(expected, found, "records of key {key} in {topic}: a replay's, and those on Kafka");
    }
}
