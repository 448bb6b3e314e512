//! A pipeline with every operator on a real broker: although its process is killed again and again, it must have the
//! output of a replay of the same input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod input;
#[path = "../support/mod.rs"]
mod support;

use std::process::Child;
use std::time::Duration;

use serde_json::Value;
use support::{Dice, Place, assert_same, by_topic, keyed, kill_after, last, start_unread, wait_for_success};

/// Partitions of each topic.
pub const PARTITIONS: u64 = 3;

/// Minimum number of kills before it may finish.
const KILLS: u32 = 12;

/// How long the last process may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Topics whose records of a key must be equal in their order.
const ORDERED: [&str; 14] = [
    "inner", "outer", "found", "named", "both", "total", "tumbling", "late", "hopping", "sliding", "session", "closed",
    "silent", "once",
];

/// Topics of which the last record of each key must be equal.
const LAST: [&str; 3] = ["last-commit", "last-groups", "last-row-groups"];

#[test]
fn every_operator_has_the_output_of_a_replay_although_processes_are_killed() {
    let Some(cluster) = millrace_broker::for_test(millrace_broker::Options::default()).unwrap() else { return };
    let place = Place::new();
    place.write("operators.wasm", guest());
    place.write("every.toml", include_str!("every.toml"));
    let kafka = format!("--kafka {}", cluster.bootstrap());
    let input = input::lines(7);
    for topic in ["left", "right", "names"].iter().chain(&ORDERED).chain(&LAST) {
        place
            .millrace(&format!("topic create every-{topic} --partitions {PARTITIONS} --config retention.ms=-1 {kafka}"))
            .good();
    }
    place.millrace_with(&format!("topic write --key i64 {kafka}"), &input).good();

    kill_and_finish(&place, &kafka);

    let replayed = place.millrace_with("replay every.toml", &input).good();
    let expected = by_topic(replayed.lines());
    for topic in ORDERED {
        let found = read(&place, &kafka, topic);
        let expected = expected.get(&format!("every-{topic}")).cloned().unwrap_or_default();
        assert!(!expected.is_empty(), "nothing was to come out to {topic}: the test shows nothing");
        assert_same(topic, &keyed(&expected), &keyed(&found));
    }
    for topic in LAST {
        let found = read(&place, &kafka, topic);
        let expected = expected.get(&format!("every-{topic}")).cloned().unwrap_or_default();
        assert!(!expected.is_empty(), "nothing was to come out to {topic}: the test shows nothing");
        assert_same(topic, &last(&expected), &last(&found));
    }
}

/// The rules of the pipeline.
fn guest() -> Vec<u8> {
    let folder = std::env::var_os("MILLRACE_GUESTS").expect("`./justw test` says where guests are");
    std::fs::read(std::path::Path::new(&folder).join("operators.wasm")).expect("`./justw guests` builds it")
}

/// Starts and kills it often enough, then lets it process the rest.
fn kill_and_finish(place: &Place, kafka: &str) {
    let (mut dice, mut hits) = (Dice::new(1), 0);
    for kill in 0..KILLS {
        let mut process = start(place, kafka);
        hits += u32::from(kill_after(&mut process, Duration::from_millis(1_000 + dice.below(3_000))));
        if kill % 4 == 3 {
            // All of its state comes back from Kafka.
            std::fs::remove_dir_all(place.path("data")).unwrap();
        }
    }
    eprintln!("{hits} of {KILLS} kills hit a process that had work");
    assert!(hits > 2, "only {hits} kills hit a process that had work: the test shows little");
    wait_for_success(&mut start(place, kafka), PATIENCE);
}

fn start(place: &Place, kafka: &str) -> Child {
    let words = format!("run every.toml --data data --until-idle {kafka}");
    start_unread(place.command(&words))
}

/// What was committed to a topic, in the form of a replay.
fn read(place: &Place, kafka: &str, topic: &str) -> Vec<Value> {
    let lines = place.millrace(&format!("topic read every-{topic} --key i64 {kafka}")).good();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
