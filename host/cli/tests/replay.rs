//! `millrace replay`: the same input gives the same output, and all of the input is accounted for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use insta::assert_snapshot;
use serde_json::Value;

use support::{Place, repository, sample};

/// The window of the join, in milliseconds.
const WITHIN: i64 = 10_000;

fn replay(place: &Place, arguments: &str) -> String {
    let input = repository().join("samples/orders.jsonl");
    place.millrace(&format!("replay orders.toml --in {} {arguments}", input.display())).good()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_batch_size_does_not_change_the_output_of_a_replay() {
    let place = Place::new();
    let expected = replay(&place, "--batch 1");
    assert!(expected.lines().count() > 1_000);
    for batch in [1, 2, 7, 100, 1000] {
        for _ in 0..2 {
            assert!(replay(&place, &format!("--batch {batch}")) == expected, "--batch {batch} gives something else");
        }
    }
}

#[test]
fn a_replay_reads_a_file_a_folder_or_standard_input_and_writes_a_file_or_standard_output() {
    let place = Place::new();
    place.write("orders.jsonl", sample());
    let expected = replay(&place, "");
    assert!(place.millrace("replay orders.toml --in orders.jsonl").good() == expected, "file");
    assert!(place.millrace("replay orders.toml --in .").good() == expected, "folder");
    assert!(place.millrace_with("replay orders.toml", &sample()).good() == expected, "standard input");
    assert_eq!(place.millrace("replay orders.toml --in orders.jsonl --out out.jsonl").good(), "");
    assert!(place.read("out.jsonl") == expected, "--out");
}

#[test]
fn the_output_file_is_replaced_when_the_replay_is_complete_even_if_it_is_the_input() {
    let place = Place::new();
    place.write("orders.jsonl", sample());
    let expected = replay(&place, "");
    place.millrace("replay orders.toml --in orders.jsonl --out orders.jsonl").good();
    assert!(place.read("orders.jsonl") == expected);

    place.write("wrong.jsonl", format!("{}no record\n", sample()));
    assert_eq!(place.millrace("replay orders.toml --in wrong.jsonl --out orders.jsonl").code, Some(1));
    assert!(place.read("orders.jsonl") == expected, "nothing is lost where the input is wrong");
    assert_eq!(place.millrace("replay orders.toml --in wrong.jsonl --out new.jsonl").code, Some(1));
    assert!(!place.path("new.jsonl").exists());
}

#[test]
fn a_replay_without_input_has_no_output() {
    let said = Place::new().millrace_with("replay orders.toml", "");
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "", "0 in, 0 out\n"));
}

/// The results of an input: the number of each decision on each order, and of each reason for a refusal.
#[derive(Default)]
struct Expected(BTreeMap<String, usize>);

impl Expected {
    fn decided(&mut self, order: &Value, status: &Value, source: &Value) {
        *self.0.entry(format!("order {order}: {status} {source}")).or_default() += 1;
    }

    /// A pair that the rule can't decide.
    fn undecided(&mut self, order: &Value) {
        *self.0.entry(format!("order {order}: undecided")).or_default() += 1;
    }

    /// A record that no pair can be made of.
    fn refused(&mut self, reason: &str, topic: &str) {
        *self.0.entry(format!("{topic}: {reason}")).or_default() += 1;
    }

    fn difference(&self, other: &Self) -> Vec<String> {
        let all: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let times = |of: &Self, what: &String| of.0.get(what).copied().unwrap_or_default();
        let differ = all.into_iter().filter(|what| times(self, what) != times(other, what));
        differ.map(|what| format!("{what}: {} times, not {}", times(self, what), times(other, what))).collect()
    }
}

/// An answer that can meet another.
struct Answer {
    /// Number of its line.
    number: usize,
    timestamp: i64,
    value: Value,
    /// Whether it came while its window was open. It is kept then, and can be met by a later one.
    kept: bool,
}

impl Answer {
    fn meets(&self, other: &Self) -> bool {
        let first = if self.number < other.number { self } else { other };
        first.kept && (self.timestamp - other.timestamp).abs() <= WITHIN
    }
}

