//! Messages of `replay` and `run` about records without a result, doubtful timestamps, and open windows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fmt::Write;

use insta::assert_snapshot;
use serde_json::Value;

use support::{Place, guest_named};

/// Counts by key and minute, with `settings` for the source and for the aggregate.
fn counting(source: &str, aggregate: &str) -> Place {
    let place = Place::new();
    place.write("operators.wasm", guest_named("operators.wasm"));
    let pipeline = format!(
        r#"
app = "count"
[plugins.operators]
component = "operators.wasm"
[[source]]
name = "in"
topic = "in"
key = "i64"
{source}
[[aggregate]]
name = "sums"
from = "in"
call = "operators.counts"
window = {{ tumbling = "1m" }}
{aggregate}
[[sink]]
from = "sums"
topic = "out"
"#
    );
    place.write("count.toml", pipeline);
    place
}

/// From topic to topic, with the time in a field, and these settings for the source.
fn passing(settings: &str) -> Place {
    let place = Place::new();
    let source = format!("[[source]]\nname = \"in\"\ntopic = \"in\"\nkey = \"string\"\n{settings}\n");
    let sink = "[[sink]]\nfrom = \"in\"\ntopic = \"out\"\n";
    place.write("pass.toml", format!("app = \"pass\"\n{source}timestamp = \"field:at\"\n{sink}"));
    place
}

fn record(key: &str, value: &str, timestamp: i64) -> String {
    format!("{{\"topic\":\"in\",\"key\":{key},\"value\":{value},\"timestamp\":{timestamp}}}\n")
}

/// The messages of a replay of this input.
fn told(place: &Place, command: &str, input: &str) -> String {
    let said = place.millrace_with(command, input);
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.err
}

