//! A commit with unfinished work, and a start with a pipeline that no longer reads the topic of that work.

use std::ops::Range;

use crate::cluster::{OnKafka, on_kafka, pass, refused};
use crate::support::{Running, guest_named};

/// Keys: their windows close in several passes.
const KEYS: i64 = 30_000;

/// Each window takes so much work that a pass is longer than the commit interval, even on a fast machine.
const ROUNDS: i64 = 40_000;

/// A pipeline that has the last record of each key of these topics, in windows that close all at once.
fn latest(app: &str, topics: &[&str]) -> String {
    let source = |topic: &&str| format!("[[source]]\nname = \"{topic}\"\ntopic = \"{app}-{topic}\"\nkey = \"i64\"\n");
    let sources: String = topics.iter().map(source).collect();
    format!(
        "app = \"{app}\"\n[plugins.slow]\ncomponent = \"slow.wasm\"\n{sources}[[merge]]\nname = \"all\"\n\
         from = {topics:?}\n[[aggregate]]\nname = \"latest\"\nfrom = \"all\"\ncall = \"slow.latest\"\n\
         window = {{ tumbling = \"1h\" }}\nemit = \"final\"\n[[transform]]\nname = \"work\"\nfrom = \"latest\"\n\
         call = \"slow.work\"\n[[sink]]\nfrom = \"work\"\ntopic = \"{app}-out\"\n"
    )
}

/// Writes a record of each of these keys, at this time.
fn write(kafka: &OnKafka, topic: &str, keys: Range<i64>, time: i64) {
    let line = |key| format!("{{\"key\":{key},\"value\":{{\"id\":{key},\"rounds\":{ROUNDS}}},\"timestamp\":{time}}}\n");
    let lines: String = keys.map(line).collect();
    let words = format!("topic write {topic} --key i64 --kafka {}", kafka.bootstrap);
    kafka.place.millrace_with(&words, &lines).good();
}

#[test]
fn unfinished_work_on_a_topic_that_is_no_longer_read_prevents_a_start() {
    let Some(kafka) = on_kafka() else { return };
    for topic in ["rested-a", "rested-b", "rested-out"] {
        kafka.create(topic, 1);
    }
    kafka.place.write("slow.wasm", guest_named("slow.wasm"));
    kafka.place.write("both.toml", latest("rested", &["a", "b"]));
    kafka.place.write("one.toml", latest("rested", &["b"]));
    write(&kafka, "rested-a", 0..KEYS, 1_700_000_000_000);
    kafka.run("both.toml", "data").good();
    write(&kafka, "rested-a", 0..1, 1_700_100_000_000);
    let words = format!("run both.toml --data data --set commit-interval=20ms --kafka {}", kafka.bootstrap);
    let mut command = kafka.place.command(&words);
    command.env("MILLRACE_FAULT", "stored:1");
    assert_eq!(Running::start(command).wait().code(), None, "it dies at its first commit");
    let out = kafka.read("rested-out").len() as i64;
    assert!(0 < out && out < KEYS, "{out} of {KEYS} windows are committed");

    for data in ["data", "other"] {
        let said = refused(kafka.run("one.toml", data));
        assert!(said.contains("over the topic `rested-a`"), "{said}");
        assert!(said.contains("no step reads this topic any more") && said.contains("`--until-idle`"), "{said}");
    }
    kafka.run("both.toml", "data").good();
    kafka.run("one.toml", "data").good();
    let mut keys: Vec<_> = kafka.read("rested-out").iter().map(|record| record["key"].as_i64().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..KEYS).collect::<Vec<_>>(), "each window once");
}

#[test]
fn unfinished_work_that_only_a_restore_finds_prevents_its_task() {
    let Some(kafka) = on_kafka() else { return };
    kafka.place.write("pass.toml", pass("shows", "shows-in", "shows-out"));
    for topic in ["shows-in", "shows-out"] {
        kafka.create(topic, 1);
    }
    kafka.write("shows-in", (0, 5));
    kafka.run("pass.toml", "data").good();
    // As a process with another pipeline leaves it that stops while this one runs.
    let line = r#"{"key":"rest/gone/00000000","value":"a part"}"#;
    let words = format!("topic write shows-meta-changelog --key string --kafka {}", kafka.bootstrap);
    kafka.place.millrace_with(&words, line).good();
    let said = refused(kafka.run("pass.toml", "data"));
    assert!(said.contains("over the topic `gone`"), "{said}");
}