/// The expected results of an input, computed from the rules alone.
fn expected(input: &[Value]) -> Expected {
    let mut expected = Expected::default();
    let mut answers: BTreeMap<i64, [Vec<Answer>; 2]> = BTreeMap::new();
    let mut stream_time = 0;
    for (number, record) in input.iter().enumerate() {
        let topic = record["topic"].as_str().unwrap();
        let value = value(record);
        if let Some(reason) = refusal(record, &value) {
            expected.refused(reason, topic);
        } else if let (Some(key), Some(Ok(value))) = (record["key"].as_i64(), value)
            && let Some(side) = ["payment-orders", "stock-orders"].iter().position(|name| *name == topic)
        {
            let timestamp = record["timestamp"].as_i64().unwrap();
            stream_time = timestamp.max(stream_time);
            let kept = stream_time - timestamp <= WITHIN;
            answers.entry(key).or_default()[side].push(Answer { number, timestamp, value, kept });
        }
    }
    for (key, [payments, stocks]) in &answers {
        let met = payments.iter().flat_map(|payment| stocks.iter().map(move |stock| (payment, stock)));
        for (payment, stock) in met.filter(|(payment, stock)| payment.meets(stock)) {
            match decision(&payment.value, &stock.value) {
                Some((status, source)) => expected.decided(&(*key).into(), &status, &source),
                None => expected.undecided(&(*key).into()),
            }
        }
    }
    expected
}

/// The value of a record; `None` for a tombstone, an error if it isn't JSON.
fn value(record: &Value) -> Option<Result<Value, ()>> {
    match record.get("valueBase64").and_then(Value::as_str) {
        Some(raw) => Some(serde_json::from_slice(&BASE64_STANDARD.decode(raw).unwrap()).map_err(|_| ())),
        None if record["value"].is_null() => None,
        None => Some(Ok(record["value"].clone())),
    }
}

fn refusal(record: &Value, value: &Option<Result<Value, ()>>) -> Option<&'static str> {
    match record.get("keyBase64").and_then(Value::as_str) {
        Some(raw) if BASE64_STANDARD.decode(raw).unwrap().len() != 8 => Some("bad-key"),
        None if record["key"].is_null() => None,
        _ => matches!(value, Some(Err(()))).then_some("bad-value"),
    }
}

fn decision(payment: &Value, stock: &Value) -> Option<(Value, Value)> {
    let source = stock["source"].clone();
    Some(match (payment["status"].as_str()?, stock["status"].as_str()?) {
        ("ACCEPT", "ACCEPT") => ("CONFIRMED".into(), Value::Null),
        ("REJECT", "REJECT") => ("REJECTED".into(), source),
        ("REJECT", "ACCEPT") => ("ROLLBACK".into(), "PAYMENT".into()),
        ("ACCEPT", "REJECT") => ("ROLLBACK".into(), "INVENTORY".into()),
        _ => (stock["status"].clone(), source),
    })
}

#[test]
fn every_record_of_the_sample_is_in_a_decision_or_a_dead_letter_or_without_a_match() {
    let expected = expected(&lines(&sample()));
    let mut found = Expected::default();
    for line in lines(&replay(&Place::new(), "")) {
        let header = |name: &str| line["headers"][name].as_str().unwrap().to_owned();
        match line["topic"].as_str().unwrap() {
            "orders" => found.decided(&line["key"], &line["value"]["status"], &line["value"]["source"]),
            _ if header("millrace-step") == "resolve" => found.undecided(&line["key"]),
            _ => found.refused(&header("millrace-error-code"), &header("__streams.errors.topic")),
        }
    }
    assert_eq!(found.difference(&expected), Vec::<String>::new());
}

