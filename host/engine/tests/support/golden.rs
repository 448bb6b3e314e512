//! Cases with the results of Kafka Streams' test driver, one per line.
//!
//! `{"name", "op": {...}, "in": [{"i", "k", "v", "t"}, ...], "out": [{"k", "w", "v", "t", "n"}, ...]}`: `i` is the
//! input, `w` the window, and `n` the index of the record after which a result was emitted.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use millrace_engine::task::Produced;
use serde_json::Value;

use super::{Play, play_records, topology};

/// A case.
pub struct Case {
    pub name: String,
    pub op: Value,
    lines: Vec<String>,
    expected: Vec<String>,
}

/// The cases of a file.
pub fn read(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| case(&serde_json::from_str(line).unwrap())).collect()
}

/// Files with cases in a folder, in the order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|is| is == "jsonl"));
    files.sort();
    files
}

fn case(value: &Value) -> Case {
    let field = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let list = |name: &str| value[name].as_array().unwrap_or_else(|| panic!("no `{name}`: {value}"));
    let line = |record: &Value| {
        let (input, time) = (field(&record["i"]), record["t"].as_i64().unwrap());
        format!("{input} {} {} @{time}", field(&record["k"]), field(&record["v"]))
    };
    let result = |result: &Value| {
        let window = &result["w"];
        let window = window.as_array().map(|ends| format!(" [{},{}]", ends[0], ends[1])).unwrap_or_default();
        let (key, value) = (field(&result["k"]), field(&result["v"]));
        format!("{key}{window} {value} @{} after {}", result["t"], result["n"])
    };
    Case {
        name: field(&value["name"]),
        op: value["op"].clone(),
        lines: list("in").iter().map(line).collect(),
        expected: list("out").iter().map(result).collect(),
    }
}

fn shown(turn: u64, output: &Produced) -> String {
    let field =
        |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or("-".into(), |b| String::from_utf8_lossy(b).into_owned());
    let window = output.window.map(|window| format!(" [{},{}]", window.start, window.end)).unwrap_or_default();
    format!("{}{window} {} @{} after {turn}", field(&output.key), field(&output.value), output.timestamp)
}

/// The kind of a case: the type of the operator, or the windows of an aggregate.
pub fn sort_of(op: &Value) -> &str {
    op["window"].as_str().or(op["type"].as_str()).unwrap_or_default()
}

/// The pipeline of a case.
fn steps(op: &Value) -> String {
    let word = |name: &str| op[name].as_str().unwrap_or_default();
    let time = |name: &str| format!("\"{}ms\"", op[name].as_i64().unwrap_or_default());
    let mut text = String::new();
    let mut read = |table: &str, name: &str| {
        writeln!(text, "[[{table}]]\nname = \"{name}\"\ntopic = \"{name}\"\nvalue = \"bytes\"").unwrap();
    };
    let step = match word("type") {
        "aggregate" => {
            read("source", "left");
            format!("[[aggregate]]\nname = \"step\"\nfrom = \"left\"\ncall = \"t.append\"\n{}", windows(op))
        }
        "stream-join" => {
            read("source", "left");
            read("source", "right");
            let (kind, before, after) = (word("kind"), time("before"), time("after"));
            format!(
                "[[join]]\nname = \"step\"\nleft = \"left\"\nright = \"right\"\nkind = \"{kind}\"\nbefore = {before}\n\
                 after = {after}\ngrace = {}\ncall = \"t.cat\"\n",
                time("grace")
            )
        }
        "lookup" => {
            read("source", "left");
            read("table", "right");
            let kind = word("kind");
            format!(
                "[[lookup]]\nname = \"step\"\nstream = \"left\"\ntable = \"right\"\nkind = \"{kind}\"\ncall = \"t.cat\"\n"
            )
        }
        "table-join" => {
            read("table", "left");
            read("table", "right");
            let kind = word("kind");
            format!(
                "[[table-join]]\nname = \"step\"\nleft = \"left\"\nright = \"right\"\nkind = \"{kind}\"\n\
                 call = \"t.cat\"\n"
            )
        }
        "table" => "[[table]]\nname = \"step\"\ntopic = \"left\"\nvalue = \"bytes\"\n".into(),
        other => panic!("unknown operator `{other}`"),
    };
    format!("{text}{step}[[sink]]\nfrom = \"step\"\ntopic = \"out\"\n")
}

fn windows(op: &Value) -> String {
    let time = |name: &str| format!("\"{}ms\"", op[name].as_i64().unwrap_or_default());
    let window = match op["window"].as_str() {
        Some("tumbling") => format!("tumbling = {}", time("size")),
        Some("hopping") => format!("hopping = {}, every = {}", time("size"), time("advance")),
        Some("sliding") => format!("sliding = {}", time("difference")),
        Some("session") => format!("session = {}", time("gap")),
        _ => return String::new(),
    };
    let emit = if op["emit"] == "final" { "final" } else { "each" };
    // The default retention of Kafka Streams, which loses windows beyond it.
    let number = |name: &str| op[name].as_i64().unwrap_or_default();
    if emit == "final" && op["window"] != "session" {
        let retention = number("size") + 2 * number("difference") + number("grace");
        return format!(
            "window = {{ {window} }}\ngrace = {}\nretention = \"{retention}ms\"\nemit = \"{emit}\"\n",
            time("grace")
        );
    }
    format!("window = {{ {window} }}\ngrace = {}\nemit = \"{emit}\"\n", time("grace"))
}

/// Runs a case in several ways, and describes the first difference from the expected results.
pub fn differences(case: &Case) -> Option<String> {
    let topology = topology(&steps(&case.op));
    let lines: Vec<&str> = case.lines.iter().map(String::as_str).collect();
    let restarted = Play { commit_every: 1, restart: true, window_memory: 0, ..Play::PLAIN };
    let all = Play { batch: usize::MAX, ..Play::PLAIN };
    let pieces = Play { pass_bytes: 1, restart_between: true, ..all.clone() };
    let ways = [Play::PLAIN, Play { batch: 7, ..Play::PLAIN }, all, restarted, pieces];
    ways.iter().find_map(|way| {
        let outputs = play_records(&topology, &lines, way);
        let outputs: Vec<String> = outputs.iter().map(|(turn, output)| shown(*turn, output)).collect();
        let same = outputs.iter().zip(&case.expected).take_while(|(ours, theirs)| ours == theirs).count();
        if outputs == case.expected {
            return None;
        }
        let part = |all: &[String]| all.iter().skip(same.saturating_sub(1)).take(6).cloned().collect::<Vec<_>>();
        let (ours, theirs) = (part(&outputs), part(&case.expected));
        let (name, op) = (&case.name, &case.op);
        Some(format!("{name} {op}\n{way:?}\nthe first {same} are equal\nours   {ours:#?}\ntheirs {theirs:#?}"))
    })
}
