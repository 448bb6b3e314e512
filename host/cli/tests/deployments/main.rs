//! `millrace deploy` and `millrace deployments` on a data folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod against;
mod canaries;
mod docs;
mod floods;
mod flow;
mod refusals;
mod rewrites;
mod rollback;
mod shadows;
mod swaps;

use std::fmt::Write;

use serde_json::Value;

use support::{Place, Running, guest_named};

/// Passes records on with the name of the version that did, and counts them by key.
const PIPELINE: &str = r#"
app = "swapping"

[plugins.swap]
component = "swap.wasm"

[[source]]
name = "in"
topic = "in"
key = "string"
partitions = 3

[[transform]]
name = "tag"
from = "in"
call = "swap.tag"

[[aggregate]]
name = "count"
from = "in"
call = "swap.count"

[[process]]
name = "changed"
from = "in"
call = "swap.changed"

[[aggregate]]
name = "sum"
from = "in"
call = "swap.count"
emit = "commit"

[[sink]]
from = "sum"
topic = "sums"

[[sink]]
from = "tag"
topic = "tagged"

[[sink]]
from = "count"
topic = "counts"

[[sink]]
from = "changed"
topic = "changes"
"#;

/// A folder with the pipeline, and all versions of its plugin.
fn place() -> Place {
    let place = Place::new();
    place.write("swap.toml", PIPELINE);
    for version in ["swap.wasm", "swap_next.wasm", "swap_last.wasm"] {
        place.write(version, guest_named(version));
    }
    place
}

/// A running app.
fn start(place: &Place, more: &str) -> Running {
    let mut run = place.start(&format!("run swap.toml --data data --set commit-interval=20ms {more}"));
    run.logged("running");
    run
}

/// Records with these numbers.
fn records(numbers: std::ops::Range<u64>) -> String {
    numbers.fold(String::new(), |mut text, n| {
        let value = format!(r#"{{"n":{n},"amount":{}}}"#, n % 7);
        writeln!(text, r#"{{"topic":"in","key":"k{}","value":{value},"timestamp":{}}}"#, n % 11, 1_000 + n).unwrap();
        text
    })
}

/// Writes records, and waits until they are processed.
fn process(place: &Place, numbers: std::ops::Range<u64>) {
    let end = numbers.end;
    place.millrace_with("topic write --data data", &records(numbers)).good();
    support::until("the records are processed", || read(place, "tagged").len() as u64 == end);
}

fn read(place: &Place, topic: &str) -> Vec<Value> {
    let lines = place.millrace(&format!("topic read {topic} --data data")).good();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of the versions that made the results, by the numbers of the records.
fn versions(place: &Place) -> Vec<String> {
    let mut tagged: Vec<_> = read(place, "tagged")
        .iter()
        .map(|it| (it["value"]["n"].as_u64().unwrap(), it["value"]["by"].clone()))
        .collect();
    tagged.sort_by_key(|(n, _)| *n);
    let numbers: Vec<_> = tagged.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, (0..tagged.len() as u64).collect::<Vec<_>>(), "each record once");
    tagged.into_iter().map(|(_, by)| by.as_str().unwrap().to_owned()).collect()
}

/// Columns of the list of deployments that are the same in each run.
fn list(place: &Place) -> Vec<String> {
    let lines = place.millrace("deployments list swap.toml --data data --json").good();
    let column = |line: &str| {
        let it: Value = serde_json::from_str(line).unwrap();
        format!("{} {} {} {} {}", it["generation"], it["status"], it["cause"], it["settings"], it["note"])
            .replace('"', "")
    };
    lines.lines().map(column).collect()
}