#[test]
fn the_reason_of_a_dead_letter_says_what_is_wrong_with_the_record() {
    let input = r#"
        {"topic":"payment-orders","keyBase64":"AAEC","value":{"status":"ACCEPT"},"timestamp":1}
        {"topic":"payment-orders","key":1,"valueBase64":"","timestamp":2}
        {"topic":"stock-orders","key":1,"valueBase64":"bm90IEpTT04=","timestamp":3}
        {"topic":"stock-orders","key":2,"valueBase64":"/w==","timestamp":4}
        {"topic":"payment-orders","key":3,"value":{"status":"ACCEPT"},"timestamp":5}
        {"topic":"stock-orders","key":3,"value":{"id":3},"timestamp":6}
        {"topic":"payment-orders","key":4,"value":[],"timestamp":7}
        {"topic":"stock-orders","key":4,"value":{"status":"ACCEPT"},"timestamp":8}
        {"topic":"stock-orders","key":null,"value":{"status":"ACCEPT"},"timestamp":9}
        {"topic":"stock-orders","key":5,"value":null,"timestamp":10}
    "#;
    let letters: BTreeSet<String> = lines(&Place::new().millrace_with("replay orders.toml", input).good())
        .iter()
        .map(|letter| {
            let header = |name: &str| letter["headers"][name].as_str().unwrap_or_default().to_owned();
            let place = ["__streams.errors.topic", "__streams.errors.offset", "millrace-step", "millrace-error-code"];
            format!("{}: {}", place.map(header).join(" "), header("__streams.errors.message"))
        })
        .collect();
    assert_snapshot!(letters.into_iter().collect::<Vec<_>>().join("\n"), @"
    payment-orders 0 payments bad-key: the key has 3 bytes, but an i64 key has 8
    payment-orders 1 payments bad-value: the value is empty, but JSON was expected (a null value is a deletion)
    stock-orders 0 stock bad-value: the value isn't JSON: expected ident at line 1 column 2
    stock-orders 1 stock bad-value: the value isn't UTF-8: invalid utf-8 sequence of 1 bytes from index 0
    stock-orders 2 resolve bad-value: right value (stock): missing field `status`
    stock-orders 3 resolve bad-value: left value (payment): expected `{` at line 1 column 1
    ");
}

#[test]
fn the_message_for_a_wrong_line_has_its_number_its_field_and_a_right_example() {
    let place = Place::new();
    let good = r#"{"topic":"stock-orders","key":1,"value":{"status":"ACCEPT"},"timestamp":1}"#;
    let said: Vec<String> = [
        "nonsense",
        r#"{"topic":"stock-orders","key":1,"value":{"status":"ACCEPT"}"#,
        r#"{"topic":"stock-orders","key":"one","value":1,"timestamp":1}"#,
        r#"{"topic":"stock-orders","key":1,"timestamp":1}"#,
        r#"{"topic":"stock-orders","key":1,"value":1,"timestamp":"noon"}"#,
        r#"{"topic":"stock-orders","key":1,"value":1,"time":1}"#,
        r#"{"topic":"stock-orders","key":1,"value":1,"partition":7}"#,
        r#"{"topic":"stocks","key":1,"value":1,"timestamp":1}"#,
        r#"{"key":1,"value":1,"timestamp":1}"#,
    ]
    .iter()
    .map(|line| place.millrace_with("replay orders.toml", &format!("{good}\n{line}\n{good}\n")).bad())
    .collect();
    assert_snapshot!(said.join("\n"), @r#"
    exit 1: error: line 2: not a JSON object; a line is a record such as {"topic":"orders","key":42,"value":{"id":42},"timestamp":1700000000000}
    exit 1: error: line 2: EOF while parsing an object (column 59); a line is one JSON object
    exit 1: error: line 2, field `key`: "one" is not a whole number of 64 bits; keys of this topic are i64: a number such as 42, or null; raw bytes go into `keyBase64`
    exit 1: error: line 2, field `value`: missing; a tombstone is "value":null
    exit 1: error: line 2, field `timestamp`: "noon" does not fit; a timestamp is a number of milliseconds since the epoch, such as 1700000000000
    exit 1: error: line 2: unknown field `time` (column 48); did you mean `timestamp`? expected one of `topic`, `partition`, `key`, `keyBase64`, `value`, `valueBase64`, `timestamp`, `headers`, `window`
    exit 1: error: line 2: topic `stock-orders` has no partition 7: its last one is 0
    exit 1: error: line 2, field `topic`: there is no topic `stocks` here; there are `orders`, `payment-orders`, `recovererDLQ`, `stock-orders`
    exit 1: error: line 2, field `topic`: missing; name the topic, as in "topic":"orders"
    "#);
}
