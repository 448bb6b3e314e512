//! Joins and tables give Kafka Streams' own answers, in batches of any size and with a restart after every record.
//!
//! `golden/joins-dev.jsonl` has random cases with what Kafka Streams 4.3 made of them in its TopologyTestDriver
//! (`golden --seed 7 --each 12`, those of joins and tables): of each line, `op` says the operator, `in` has the records, and `out` the results, with `n` for the record each came after.
//! The variable `MILLRACE_GOLDEN_JOINS` may name more such files, divided by colons.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::Value;
use support::{Play, play_numbered, topology};

const DEV: &str = include_str!("golden/joins-dev.jsonl");

#[test]
fn joins_and_tables_answer_as_kafka_streams_does() {
    let named = std::env::var("MILLRACE_GOLDEN_JOINS").unwrap_or_default();
    let more = named.split(':').filter(|name| !name.is_empty()).map(|name| std::fs::read_to_string(name).unwrap());
    let texts: Vec<String> = more.chain([DEV.to_owned()]).collect();
    let cases: Vec<Value> =
        texts.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
    let failures: Vec<String> = cases.iter().filter_map(failure).collect();
    let shown = failures.iter().take(3).cloned().collect::<String>();
    assert!(failures.is_empty(), "{} of {} cases fail, the first:\n{shown}", failures.len(), cases.len());
}

fn ways() -> Vec<Play> {
    let batches = [1, 7, usize::MAX].map(|batch| Play { batch, ..Play::PLAIN });
    let restarts =
        [0, usize::MAX].map(|window_memory| Play { commit_every: 1, restart: true, window_memory, ..Play::PLAIN });
    batches.into_iter().chain(restarts).collect()
}

/// What is wrong with the answers to a case, if anything.
fn failure(case: &Value) -> Option<String> {
    let topology = topology(&pipeline(&case["op"]));
    let input: Vec<String> = case["in"].as_array().unwrap().iter().map(line).collect();
    let input: Vec<&str> = input.iter().map(String::as_str).collect();
    let expected: Vec<String> = case["out"].as_array().unwrap().iter().map(numbered).collect();
    ways().into_iter().find_map(|way| {
        let outputs: Vec<String> =
            play_numbered(&topology, &input, &way).into_iter().map(|(n, line)| format!("{n}: {line}")).collect();
        let lines = expected.join("\n  ");
        (outputs != expected).then(|| {
            format!(
                "{} {} {way:?}\n in\n  {}\n expected\n  {lines}\n got\n  {}\n",
                case["name"],
                case["op"],
                input.join("\n  "),
                outputs.join("\n  ")
            )
        })
    })
}

/// The pipeline of a case: sources or tables `left` and `right`, and the operator.
fn pipeline(op: &Value) -> String {
    let text = |name: &str| op[name].as_str().unwrap();
    let reads = |table: &str, name: &str| {
        format!("[[{table}]]\nname = \"{name}\"\ntopic = \"{name}\"\nkey = \"string\"\nvalue = \"bytes\"\n")
    };
    let calls = "call = \"t.cat\"\n[[sink]]\nfrom = \"step\"\ntopic = \"out\"\n";
    match text("type") {
        "stream-join" => format!(
            "{}{}[[join]]\nname = \"step\"\nleft = \"left\"\nright = \"right\"\nkind = \"{}\"\nbefore = \"{}ms\"\n\
             after = \"{}ms\"\ngrace = \"{}ms\"\n{calls}",
            reads("source", "left"),
            reads("source", "right"),
            text("kind"),
            op["before"],
            op["after"],
            op["grace"]
        ),
        "lookup" => format!(
            "{}{}[[lookup]]\nname = \"step\"\nstream = \"left\"\ntable = \"right\"\nkind = \"{}\"\n{calls}",
            reads("source", "left"),
            reads("table", "right"),
            text("kind")
        ),
        "table-join" => format!(
            "{}{}[[table-join]]\nname = \"step\"\nleft = \"left\"\nright = \"right\"\nkind = \"{}\"\n{calls}",
            reads("table", "left"),
            reads("table", "right"),
            text("kind")
        ),
        "table" => format!("{}[[sink]]\nfrom = \"left\"\ntopic = \"out\"\n", reads("table", "left")),
        other => panic!("no operator {other}"),
    }
}

fn field(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn line(record: &Value) -> String {
    format!("{} {} {} @{}", field(&record["i"]), field(&record["k"]), field(&record["v"]), record["t"])
}

fn numbered(record: &Value) -> String {
    format!("{}: out {} {} @{}", record["n"], field(&record["k"]), field(&record["v"]), record["t"])
}
