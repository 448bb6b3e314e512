//! Records that a broker refuses.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Kafka, Process, options, own_broker, shared_broker};
use crate::support::{Place, guest_named};

const HOUR: i64 = 3_600_000;

/// A timestamp limit without effect.
const FOREVER: &str = "9223372036854775807";

/// Good records beside those that are refused.
const GOOD: i64 = 100;

/// One stream into topics that refuse different records, so that each sink has its own refusals. The stream also goes
/// through a repartition topic. A second stream has timestamps in the future.
const STREAMS: &str = r#"
app = "refusals"
commit-interval = "100ms"

[plugins.operators]
component = "operators.wasm"

[[source]]
name = "in"
topic = "refusals-in"
key = "string"
timestamp = "field:at"

[[sink]]
from = "in"
topic = "refusals-ahead"

[[sink]]
from = "in"
topic = "refusals-compacted"

[[sink]]
from = "in"
topic = "refusals-behind"

[[sink]]
from = "in"
topic = "refusals-segments"

[[transform]]
name = "by-group"
from = "in"
call = "operators.by_group"

[[aggregate]]
name = "sums"
from = "by-group"
call = "operators.counts"

[[sink]]
from = "sums"
topic = "refusals-sums"

[[source]]
name = "future"
topic = "refusals-future"
key = "string"
max-ahead = "1m"

[[sink]]
from = "future"
topic = "refusals-present"
"#;

/// A line for `topic write`.
fn line(topic: &str, key: Value, value: Value, timestamp: i64) -> String {
    format!("{}\n", json!({"topic": topic, "partition": 0, "key": key, "value": value, "timestamp": timestamp}))
}

/// The dead letters by step: code, offset of the record, reason.
fn letters(kafka: &Kafka, topic: &str) -> BTreeMap<String, (String, String, String)> {
    let letters = kafka.read(topic).into_iter().flatten();
    let header = |letter: &crate::harness::Record, name: &str| letter.header(name).to_owned();
    let told = letters.map(|letter| {
        let [step, code, offset, reason] =
            ["millrace-step", "millrace-error-code", "__streams.errors.offset", "__streams.errors.message"]
                .map(|name| header(&letter, name));
        (step, (code, offset, reason))
    });
    let all: Vec<_> = told.collect();
    let by_step: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(all.len(), by_step.len(), "one letter for each step: {all:?}");
    by_step
}

#[test]
fn a_record_that_a_broker_refuses_is_a_dead_letter_and_its_neighbours_come_through() {
    let Some(broker) = shared_broker() else { return };
    let kafka = Kafka::new(&broker, "refusals");
    let place = Place::new();
    place.write("operators.wasm", guest_named("operators.wasm"));
    place.write("refusals.toml", STREAMS);
    let after = ("message.timestamp.after.max.ms", FOREVER);
    let large = ("max.message.bytes", "2000000");
    for (topic, settings) in [
        ("in", &[after, large][..]),
        ("future", &[after]),
        ("present", &[]),
        // Kafka's default: an hour ahead of its clock and no more.
        ("ahead", &[large]),
        ("compacted", &[after, large, ("cleanup.policy", "compact")]),
        ("behind", &[after, large, ("message.timestamp.before.max.ms", "3600000")]),
        ("segments", &[after, large, ("segment.bytes", "1048576")]),
        ("sums", &[after, large]),
    ] {
        kafka.create(&format!("refusals-{topic}"), 1, settings);
    }

    let at = now();
    let value = |id: i64, at: i64| json!({"id": id, "amount": 1, "at": at});
    let mut lines = String::new();
    for id in 0..GOOD {
        lines += &line("refusals-in", json!(format!("k{id}")), value(id, at), at);
        match id {
            10 => lines += &line("refusals-in", json!("ahead"), value(1_000, at + 2 * HOUR), at),
            20 => lines += &line("refusals-in", Value::Null, value(2_000, at), at),
            30 => lines += &line("refusals-in", json!("behind"), value(3_000, at - 3 * HOUR), at),
            40 => {
                let note = "x".repeat(1_500_000);
                let value = json!({"id": 4_000, "amount": 1, "at": at, "note": note});
                lines += &line("refusals-in", json!("large"), value, at);
            }
            _ => {}
        }
    }
    lines += &line("refusals-future", json!("soon"), json!({}), at + 2 * HOUR);
    lines += &line("refusals-future", json!("now"), json!({}), at);
    place.millrace_with(&format!("topic write --key string --kafka {broker}"), &lines).good();

    let run = format!("run refusals.toml --data data --kafka {broker} --until-idle");
    let mut command = place.command(&run);
    command.env("MILLRACE_LOG", "info");
    let mut process = Process::start(command, &place.path("log"));
    assert_eq!(process.wait().code(), Some(0), "{:?}", process.entries());

    let keys = |topic: &str| -> Vec<String> {
        let records = kafka.read(&format!("refusals-{topic}")).into_iter().flatten();
        let key = |key: Option<Vec<u8>>| key.map_or("-".into(), |key| String::from_utf8(key).unwrap());
        records.map(|record| key(record.key)).filter(|key| !key.starts_with('k')).collect()
    };
    assert_eq!(keys("ahead"), ["-", "behind", "large"]);
    assert_eq!(keys("compacted"), ["ahead", "behind", "large"]);
    assert_eq!(keys("behind"), ["ahead", "-", "large"]);
    assert_eq!(keys("segments"), ["ahead", "-", "behind"]);
    assert_eq!(keys("present"), ["now"]);
    for topic in ["ahead", "compacted", "behind", "segments"] {
        let count = kafka.read(&format!("refusals-{topic}")).into_iter().flatten().count();
        assert_eq!(count as i64, GOOD + 3, "records in {topic}");
    }
    // The app's own topics refuse nothing.
    let sums = kafka.read("refusals-sums").into_iter().flatten();
    let sums = sums.map(|record| serde_json::from_slice::<Value>(&record.value.unwrap()).unwrap());
    assert_eq!(sums.count() as i64, GOOD + 4);

    let letters = letters(&kafka, "refusals-dlq");
    let is = |step: &str, code: &str, offset: &str, reason: &str| {
        let (found_code, found_offset, found_reason) = &letters[step];
        assert_eq!((found_code.as_str(), found_offset.as_str()), (code, offset), "{step}");
        assert!(found_reason.contains(reason), "{step}: {found_reason}");
    };
    is("sink-refusals-ahead", "refused", "11", "(INVALID_TIMESTAMP)");
    is("sink-refusals-compacted", "refused", "22", "it has no key, and the topic is compacted");
    is("sink-refusals-behind", "refused", "33", "(INVALID_TIMESTAMP)");
    is("sink-refusals-segments", "too-large", "44", "takes 1048");
    is("future", "future-timestamp", "0", "");
    assert_eq!(letters.len(), 5);
    let late = kafka
        .read("refusals-dlq")
        .into_iter()
        .flatten()
        .find(|letter| letter.timestamp > now() || letter.timestamp < at);
    assert_eq!(late, None, "letters have the time of the failure");
}