#[test]
fn a_replay_ends_with_a_summary_of_what_became_of_its_records() {
    let place = counting("", "emit = \"final\"");
    let value = r#"{"amount":1}"#;
    let input = [
        record("1", value, 1_000),
        record("null", value, 2_000),
        record("1", "7", 3_000),
        record("1", value, 61_000),
        record("2", value, 62_000),
        record("1", value, 2_000),
    ];
    assert_snapshot!(told(&place, "replay count.toml", &input.concat()), @r#"
    step `sums`, dropped (late), such as topic `in`, partition 0, offset 5: all windows of the record have closed; on-late = "dead-letter" keeps such records
    step `sums`, dropped (null-key), such as topic `in`, partition 0, offset 1: an aggregate needs a key, and the record has none; on-null-key = "dead-letter" keeps such records
    step `sums`, dead-lettered (bad-value), such as topic `in`, partition 0, offset 2: value: expected `{` at line 1 column 1; it is in `count-dlq`
    6 in, 1 out, 1 dead letter, 2 dropped (late 1, null-key 1); 2 windows open: --close-windows
    "#);
    assert_snapshot!(told(&place, "replay count.toml --close-windows", &record("1", value, 1_000)), @"1 in, 1 out");
}

#[test]
fn a_replay_explains_why_timestamps_can_not_be_read() {
    let place = passing("");
    let input: String = (0..50).map(|_| record("\"a\"", r#"{"at":"2024-05-01T10:00:00"}"#, 1)).collect();
    assert_snapshot!(told(&place, "replay pass.toml", &input), @r#"
    step `in`, dropped (bad-time), such as topic `in`, partition 0, offset 0: the field `at` is "2024-05-01T10:00:00", and no time as in RFC 3339, such as "2024-05-01T10:00:00Z": it has no zone: `Z` or an offset such as `+02:00` must follow the seconds; on-bad-time = "dead-letter" keeps such records
    50 in, 0 out, 50 dropped (bad-time)
    "#);
}

#[test]
fn the_message_for_a_timestamp_in_another_unit_names_that_unit() {
    let input: String = ["1714557600", "1714557600000", "1714557600000000", "1714557600000.0", "1.7145576e12"]
        .iter()
        .map(|at| record("\"a\"", &format!("{{\"at\":{at}}}"), 1_714_557_600_000))
        .collect();
    assert_snapshot!(told(&passing(""), "replay pass.toml", &input), @"
    step `in`, noted (time-in-microseconds), such as topic `in`, partition 0, offset 2: its time 1714557600000000 is 56302-03-03T16:00:00Z: it looks like microseconds, and milliseconds since the epoch are expected; it was processed
    step `in`, noted (time-in-seconds), such as topic `in`, partition 0, offset 0: its time 1714557600 is 1970-01-20T20:15:57Z: it looks like seconds, and milliseconds since the epoch are expected; it was processed
    step `in`, noted (time-jump), such as topic `in`, partition 0, offset 1: time jumps by years, from 1970-01-20T20:15:57Z to 2024-05-01T10:00:00Z: records that are older are late from now on; `max-ahead` at the source keeps those out that are ahead of the clock; it was processed
    5 in, 5 out
    ");
    let strict = passing("max-ahead = \"1h\"");
    assert_snapshot!(told(&strict, "replay pass.toml", &input), @"
    step `in`, dead-lettered (future-timestamp), such as topic `in`, partition 0, offset 2: its time 1714557600000000 is 1712843042400000 ms ahead of the clock, and 3600000 are the most; it looks like microseconds, and milliseconds are expected; it is in `pass-dlq`
    step `in`, noted (time-in-seconds), such as topic `in`, partition 0, offset 0: its time 1714557600 is 1970-01-20T20:15:57Z: it looks like seconds, and milliseconds since the epoch are expected; it was processed
    step `in`, noted (time-jump), such as topic `in`, partition 0, offset 1: time jumps by years, from 1970-01-20T20:15:57Z to 2024-05-01T10:00:00Z: records that are older are late from now on; `max-ahead` at the source keeps those out that are ahead of the clock; it was processed
    5 in, 4 out, 1 dead letter
    ");
}

#[test]
fn a_replay_warns_of_a_timestamp_that_jumps_by_years() {
    let input: String = [1_714_557_600_000_i64, 1_714_557_601_000, 4_070_908_800_000, 1_714_557_602_000]
        .iter()
        .map(|at| record("\"a\"", &format!("{{\"at\":{at}}}"), 1_714_557_600_000))
        .collect();
    assert_snapshot!(told(&passing(""), "replay pass.toml", &input), @"
    step `in`, noted (time-jump), such as topic `in`, partition 0, offset 2: time jumps by years, from 2024-05-01T10:00:01Z to 2099-01-01T00:00:00Z: records that are older are late from now on; `max-ahead` at the source keeps those out that are ahead of the clock; it was processed
    4 in, 4 out
    ");
}

/// Entries of a log, by message.
fn entries(log: &str, message: &str) -> Vec<Value> {
    let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line)["fields"].clone());
    entries.filter(|fields| fields["message"].as_str().unwrap().starts_with(message)).collect()
}

#[test]
fn a_run_warns_of_the_first_record_that_a_step_loses_and_counts_open_windows() {
    let place = counting("timestamp = \"field:at\"", "emit = \"final\"");
    place.millrace("run count.toml --data data --until-idle").good();
    let mut input = String::new();
    for number in 0..1_000 {
        let at = if number == 500 { "1700000000000" } else { "\"1700000000000\"" };
        write!(input, "{}", record("1", &format!("{{\"at\":{at},\"amount\":1}}"), 1)).unwrap();
    }
    input.push_str(&record("1", "7", 1));
    input.push_str(&record("\"no number\"", "7", 1).replace("\"key\":\"no number\"", "\"keyBase64\":\"AAEC\""));
    let said = place.millrace_with("topic write --data data", &input);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let log = told(&place, "run count.toml --data data --until-idle", "");

    let dropped = entries(&log, "a record is dropped");
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    let places = ["step", "code", "topic", "partition", "offset", "keep"].map(|name| &dropped[0][name]);
    let keep = "on-bad-time = \"dead-letter\"";
    assert_eq!(serde_json::json!(places), serde_json::json!(["in", "bad-time", "in", 0, 0, keep]));
    assert!(dropped[0]["reason"].as_str().unwrap().contains("digits in quotes"), "{dropped:?}");

    let failed = entries(&log, "a record has failed");
    let places = ["step", "code", "topic", "partition", "offset", "dead_letters", "reason"];
    let places = places.map(|name| failed[0][name].clone());
    let reason = "the key has 3 bytes, but an i64 key has 8";
    assert_eq!(serde_json::json!(places), serde_json::json!(["in", "bad-key", "in", 0, 1_001, "count-dlq", reason]));

    assert_eq!(entries(&log, "windows are open")[0]["windows"], 1);
    let letters = place.millrace("topic read count-dlq --data data").good();
    let letter: Value = serde_json::from_str(letters.lines().next().unwrap()).unwrap();
    assert_eq!(letter["headers"]["millrace-error-message"], reason);
}

#[test]
fn the_error_of_a_rule_that_asks_for_an_unknown_name_lists_the_known_ones() {
    let place = Place::new();
    place.write("hostile.wasm", guest_named("hostile.wasm"));
    let pipeline = "app = \"ask\"\n[plugins.hostile]\ncomponent = \"hostile.wasm\"\n[[source]]\nname = \"in\"\ntopic = \"in\"\n\
        key = \"i64\"\n[[transform]]\nname = \"obey\"\nfrom = \"in\"\ncall = \"hostile.obey\"\n[[sink]]\nfrom = \"obey\"\n\
        topic = \"out\"\n";
    place.write("ask.toml", pipeline);
    for (value, words) in [
        (r#"{"do":"clock"}"#, "not implemented on this platform: a rule has no clock: take the time of the record"),
        (
            r#"{"do":"file"}"#,
            "(bad-value), such as topic `in`, partition 0, offset 0: operation not supported on this platform: a rule has no files, no network and no environment",
        ),
        (
            r#""{\"do\":\"skip\"}""#,
            "value (record): a string that holds a JSON object, and not the object itself: whatever wrote it encoded it as JSON twice; it is in `ask-dlq`",
        ),
    ] {
        let said = told(&place, "replay ask.toml", &record("1", value, 1_000));
        assert!(said.contains(words), "{said}");
    }
}
