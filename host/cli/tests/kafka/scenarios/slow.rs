//! Rules that take longer than a transaction may be open.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Kafka, Process, shared_broker, until};
use crate::support::{guest_named, millrace_in};

/// The broker ends a transaction after four seconds: fewer than the slow records take, and fewer than two that never come to
/// an end, each with its deadline and what the verdict by fuel takes.
const PIPELINE: &str = r#"
app = "APP"
dlq = "APP-dead"

[kafka]
"transaction.timeout.ms" = 4000
"session.timeout.ms" = 2000
"heartbeat.interval.ms" = 400

[plugins.slow]
component = "slow.wasm"
limits = { deadline = "400ms" }

[[source]]
name = "in"
topic = "APP-in"
key = "i64"

[[transform]]
name = "work"
from = "in"
call = "slow.work"

[[sink]]
from = "work"
topic = "APP-out"
"#;

/// The same rule behind results that wait for a commit, two for each record, which itself goes out at once.
const WAITING: &str = r#"
app = "APP"
dlq = "APP-dead"

[kafka]
"transaction.timeout.ms" = 4000
"session.timeout.ms" = 2000
"heartbeat.interval.ms" = 400

[plugins.slow]
component = "slow.wasm"
limits = { deadline = "400ms" }

[[source]]
name = "in"
topic = "APP-in"
key = "i64"

[[aggregate]]
name = "latest"
from = "in"
call = "slow.latest"
window = { hopping = "10s", every = "5s" }
emit = "commit"

[[transform]]
name = "work"
from = "latest"
call = "slow.work"

[[sink]]
from = "in"
topic = "APP-direct"

[[sink]]
from = "work"
topic = "APP-out"
"#;

/// The first timestamp: behind it, each record is in two windows.
const FIRST: i64 = 20_000;

/// Rounds of work that take some ten milliseconds.
const SOME: i64 = 10_000_000;

/// Records of the slow partition, and those of them that never come to an end.
const SLOW: i64 = 120;
const ENDLESS: [i64; 3] = [60, 61, 63];

/// The first record of the quick partition, and how many there are.
const QUICK: (i64, usize) = (1_000, 50);

/// Windows of many keys that one record closes, each of which takes some tenths of a millisecond on its way to a step whose
/// results wait for a commit: together more than a transaction may be open.
const CLOSING: &str = r#"
app = "APP"

[kafka]
"transaction.timeout.ms" = 4000
"session.timeout.ms" = 2000
"heartbeat.interval.ms" = 400

[plugins.slow]
component = "slow.wasm"

[plugins.operators]
component = "operators.wasm"

[[source]]
name = "in"
topic = "APP-in"
key = "i64"

[[aggregate]]
name = "sums"
from = "in"
call = "operators.counts"
window = { tumbling = "1h" }
emit = "final"

[[transform]]
name = "shaped"
from = "sums"
call = "slow.steady"

[[aggregate]]
name = "totals"
from = "shaped"
call = "operators.counts"
emit = "commit"

[[sink]]
from = "shaped"
topic = "APP-shaped"

[[sink]]
from = "totals"
topic = "APP-out"
"#;

/// Keys whose windows close.
const KEYS: i64 = 30_000;

/// An app with a slow rule.
struct App {
    name: &'static str,
    bootstrap: String,
    kafka: Kafka,
    folder: TempDir,
}

impl App {
    /// With this pipeline, in which `APP` stands for its name: also the beginning of the names of its topics.
    fn new(bootstrap: &str, name: &'static str, pipeline: &str, topics: &[(&str, i32)]) -> Self {
        let (bootstrap, kafka) = (bootstrap.to_owned(), Kafka::new(bootstrap, name));
        let app = Self { name, bootstrap, kafka, folder: tempfile::tempdir().unwrap() };
        for guest in ["slow.wasm", "operators.wasm"] {
            std::fs::write(app.folder.path().join(guest), guest_named(guest)).unwrap();
        }
        std::fs::write(app.folder.path().join("pipeline.toml"), pipeline.replace("APP", name)).unwrap();
        for (topic, partitions) in topics {
            app.kafka.create(&app.topic(topic), *partitions, &[("retention.ms", "-1")]);
        }
        app
    }

    /// The full name of one of its topics.
    fn topic(&self, topic: &str) -> String {
        format!("{}-{topic}", self.name)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = millrace_in(self.folder.path(), &format!("{words} --kafka {}", self.bootstrap));
        command.env("MILLRACE_LOG", "info");
        command
    }

