//! Operators in a replay: global tables, and results that wait at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use insta::assert_snapshot;
use support::Place;

/// A place with a pipeline of the rules in tests/guests/operators.
fn place(steps: &str) -> Place {
    let place = Place::new();
    let guests = std::env::var_os("MILLRACE_GUESTS").expect("`./justw test` says where guests are");
    let rules = std::path::Path::new(&guests).join("operators.wasm");
    place.write("operators.wasm", std::fs::read(rules).expect("`./justw guests` builds it"));
    let plugin = "app = \"a\"\n[plugins.operators]\ncomponent = \"operators.wasm\"\n";
    place.write("p.toml", format!("{plugin}{steps}"));
    place
}

const SOURCES: &str = r#"
[[source]]
name = "left"
topic = "left"
key = "i64"
[[source]]
name = "right"
topic = "right"
key = "i64"
"#;

fn line(topic: &str, key: i64, value: &str, time: i64) -> String {
    format!("{{\"topic\":\"{topic}\",\"key\":{key},\"value\":{value},\"timestamp\":{time}}}\n")
}

#[test]
fn open_windows_give_their_results_at_the_end_of_a_replay_that_closes_windows() {
    let steps = r#"
[[join]]
name = "pairs"
left = "left"
right = "right"
kind = "outer"
within = "5s"
call = "operators.pair"
[[sink]]
from = "pairs"
topic = "pairs"
[[aggregate]]
name = "counts"
from = "left"
call = "operators.counts"
window = { tumbling = "10s" }
emit = "final"
[[sink]]
from = "counts"
topic = "counts"
"#;
    let place = place(&format!("{SOURCES}{steps}"));
    let input = [
        line("left", 1, r#"{"id":1,"amount":5}"#, 1_000),
        line("right", 2, r#"{"id":2,"amount":7}"#, 2_000),
        line("left", 1, r#"{"id":3,"amount":6}"#, 3_000),
        line("left", 3, r#"{"id":4,"amount":1}"#, 12_000),
    ];
    assert_snapshot!(place.millrace_with("replay p.toml", &input.concat()).good(), @r#"
    {"topic":"pairs","partition":0,"key":1,"value":{"id":1,"amount":5,"paired":false},"timestamp":1000}
    {"topic":"pairs","partition":0,"key":2,"value":{"id":2,"amount":7,"paired":false},"timestamp":2000}
    {"topic":"pairs","partition":0,"key":1,"value":{"id":3,"amount":6,"paired":false},"timestamp":3000}
    {"topic":"counts","partition":0,"key":1,"value":{"records":2,"amount":11},"timestamp":3000,"window":[0,10000]}
    "#);
    assert_snapshot!(place.millrace_with("replay p.toml --close-windows", &input.concat()).good(), @r#"
    {"topic":"pairs","partition":0,"key":1,"value":{"id":1,"amount":5,"paired":false},"timestamp":1000}
    {"topic":"pairs","partition":0,"key":2,"value":{"id":2,"amount":7,"paired":false},"timestamp":2000}
    {"topic":"pairs","partition":0,"key":1,"value":{"id":3,"amount":6,"paired":false},"timestamp":3000}
    {"topic":"counts","partition":0,"key":1,"value":{"records":2,"amount":11},"timestamp":3000,"window":[0,10000]}
    {"topic":"pairs","partition":0,"key":3,"value":{"id":4,"amount":1,"paired":false},"timestamp":12000}
    {"topic":"counts","partition":0,"key":3,"value":{"records":1,"amount":1},"timestamp":12000,"window":[10000,20000]}
    "#);
}

/// A lookup in a global table, of this kind.
fn named(kind: &str) -> String {
    format!(
        r#"
[[global-table]]
name = "names"
topic = "names"
key = "i64"
[[lookup]]
name = "named"
stream = "left"
table = "names"
kind = "{kind}"
call = "operators.pair"
[[sink]]
from = "named"
topic = "named"
[[sink]]
from = "right"
topic = "rest"
"#
    )
}

#[test]
fn the_next_record_sees_a_new_row_of_a_global_table_whatever_the_batch() {
    let sources = SOURCES.replacen("key = \"i64\"", "key = \"i64\"\npartitions = 3", 1);
    let place = place(&format!("{sources}{}", named("left")));
    let input = [
        line("left", 7, r#"{"id":1}"#, 1),
        line("names", 7, r#"{"name":"seven"}"#, 2),
        line("left", 7, r#"{"id":2}"#, 3),
        line("names", 7, "null", 4),
        line("left", 7, r#"{"id":3}"#, 5),
    ];
    let outputs = [1, 2, 1_000]
        .map(|batch| place.millrace_with(&format!("replay p.toml --batch {batch}"), &input.concat()).good());
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
    assert_snapshot!(outputs[0], @r#"
    {"topic":"named","partition":2,"key":7,"value":{"id":1,"paired":false},"timestamp":1}
    {"topic":"named","partition":2,"key":7,"value":{"id":2,"paired":true},"timestamp":3}
    {"topic":"named","partition":2,"key":7,"value":{"id":3,"paired":false},"timestamp":5}
    "#);
}

#[test]
fn a_global_table_is_kept_over_restarts_and_can_be_queried() {
    let place = place(&format!("{SOURCES}{}", named("inner")));
    place.millrace("topic create names --data data --partitions 2 --key i64").good();
    place.millrace("topic create left --data data --partitions 3 --key i64").good();
    let write = |input: &str| place.millrace_with("topic write --data data --key i64", input).good();
    write(&[1, 2, 3].map(|key| line("names", key, &format!(r#"{{"name":"n{key}"}}"#), 1)).concat());
    place.millrace("run p.toml --data data --until-idle").good();
    assert_snapshot!(place.millrace("table get names 2 --data data").good(), @r#"{"key":2,"value":{"name":"n2"},"timestamp":1}"#);
    write(&[1, 2, 3, 4].map(|key| line("left", key, &format!(r#"{{"id":{key}}}"#), 2)).concat());
    place.millrace("run p.toml --data data --until-idle").good();
    let mut lines: Vec<_> = place.millrace("topic read named --data data").good().lines().map(str::to_owned).collect();
    lines.sort();
    assert_snapshot!(lines.join("\n"), @r#"
    {"topic":"named","partition":0,"key":1,"value":{"id":1,"paired":true},"timestamp":2}
    {"topic":"named","partition":0,"key":2,"value":{"id":2,"paired":true},"timestamp":2}
    {"topic":"named","partition":1,"key":3,"value":{"id":3,"paired":true},"timestamp":2}
    "#);
}

/// Key, records and amount of each count that comes out, in order.
fn counted(output: &str) -> Vec<[i64; 3]> {
    let lines = output.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let counts = lines.filter(|line| line["value"]["records"].is_i64());
    let number = |value: &serde_json::Value| value.as_i64().unwrap();
    counts
        .map(|line| [number(&line["key"]), number(&line["value"]["records"]), number(&line["value"]["amount"])])
        .collect()
}

#[test]
fn a_row_that_is_deleted_twice_or_never_existed_is_subtracted_once_at_most() {
    let steps = r#"
[[table]]
name = "rows"
topic = "rows"
key = "i64"
[[transform]]
name = "grouped"
from = "rows"
call = "operators.by_group"
[[aggregate]]
name = "counts"
from = "grouped"
call = "operators.counts"
[[sink]]
from = "counts"
topic = "counts"
"#;
    let place = place(steps);
    let input = [
        line("rows", 7, r#"{"id":7,"amount":5}"#, 1_000),
        line("rows", 7, "null", 2_000),
        line("rows", 7, "null", 3_000),
        line("rows", 7, r#"{"id":7,"amount":6}"#, 4_000),
        line("rows", 7, r#"{"id":8,"amount":6}"#, 5_000),
        line("rows", 99, "null", 6_000),
        line("rows", 7, "null", 7_000),
        line("rows", 7, "null", 7_000),
    ];
    let expected = [[7, 1, 5], [7, 0, 0], [7, 1, 6], [7, 0, 0], [8, 1, 6], [8, 0, 0]];
    for batch in [1, 3, 500] {
        let output = place.millrace_with(&format!("replay p.toml --batch {batch}"), &input.concat()).good();
        assert_eq!(counted(&output), expected, "--batch {batch}");
    }
}

#[test]
fn a_record_further_ahead_than_its_source_allows_does_not_move_stream_time() {
    let steps = |ahead: &str| {
        format!(
            "[[source]]\nname = \"in\"\ntopic = \"in\"\nkey = \"i64\"\n{ahead}\n[[aggregate]]\nname = \"counts\"\n\
             from = \"in\"\ncall = \"operators.counts\"\nwindow = {{ tumbling = \"1m\" }}\nemit = \"final\"\n\
             [[sink]]\nfrom = \"counts\"\ntopic = \"counts\"\n"
        )
    };
    let times = [1_000, 2_000, 3_000, 4_070_908_800_000, 4_000, 5_000, 6_000];
    let input: String = times.iter().map(|time| line("in", 1, r#"{"amount":1}"#, *time)).collect();
    let output = |ahead: &str, batch: usize| {
        let command = format!("replay p.toml --close-windows --batch {batch}");
        place(&steps(ahead)).millrace_with(&command, &input).good()
    };
    for batch in [1, 500] {
        let with = output("max-ahead = \"1h\"", batch);
        assert_eq!(counted(&with), [[1, 6, 6]]);
        assert_eq!(with.lines().filter(|line| line.contains("future-timestamp")).count(), 1, "{with}");
        assert_eq!(
            counted(&output("", batch)),
            [[1, 3, 3], [1, 1, 1]],
            "it closes the window for those that come later"
        );
    }
}
