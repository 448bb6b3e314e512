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

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).with_extension("jsonl")
}

#[test]
fn every_operator_puts_out_what_kafka_streams_does() {
    let names = OPERATORS.iter().chain(&["issues"]);
    let cases: Vec<_> = names.flat_map(|name| case::read(&file(name)).unwrap()).collect();
    let failures = check(&Rules::load().unwrap(), &cases, &Mode::all(CLOSE_EVERY)).unwrap();
    let shown: Vec<_> = failures.iter().take(5).map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), cases.len(), shown.join("\n"));
}

#[test]
fn there_are_sixty_cases_of_each_operator_and_seed() {
    for operator in OPERATORS {
        let cases = case::read(&file(operator)).unwrap();
        for seed in 1..=3 {
            let prefix = format!("{operator}-{seed}-");
            let count = cases.iter().filter(|case| case.name.starts_with(&prefix)).count();
            assert!(count >= 60, "{operator} has {count} cases of seed {seed}");
        }
    }
}