    /// Writes all records at once. Those of the slow partition, but for the endless ones, have so many rounds of work.
    fn feed(&self, rounds: i64) {
        let rounds = |id| if ENDLESS.contains(&id) { i64::MAX } else { rounds };
        let slow = (0..SLOW).map(|id| (0, id, rounds(id)));
        let quick = (QUICK.0..).take(QUICK.1).map(|id| (1, id, 0));
        self.write(slow.chain(quick).map(|(partition, id, rounds)| {
            let (value, time) = (format!(r#"{{"id":{id},"rounds":{rounds}}}"#), FIRST + id);
            format!(r#"{{"partition":{partition},"key":{id},"value":{value},"timestamp":{time}}}"#)
        }));
    }

    /// Writes records, a line each, to the app's input.
    fn write(&self, lines: impl IntoIterator<Item = String>) {
        let words = format!("topic write {} --key i64", self.topic("in"));
        let mut child = self.command(&words).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = std::io::BufWriter::new(child.stdin.take().unwrap());
        lines.into_iter().for_each(|line| writeln!(input, "{line}").unwrap());
        drop(input);
        assert!(child.wait().unwrap().success());
    }

    fn start(&self, data: &str) -> Process {
        let command = self.command(&format!("run pipeline.toml --data {data}"));
        Process::start(command, &self.folder.path().join(format!("{data}.log")))
    }

    /// How much of the input isn't committed.
    fn lag(&self) -> i64 {
        let input = self.topic("in");
        let (ends, positions) = (self.kafka.ends(&input, 2).unwrap(), self.kafka.positions(&input, 2).unwrap());
        ends.iter().zip(positions).map(|(end, position)| end.high - position.max(0)).sum()
    }

    /// What has come out, committed, in its order.
    fn found(&self, topic: &str) -> Vec<i64> {
        let records = self.kafka.read(&self.topic(topic)).into_iter().flatten();
        let value = |value: Option<Vec<u8>>| serde_json::from_slice::<Value>(&value.unwrap()).unwrap();
        records.map(|record| value(record.value)["id"].as_i64().unwrap()).collect()
    }
}

#[test]
fn a_slow_rule_commits_in_time_holds_no_other_partition_and_is_named() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "slow", PIPELINE, &[("in", 2), ("out", 1)]);
    app.feed(SOME);
    let mut first = app.start("first");
    first.wait_until_running();
    until("some are committed", || app.found("out").len() > 10);
    // Another process comes in the middle.
    let mut second = app.start("second");
    second.wait_until_running();
    until("all is done", || app.lag() == 0);

    let (mut expected, endless): (Vec<_>, Vec<_>) = (0..SLOW).partition(|id| !ENDLESS.contains(id));
    expected.extend((QUICK.0..).take(QUICK.1));
    let found = app.found("out");
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "nothing is lost, and nothing doubled");
    let mut dead = app.found("dead");
    dead.sort_unstable();
    assert_eq!(dead, endless);
    let place = |id| found.iter().position(|found| *found == id);
    let last_quick = QUICK.0 + QUICK.1 as i64 - 1;
    assert!(place(last_quick) < place(SLOW / 2 - 1), "the quick partition didn't wait for the slow one: {found:?}");
    for process in [&first, &second] {
        assert!(!process.says("the broker ends one after"), "a transaction was too old: {:?}", process.entries());
    }
    let named = |process: &Process| process.logged("a rule is slow: the records of its partitions wait for it");
    let named: Vec<_> = [&first, &second].into_iter().flat_map(named).collect();
    assert!(named.iter().any(|entry| entry["plugin"] == "slow" && entry["function"] == "work"), "{named:?}");
    first.stop();
    second.stop();
}

/// All others take no time, and nothing is committed before it comes.
#[test]
fn a_record_that_never_comes_to_an_end_among_quick_ones_costs_no_other() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "among", PIPELINE, &[("in", 2), ("out", 1)]);
    app.feed(0);
    let process = app.start("data");
    until("all is done", || app.lag() == 0);
    let (mut expected, endless): (Vec<_>, Vec<_>) = (0..SLOW).partition(|id| !ENDLESS.contains(id));
    expected.extend((QUICK.0..).take(QUICK.1));
    for (topic, expected) in [("out", expected), ("dead", endless)] {
        let mut found = app.found(topic);
        found.sort_unstable();
        assert_eq!(found, expected, "{topic}");
    }
    process.stop();
}

#[test]
fn results_that_wait_for_a_commit_hold_no_transaction_open_while_much_closes_before_them() {
    let Some(broker) = shared_broker() else { return };
    let topics = [("in", 1), ("shaped", 1), ("out", 1)];
    let app = App::new(&broker, "closing", CLOSING, &topics);
    let line = |key, time| format!(r#"{{"key":{key},"value":{{"amount":1}},"timestamp":{time}}}"#);
    app.write((0..KEYS).map(|key| line(key, 1)).chain([line(KEYS, 7_200_000)]));
    let process = app.start("data");
    let keys = |topic: &str| {
        let records = app.kafka.read(&app.topic(topic)).into_iter().flatten();
        let mut keys: Vec<_> =
            records.map(|record| i64::from_be_bytes(record.key.unwrap().try_into().unwrap())).collect();
        keys.sort_unstable();
        keys
    };
    until("all has come out", || keys("out").len() >= KEYS as usize);
    for topic in ["shaped", "out"] {
        assert_eq!(keys(topic), (0..KEYS).collect::<Vec<_>>(), "{topic} has each key once");
    }
    assert!(!process.says("the broker ends one after"), "a transaction was too old: {:?}", process.entries());
    process.stop();
}

/// Also where the record puts something out before: no transaction may be open until what waits for the commit is ready.
#[test]
fn results_that_wait_for_a_commit_and_never_come_to_an_end_are_dead_letters_and_hold_nothing_else() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker, "waiting", WAITING, &[("in", 2), ("out", 1), ("direct", 1)]);
    app.feed(0);
    let process = app.start("data");

    let all: Vec<_> = (0..SLOW).chain((QUICK.0..).take(QUICK.1)).collect();
    let twice = |ids: &[i64]| ids.iter().flat_map(|id| [*id; 2]).collect::<Vec<_>>();
    let sorted = |topic| {
        let mut found = app.found(topic);
        found.sort_unstable();
        found
    };
    let (endless, expected): (Vec<_>, Vec<_>) = all.iter().partition(|id| ENDLESS.contains(id));
    // Results may come behind the commit of what they are made of.
    let count = |topic| app.found(topic).len();
    until("all has come out", || count("out") >= 2 * expected.len() && count("dead") >= 2 * endless.len());
    assert_eq!(sorted("direct"), all);
    assert_eq!(sorted("out"), twice(&expected), "nothing is lost, and nothing doubled");
    assert_eq!(sorted("dead"), twice(&endless));
    assert!(!process.says("the broker ends one after"), "a transaction was too old: {:?}", process.entries());
    process.stop();
}
