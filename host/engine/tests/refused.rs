//! A record that its topic has refused fails at its sink, and other records are processed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::{Single, header, value};

const COPY: &str = r#"
    [[source]]
    name = "in"
    topic = "in"
    value = "bytes"
    [[sink]]
    from = "in"
    topic = "out"
"#;

const REASON: &str = "the timestamp is out of range (INVALID_TIMESTAMP)";

#[test]
fn a_refused_record_fails_at_the_sink_with_the_topics_reason() {
    let mut single = Single::new(COPY, 1);
    single.reopen_refusing("out", "b", 7, REASON);
    for (offset, text) in ["a", "b", "c"].into_iter().enumerate() {
        single.offer("in", offset as i64, text, 7, 1_000);
    }
    let produced = single.run();
    let names: Vec<_> = produced.iter().map(|record| single.topology.topics[record.topic.0].name.as_str()).collect();
    assert_eq!(names, ["out", "dead", "out"]);
    assert_eq!(produced.iter().map(value).collect::<Vec<_>>(), ["a", "b", "c"]);
    let letter = &produced[1];
    assert_eq!(header(letter, "millrace-error-code"), "refused");
    assert_eq!(header(letter, "millrace-step"), "sink-out");
    assert_eq!(header(letter, "__streams.errors.offset"), "1");
    let text = "the topic `out` refuses the record: the timestamp is out of range (INVALID_TIMESTAMP)";
    assert_eq!(header(letter, "__streams.errors.message"), text);
    assert_eq!(letter.timestamp, 1_000, "a dead letter has the time of the failure");
}

#[test]
fn the_same_record_at_another_time_is_another_record() {
    let mut single = Single::new(COPY, 1);
    single.reopen_refusing("out", "b", 8, REASON);
    single.offer("in", 0, "b", 7, 1_000);
    single.offer("in", 1, "b", 8, 1_000);
    let produced = single.run();
    let names: Vec<_> = produced.iter().map(|record| single.topology.topics[record.topic.0].name.as_str()).collect();
    assert_eq!(names, ["out", "dead"]);
}

#[test]
fn on_error_applies_to_refused_records() {
    let mut skips = Single::new(&format!("{COPY}on-error = \"skip\"\n"), 1);
    skips.reopen_refusing("out", "b", 7, REASON);
    skips.offer("in", 0, "b", 7, 0);
    assert!(skips.run().is_empty());
    let (_, ledger) = skips.commit();
    assert_eq!(ledger.counts().map(|(.., count)| count).collect::<Vec<_>>(), [1]);

    let mut stops = Single::new(&format!("{COPY}on-error = \"fail\"\n"), 1);
    stops.reopen_refusing("out", "b", 7, REASON);
    stops.offer("in", 0, "b", 7, 0);
    let error = stops.try_run().unwrap_err().to_string();
    assert!(error.contains("step `sink-out` has on-error = \"fail\"") && error.contains(REASON), "{error}");
    assert!(error.contains("its origin is topic `in`, partition 0, offset 0"), "{error}");
}
