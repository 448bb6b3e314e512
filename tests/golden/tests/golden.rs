//! Ours puts out what Kafka Streams does, for every committed case and in every way of running it.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use millrace_golden::mode::Mode;
use millrace_golden::rules::Rules;
use millrace_golden::{case, check};

/// Restarts after which the database is closed, too: fewer than in `just golden`, since they take most of the time.
const CLOSE_EVERY: usize = 20;

/// The operators, each with cases of several seeds.
const OPERATORS: [&str; 9] =
    ["stream-join", "lookup", "table-join", "table", "count-none", "tumbling", "hopping", "sliding", "session"];

/// The pipelines of the analytics, each with cases of several seeds.
const PIPELINES: [&str; 5] = [
    "apps/customer-activity",
    "apps/order-enrichment",
    "apps/fraud-scoring",
    "apps/recommendations",
    "apps/dynamic-pricing",
];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).with_extension("jsonl")
}

#[test]
fn every_operator_puts_out_what_kafka_streams_does() {
    passes(OPERATORS.iter().chain(&["issues"]));
}

#[test]
fn every_pipeline_of_the_analytics_puts_out_what_kafka_streams_does() {
    passes(PIPELINES.iter().chain(&["apps/edges"]));
}

fn passes<'n>(names: impl Iterator<Item = &'n &'static str>) {
    let cases: Vec<_> = names.flat_map(|name| case::read(&file(name)).unwrap()).collect();
    let failures = check(&Rules::new().unwrap(), &cases, &Mode::all(CLOSE_EVERY)).unwrap();
    let shown: Vec<_> = failures.iter().take(5).map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), cases.len(), shown.join("\n"));
}

#[test]
fn there_are_sixty_cases_of_each_operator_and_seed_and_seven_of_each_pipeline() {
    for (names, least) in [(OPERATORS.as_slice(), 60), (&PIPELINES, 7)] {
        for name in names {
            let cases = case::read(&file(name)).unwrap();
            for seed in 1..=3 {
                let prefix = format!("{}-{seed}-", name.trim_start_matches("apps/"));
                let count = cases.iter().filter(|case| case.name.starts_with(&prefix)).count();
                assert!(count >= least, "{name} has {count} cases of seed {seed}");
            }
        }
    }
}
