//! The pipelines of the analytics: what `replay` makes of their samples is what the rules say, as a second, plain
//! program has it (`model.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod model;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use serde_json::Value;

use support::{Place, guest_named, repository};

/// Pipelines with the functions of the model.
const PIPELINES: [(&str, model::Rules); 5] = [
    ("customer-activity", model::activity),
    ("order-enrichment", model::enrichment),
    ("fraud-scoring", model::fraud),
    ("recommendations", model::recommendations),
    ("dynamic-pricing", model::pricing),
];

fn place() -> Place {
    let place = Place::new();
    for (name, _) in PIPELINES {
        let file = format!("{name}.toml");
        place.write(&file, std::fs::read(repository().join("pipelines").join(&file)).unwrap());
        let component = format!("{}.wasm", name.replace('-', "_"));
        place.write(&component, guest_named(&component));
        place.write(&format!("{name}.jsonl"), sample(name));
    }
    place
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(repository().join("samples").join(format!("{name}.jsonl"))).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Values by topic, in their order, without dead letters.
fn by_topic(records: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut topics: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records.iter().filter(|record| record["topic"] != DEAD_LETTERS) {
        topics.entry(record["topic"].as_str().unwrap().to_owned()).or_default().push(record["value"].clone());
    }
    topics
}

const DEAD_LETTERS: &str = "bss-analytics-streams-dlq";

#[test]
fn a_pipeline_makes_of_its_sample_what_the_rules_say() {
    let place = place();
    for (name, rules) in PIPELINES {
        let said = place.millrace(&format!("replay {name}.toml --in {name}.jsonl"));
        assert_eq!(said.code, Some(0), "{name}: {}", said.err);
        let (found, expected) = (by_topic(&lines(&said.out)), rules(&lines(&sample(name))));
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}: topics");
        for (topic, expected) in expected {
            assert!(!expected.is_empty(), "no rule of {name} fires for `{topic}`");
            for (number, (found, expected)) in found[&topic].iter().zip(&expected).enumerate() {
                assert!(model::is_like(found, expected), "{topic}, result {number}:\n{found}\n{expected}");
            }
            assert_eq!(found[&topic].len(), expected.len(), "{topic}");
        }
    }
}

#[test]
fn a_record_that_breaks_a_rule_is_one_dead_letter_and_no_other_record_is() {
    let place = place();
    for (name, _) in PIPELINES {
        let out = place.millrace(&format!("replay {name}.toml --in {name}.jsonl")).good();
        let found = letters(&lines(&out));
        let expected: Vec<_> = model::letters(name, &lines(&sample(name))).into_iter().collect();
        assert!(expected.len() > 10, "{name} has hardly any");
        assert_eq!(found, expected, "{name}");
    }
}

/// Topic and offset of each dead letter's origin, in order.
fn letters(records: &[Value]) -> Vec<(String, u64)> {
    let letters = records.iter().filter(|record| record["topic"] == DEAD_LETTERS);
    let mut origins: Vec<(String, u64)> = letters
        .map(|letter| {
            let header = |name: &str| letter["headers"][name].as_str().unwrap();
            (header("__streams.errors.topic").to_owned(), header("__streams.errors.offset").parse().unwrap())
        })
        .collect();
    origins.sort();
    origins
}

/// Here the process itself starts anew; `snapshots.rs` has a restart after every record. It is about the pipelines that
/// read one topic: of several, a record waits for the others while they may get more records, and `run` doesn't know
/// of that, as `replay` does.
#[test]
fn a_restart_of_the_process_after_any_part_of_the_input_changes_nothing() {
    let place = place();
    for (name, _) in PIPELINES.into_iter().filter(|(name, _)| !["order-enrichment", "recommendations"].contains(name)) {
        let expected = by_topic(&lines(&place.millrace(&format!("replay {name}.toml --in {name}.jsonl")).good()));
        let run = format!("run {name}.toml --data {name} --until-idle");
        place.millrace(&run).good();
        for part in sample(name).lines().collect::<Vec<_>>().chunks(29) {
            place.millrace_with(&format!("topic write --data {name}"), &(part.join("\n") + "\n")).good();
            place.millrace(&run).good();
        }
        for (topic, expected) in expected {
            let read = place.millrace(&format!("topic read {topic} --data {name}")).good();
            let found: Vec<Value> = lines(&read).iter().map(|record| record["value"].clone()).collect();
            assert!(found == expected, "{topic}: {} and {} results", found.len(), expected.len());
        }
    }
}

#[test]
fn all_pipelines_together_are_one_app_that_reads_each_topic_once() {
    let place = place();
    let files = PIPELINES.map(|(name, _)| format!("{name}.toml")).join(" ");
    assert_eq!(place.millrace(&format!("check {files}")).code, Some(0));
    for (name, others) in [("customer-activity", "recommendations"), ("dynamic-pricing", "order-enrichment")] {
        let together = place.millrace(&format!("replay {files} --in {name}.jsonl")).good();
        let together = by_topic(&lines(&together));
        let alone =
            |file: &str| by_topic(&lines(&place.millrace(&format!("replay {file}.toml --in {name}.jsonl")).good()));
        let mut expected = alone(name);
        expected.extend(alone(others));
        assert!(expected.len() >= 2, "{name} and {others} read one topic");
        for (topic, values) in &expected {
            assert_eq!(&together[topic], values, "{topic}");
        }
        assert_eq!(together.len(), expected.len());
    }
}

#[test]
fn a_demo_shows_its_findings() {
    let place = place();
    for (demo, name, findings) in [
        ("fraud", "fraud-scoring", ["HIGH    rapid     payment 11 in the 5 minutes from 10:10", "risky     score 100"]),
        (
            "recommendations",
            "recommendations",
            ["Customers with a recommendation: 8 of", "views in the hour from 10:00"],
        ),
        ("pricing", "dynamic-pricing", ["hit          20.00 ->    22.00 (+10.0 %)", "Prices, by product"]),
        ("activity", "customer-activity", ["Most active windows of customers", "Longest last visits"]),
    ] {
        let out = place.millrace(&format!("demo {demo} --pipeline {name}.toml --in {name}.jsonl")).good();
        for finding in findings {
            assert!(out.contains(finding), "{demo} lacks {finding:?}:\n{out}");
        }
        assert!(out.contains("Dead letters by reason") && out.contains("./justw demo"), "{out}");
    }
}