#[test]
fn a_process_stops_and_names_the_record_if_the_dead_letter_topic_refuses_its_dead_letter() {
    let Some(broker) = shared_broker() else { return };
    let kafka = Kafka::new(&broker, "undeliverable");
    let place = Place::new();
    let text = r#"
        app = "undeliverable"
        [[source]]
        name = "in"
        topic = "undeliverable-in"
        [[sink]]
        from = "in"
        topic = "undeliverable-out"
    "#;
    place.write("undeliverable.toml", text);
    kafka.create("undeliverable-in", 1, &[]);
    kafka.create("undeliverable-out", 1, &[]);
    kafka.create("undeliverable-dlq", 1, &[("cleanup.policy", "compact")]);
    let good = line("undeliverable-in", json!("a"), json!(1), now());
    let bad = json!({"topic": "undeliverable-in", "key": null, "valueBase64": "bm90IEpTT04=", "timestamp": now()});
    let input = format!("{good}{bad}\n");
    place.millrace_with(&format!("topic write --key string --kafka {broker}"), &input).good();
    let command = place.command(&format!("run undeliverable.toml --data data --kafka {broker}"));
    let mut process = Process::start(command, &place.path("log"));
    assert_eq!(process.wait().code(), Some(1), "{:?}", process.entries());
    for words in [
        "the dead-letter topic `undeliverable-dlq`, partition 0 refuses the letter of the record at topic `undeliverable-in`, \
         partition 0, offset 1",
        "it has no key, and a compacted topic takes no record without one",
    ] {
        assert!(process.says(words), "{words}: {:?}", process.entries());
    }
}

#[test]
fn internal_topics_take_the_largest_records_that_the_cluster_allows_and_states_have_that_limit() {
    let mut capped = millrace_broker::Options { record_cap: true, ..options() };
    capped.settings.push(("unclean.leader.election.enable".into(), "true".into()));
    let Some(cluster) = own_broker(capped) else { return };
    let broker = cluster.bootstrap();
    let kafka = Kafka::new(&broker, "capped");
    let place = Place::new();
    let text = r#"
        app = "capped"
        [[table]]
        name = "rows"
        topic = "capped-in"
        key = "string"
        [[sink]]
        from = "rows"
        topic = "capped-out"
    "#;
    place.write("capped.toml", text);
    kafka.create("capped-in", 1, &[]);
    kafka.create("capped-out", 1, &[]);
    // Made by an administrator, and smaller still.
    kafka.create("capped-rows-changelog", 1, &[("cleanup.policy", "compact"), ("max.message.bytes", "100000")]);
    let row = |key: &str, bytes: usize| line("capped-in", json!(key), json!("x".repeat(bytes)), now());
    let input = row("small", 10) + &row("large", 200_000) + &row("other", 10);
    place.millrace_with(&format!("topic write --key string --kafka {broker}"), &input).good();
    let run = format!("run capped.toml --data data --kafka {broker} --until-idle");
    let mut process = Process::start(place.command(&run), &place.path("log"));
    assert_eq!(process.wait().code(), Some(0), "{:?}", process.entries());
    let rows = kafka.read("capped-out").into_iter().flatten().map(|record| record.key.unwrap());
    assert_eq!(rows.collect::<Vec<_>>(), [b"small", b"other"]);
    let (code, offset, _) = &letters(&kafka, "capped-dlq")["rows"];
    assert_eq!((code.as_str(), offset.as_str()), ("state-too-large", "1"));
    let settings = kafka.settings("capped-control");
    assert_eq!(settings["max.message.bytes"], "8388608");
    assert_eq!(settings["message.timestamp.after.max.ms"], (i64::MAX - 1).to_string());
    // A default of the cluster under which committed records may be lost; the administrator's topic has it still.
    assert_eq!(settings["unclean.leader.election.enable"], "false");
    let is_warned = |entry: &&Value| {
        entry["message"].as_str().is_some_and(|text| text.contains("unclean.leader.election.enable=true"))
    };
    let entries = process.entries();
    let warned: Vec<_> = entries.iter().filter(is_warned).map(|entry| entry["topic"].clone()).collect();
    assert_eq!(warned, ["capped-rows-changelog"]);
}

/// The time, in milliseconds.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}
