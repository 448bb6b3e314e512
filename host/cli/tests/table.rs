//! The rows that `millrace table` prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fmt::Write;

use serde_json::Value;

use support::{Place, guest_named};

/// One table, of `in`, with these keys.
fn with_table(codec: &str, keys: &[&str]) -> Place {
    let place = Place::new();
    let source = format!("[[source]]\nname = 's'\ntopic = 'in'\nkey = '{codec}'\n");
    place.write("a.toml", format!("app = 'a'\n{source}[[table]]\nname = 'rows'\nfrom = 's'\n"));
    place.millrace(&format!("topic create in --data data --partitions 2 --key {codec}")).good();
    let lines = keys.iter().fold(String::new(), |mut lines, key| {
        writeln!(lines, r#"{{"topic":"in","key":{key},"value":1,"timestamp":1}}"#).unwrap();
        lines
    });
    assert_eq!(place.millrace_with("topic write --data data", &lines).code, Some(0));
    place.millrace("run a.toml --data data --until-idle").good();
    place
}

/// The keys that a scan shows.
fn scan(place: &Place, arguments: &str) -> Vec<Value> {
    let rows = place.millrace(&format!("table scan rows --data data {arguments}")).good();
    rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].take()).collect()
}

#[test]
fn a_range_of_numbers_may_begin_or_end_on_either_side_of_zero() {
    let place = with_table("i64", &["4", "-7", "0", "-3"]);
    assert_eq!(scan(&place, ""), [-7, -3, 0, 4]);
    assert_eq!(scan(&place, "--from=-5"), [-3, 0, 4]);
    assert_eq!(scan(&place, "--from=-5 --to=2"), [-3, 0]);
    assert_eq!(scan(&place, "--from=-5 --to=-2"), [-3]);
    assert_eq!(scan(&place, "--from=-3 --to=-3"), [-3]);
    assert_eq!(scan(&place, "--to=-5"), [-7]);
    assert_eq!(scan(&place, "--to=0"), [-7, -3, 0]);
    assert_eq!(scan(&place, "--from=0"), [0, 4]);
    assert_eq!(scan(&place, "--from=1"), [4]);
    assert_eq!(scan(&place, "--from=-1 --size 1 --page 1"), [4]);
    assert!(scan(&place, "--from=2 --to=-2").is_empty());
    assert!(scan(&place, "--from=5").is_empty());
}

#[test]
fn a_range_of_strings_is_in_the_order_of_their_bytes() {
    let place = with_table("string", &["\"b\"", "\"\"", "\"ä\"", "\"a\""]);
    assert_eq!(scan(&place, ""), ["", "a", "b", "ä"]);
    assert_eq!(scan(&place, "--from=aa"), ["b", "ä"]);
    assert_eq!(scan(&place, "--from=a --to=b"), ["a", "b"]);
    assert_eq!(scan(&place, "--to=a"), ["", "a"]);
}

/// A table of results with windows, and of the records themselves.
const COUNTS: &str = "app = \"counts\"\n[plugins.operators]\ncomponent = \"operators.wasm\"\n[[source]]\nname = \"in\"\n\
    topic = \"in\"\nkey = \"i64\"\n[[aggregate]]\nname = \"sums\"\nfrom = \"in\"\ncall = \"operators.counts\"\n\
    window = { tumbling = \"1m\" }\n[[table]]\nname = \"last\"\nfrom = \"sums\"\n[[table]]\nname = \"rows\"\nfrom = \"in\"\n";

#[test]
fn the_row_of_a_windowed_result_is_printed_with_its_window() {
    let place = Place::new();
    place.write("operators.wasm", guest_named("operators.wasm"));
    place.write("counts.toml", COUNTS);
    place.millrace("topic create in --data data --key i64").good();
    let record = |key: i64, time: i64| {
        format!("{{\"topic\":\"in\",\"key\":{key},\"value\":{{\"id\":1,\"amount\":5}},\"timestamp\":{time}}}\n")
    };
    let records = [record(7, 1_000), record(8, 2_000), record(7, 61_000)].concat();
    place.millrace_with("topic write --data data", &records).good();
    place.millrace("run counts.toml --data data --until-idle").good();
    insta::assert_snapshot!(place.millrace("table get last 7 --data data").good(), @r#"{"key":7,"value":{"records":1,"amount":5},"timestamp":61000,"window":[60000,120000]}"#);
    insta::assert_snapshot!(place.millrace("table scan last --data data").good(), @r#"
    {"key":7,"value":{"records":1,"amount":5},"timestamp":61000,"window":[60000,120000]}
    {"key":8,"value":{"records":1,"amount":5},"timestamp":2000,"window":[0,60000]}
    "#);
    insta::assert_snapshot!(place.millrace("table get rows 7 --data data").good(), @r#"{"key":7,"value":{"id":1,"amount":5},"timestamp":61000}"#);
}
