//! A join with the results of another join as one side.

#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write;

use support::Place;

const CHAIN: &str = r#"
app = "chain"
dlq = "dead"

[plugins.order-status]
component = "order_status.wasm"

[[source]]
name = "payments"
topic = "payments"
key = "i64"

[[source]]
name = "stock"
topic = "stock"
key = "i64"

[[source]]
name = "decided"
topic = "decided"
key = "i64"

[[source]]
name = "shipments"
topic = "shipments"
key = "i64"

[[join]]
name = "decide"
left = "payments"
right = "stock"
within = "10s"
call = "order-status.resolve"

[[sink]]
from = "decide"
topic = "decided"

[[join]]
name = "ship"
left = "decided"
right = "shipments"
within = "10s"
call = "order-status.resolve"

[[sink]]
from = "ship"
topic = "shipped"
"#;

/// Ten payments a second with their stock decisions, and a shipment for every tenth. So the backlog of one side of the
/// second join reaches further in time than the results of the first join.
fn input() -> String {
    let mut lines = String::new();
    for id in 1..=4000i64 {
        for topic in ["payments", "stock", "shipments"] {
            if topic != "shipments" || id % 10 == 0 {
                let time = 1_700_000_000_000 + id * 100;
                writeln!(
                    lines,
                    r#"{{"topic":"{topic}","key":{id},"value":{{"id":{id},"status":"ACCEPT"}},"timestamp":{time}}}"#
                )
                .unwrap();
            }
        }
    }
    lines
}

fn shipped(lines: &str) -> Vec<&str> {
    lines.lines().filter(|line| line.contains(r#""topic":"shipped""#)).collect()
}

#[test]
fn a_join_of_a_joins_results_is_the_same_in_run_and_replay_whatever_the_batch_and_the_backlog() {
    let place = Place::new();
    place.write("chain.toml", CHAIN);
    place.write("in.jsonl", input());
    let replayed = place.millrace("replay chain.toml --in in.jsonl --batch 1").good();
    assert_eq!(shipped(&replayed).len(), 400);
    assert_eq!(place.millrace("replay chain.toml --in in.jsonl --batch 1000").good(), replayed);

    place.millrace("run chain.toml --data data --until-idle").good();
    place.millrace("topic write --data data --in in.jsonl").good();
    place.millrace("run chain.toml --data data --until-idle").good();
    let read = place.millrace("topic read shipped --data data").good();
    assert_eq!(shipped(&read), shipped(&replayed));
}
