//! `topic read`, `topic write` and `replay` have the same lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;

use insta::assert_snapshot;
use serde_json::Value;

use support::{Place, guest_named};

/// Counts by key and window, from `in` to `out`.
const COUNT: &str = r#"app = "count"
[plugins.operators]
component = "operators.wasm"
[[source]]
name = "in"
topic = "in"
key = "i64"
[[aggregate]]
name = "sums"
from = "in"
call = "operators.counts"
window = { tumbling = "1m" }
[[sink]]
from = "sums"
topic = "out"
"#;

/// Passes records of `in` on to `out`.
const PASS: &str = "app = \"pass\"\n[[source]]\nname = \"in\"\ntopic = \"in\"\nkey = \"string\"\n[[sink]]\nfrom = \"in\"\ntopic = \"out\"\n";

const RECORDS: &str = r#"{"topic":"in","key":1,"value":{"amount":5},"timestamp":1000}
{"topic":"in","key":1,"value":{"amount":"5"},"timestamp":2000}
{"topic":"in","key":1,"value":{"amount":6},"timestamp":61000}
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("operators.wasm", guest_named("operators.wasm"));
    place.write("count.toml", COUNT);
    place.write("pass.toml", PASS);
    place
}

#[test]
fn windows_and_numbers_are_printed_alike_by_replay_and_topic_read_and_read_back_unchanged() {
    let place = place();
    let replayed = place.millrace_with("replay count.toml", RECORDS).good();
    let results: String =
        replayed.lines().filter(|line| line.contains(r#""topic":"out""#)).map(|line| format!("{line}\n")).collect();
    assert_snapshot!(results, @r#"
    {"topic":"out","partition":0,"key":1,"value":{"records":1,"amount":5},"timestamp":1000,"window":[0,60000]}
    {"topic":"out","partition":0,"key":1,"value":{"records":1,"amount":6},"timestamp":61000,"window":[60000,120000]}
    "#);

    place.millrace("run count.toml --data data --until-idle").good();
    place.millrace_with("topic write --data data", RECORDS).good();
    place.millrace("run count.toml --data data --until-idle").good();
    assert_eq!(place.millrace("topic read out --data data").good(), results);
    let letters = place.millrace("topic read count-dlq --data data").good();
    let letter: Value = serde_json::from_str(letters.trim_end()).unwrap();
    let header = |name: &str| letter["headers"][name].clone();
    assert_eq!(header("kafka_dlt-original-partition"), 0);
    assert_eq!(header("kafka_dlt-original-offset"), 1);
    assert_eq!(header("kafka_dlt-original-timestamp"), 2000);

    for topic in ["out", "count-dlq"] {
        let lines = place.millrace(&format!("topic read {topic} --data data")).good();
        place.millrace(&format!("topic create {topic} --data copy --key i64")).good();
        place.millrace_with("topic write --data copy", &lines).good();
        assert_eq!(place.millrace(&format!("topic read {topic} --data copy")).good(), lines);
    }
}

#[test]
fn a_record_whose_key_has_the_window_has_no_window_headers() {
    let place = place();
    place.write("keys.toml", COUNT.replace("topic = \"out\"", "topic = \"out\"\nkey = \"windowed\""));
    let replayed = place.millrace_with("replay keys.toml", RECORDS).good();
    place.millrace("run keys.toml --data data --until-idle").good();
    place.millrace_with("topic write --data data", RECORDS).good();
    place.millrace("run keys.toml --data data --until-idle").good();
    let results: Vec<_> = replayed.lines().filter(|line| line.contains(r#""topic":"out""#)).collect();
    assert!(!results.is_empty() && !replayed.contains("window"), "{replayed}");
    let written = place.millrace("topic read out --data data").good();
    assert_eq!(written.lines().collect::<Vec<_>>(), results);
}

#[test]
fn a_total_over_windows_has_no_window_and_a_second_window_replaces_the_first() {
    let place = place();
    place.write("totals.toml", COUNT.replace("[[sink]]\nfrom = \"sums\"", "[[aggregate]]\nname = \"totals\"\nfrom = \"sums\"\ncall = \"operators.counts\"\n[[sink]]\nfrom = \"totals\""));
    let totals = place.millrace_with("replay totals.toml", RECORDS).good();
    assert!(!totals.is_empty() && !totals.contains("window"), "{totals}");

    let results = place.millrace_with("replay count.toml", RECORDS).good();
    let results: String =
        results.lines().filter(|line| line.contains("window")).map(|line| format!("{line}\n")).collect();
    let input = results.replace(r#""topic":"out""#, r#""topic":"in""#);
    place.write("hours.toml", COUNT.replace("1m", "1h"));
    assert_snapshot!(place.millrace_with("replay hours.toml", &input).good(), @r#"
    {"topic":"out","partition":0,"key":1,"value":{"records":1,"amount":5},"timestamp":1000,"window":[0,3600000]}
    {"topic":"out","partition":0,"key":1,"value":{"records":2,"amount":11},"timestamp":61000,"window":[0,3600000]}
    "#);
    let totals = COUNT.replace("window = { tumbling = \"1m\" }\n", "");
    place.write("totals.toml", totals);
    let totals = place.millrace_with("replay totals.toml", &input).good();
    assert!(!totals.is_empty() && !totals.contains("window"), "{totals}");
}

#[test]
fn a_dead_letter_that_fails_again_has_one_set_of_headers() {
    let place = place();
    place.millrace("run pass.toml --data data --until-idle").good();
    let mut lines = "{\"topic\":\"in\",\"key\":\"a\",\"valueBase64\":\"ew==\",\"timestamp\":1}\n".to_owned();
    for round in 0..3 {
        place.millrace_with("topic write --data data", &lines).good();
        place.millrace("run pass.toml --data data --until-idle").good();
        let letters = place.millrace("topic read pass-dlq --data data").good();
        let letter = letters.lines().last().unwrap();
        assert_eq!(letters.lines().count(), round + 1);
        let parsed: Value = serde_json::from_str(letter).unwrap();
        let headers = parsed["headers"].as_object().expect("no name comes twice");
        assert_eq!(headers["__streams.errors.offset"], round.to_string());
        assert_eq!(headers.keys().collect::<BTreeSet<_>>().len(), headers.len());
        lines = format!("{}\n", letter.replace("pass-dlq", "in").replace(r#""key":"YQ==""#, r#""key":"a""#));
    }
}

#[test]
fn lines_with_nulls_and_crlf_from_a_pipe_are_records() {
    let place = place();
    place.millrace("topic create in --data data --key string").good();
    let lines = "\u{feff}{\"key\":\"a\",\"value\":1,\"timestamp\":1,\"partition\":null,\"headers\":null}\r\n\r\n\
                 \u{feff}{\"key\":null,\"keyBase64\":\"YQ==\",\"value\":null,\"valueBase64\":\"Mg==\",\"timestamp\":2}";
    let said = place.millrace_with("topic write in --data data --in -", lines);
    assert_eq!((said.code, said.err.as_str()), (Some(0), "2 records written\n"));
    assert_snapshot!(place.millrace("topic read in --data data").good(), @r#"
    {"topic":"in","partition":0,"key":"a","value":1,"timestamp":1}
    {"topic":"in","partition":0,"key":"a","value":2,"timestamp":2}
    "#);
}

#[test]
fn numbers_of_any_size_are_kept_and_an_overflow_costs_its_record_only() {
    let place = place();
    let odd = r#"{"id":9007199254740993,"n":327267367867168100000,"d":0.1000000000000000055511151231257827,"e":1e400,"z":-0}"#;
    let line = format!("{{\"topic\":\"in\",\"key\":\"a\",\"value\":{odd},\"timestamp\":1}}\n");
    let passed = place.millrace_with("replay pass.toml", &line).good();
    assert!(passed.contains(&format!("\"value\":{odd},")), "{passed}");

    let largest = i64::MAX;
    let record = |key: i64, amount: i64| {
        format!("{{\"topic\":\"in\",\"key\":{key},\"value\":{{\"amount\":{amount}}},\"timestamp\":1}}\n")
    };
    let lines = [record(largest, largest), record(largest, 1), record(-1, 2), record(largest, -1)].concat();
    let replayed = place.millrace_with("replay count.toml", &lines).good();
    let records: Vec<Value> = replayed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |topic: &str| records.iter().filter(|record| record["topic"] == topic).collect::<Vec<_>>();
    let sums: Vec<_> = of("out").iter().map(|record| record["value"]["amount"].as_i64().unwrap()).collect();
    assert_eq!(sums, [largest, 2, largest - 1], "the record that overflows is left out");
    let [letter] = of("count-dlq")[..] else { panic!("{replayed}") };
    let message = letter["headers"]["__streams.errors.message"].as_str().unwrap();
    assert_eq!((letter["value"]["amount"].as_i64(), message.contains("overflow")), (Some(1), true), "{message}");
}
