//! Rules that take longer than a transaction may be open.

use serde_json::Value;

use crate::harness::{Plain, Process, shared_broker, until};

/// The broker aborts a transaction after four seconds: less than the slow records take, and less than two endless ones,
/// each with its deadline and its verdict by fuel.
const HEAD: &str = r#"
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
"#;

/// A slow rule.
const PIPELINE: &str = r#"
[[transform]]
name = "work"
from = "in"
call = "slow.work"

[[sink]]
from = "work"
topic = "APP-out"
"#;

/// The same rule after results that wait for a commit, two for each record; the record itself has a result at once.
const WAITING: &str = r#"
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

/// The first timestamp: from it on, each record is in two windows.
const FIRST: i64 = 20_000;

/// Rounds of work for some ten milliseconds.
const SOME: i64 = 10_000_000;

/// Number of records in the slow partition, and the endless ones among them.
const SLOW: i64 = 120;
const ENDLESS: [i64; 3] = [60, 61, 63];

/// First record of the fast partition, and their number.
const QUICK: (i64, usize) = (1_000, 50);

/// One record closes windows of many keys. Each takes some tenths of a millisecond on its way to a step whose results
/// wait for a commit: together more than the transaction timeout.
const CLOSING: &str = r#"
[plugins.operators]
component = "operators.wasm"

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

/// An app whose pipeline ends with these steps.
fn app(bootstrap: &str, name: &str, steps: &str, topics: &[(&str, i32)]) -> Plain {
    Plain::new(bootstrap, name, &format!("{HEAD}{steps}"), topics).with_guests(&["slow.wasm", "operators.wasm"])
}

/// Writes all records at once. Those of the slow partition, except for the endless ones, have this many rounds of work.
fn feed(app: &Plain, rounds: i64) {
    let rounds = |id| if ENDLESS.contains(&id) { i64::MAX } else { rounds };
    let slow = (0..SLOW).map(|id| (0, id, rounds(id)));
    let quick = (QUICK.0..).take(QUICK.1).map(|id| (1, id, 0));
    let lines = slow.chain(quick).map(|(partition, id, rounds)| {
        let (value, time) = (format!(r#"{{"id":{id},"rounds":{rounds}}}"#), FIRST + id);
        format!(r#"{{"partition":{partition},"key":{id},"value":{value},"timestamp":{time}}}"#)
    });
    app.write_lines("in", "i64", lines);
}

/// Number of uncommitted input records.
fn lag(app: &Plain) -> i64 {
    let input = app.topic("in");
    let (ends, positions) = (app.kafka.ends(&input, 2).unwrap(), app.kafka.positions(&input, 2).unwrap());
    ends.iter().zip(positions).map(|(end, position)| end.high - position.max(0)).sum()
}

/// The committed results of a topic, in their order.
fn found(app: &Plain, topic: &str) -> Vec<i64> {
    let records = app.kafka.read(&app.topic(topic)).into_iter().flatten();
    let value = |value: Option<Vec<u8>>| serde_json::from_slice::<Value>(&value.unwrap()).unwrap();
    records.map(|record| value(record.value)["id"].as_i64().unwrap()).collect()
}

/// The same, sorted.
fn sorted(app: &Plain, topic: &str) -> Vec<i64> {
    let mut found = found(app, topic);
    found.sort_unstable();
    found
}

#[test]
fn a_slow_rule_is_named_commits_in_time_and_does_not_block_other_partitions() {
    let Some(broker) = shared_broker() else { return };
    let app = app(&broker, "slow", PIPELINE, &[("in", 2), ("out", 1)]);
    feed(&app, SOME);
    let mut first = app.start("first");
    first.wait_until_running();
    until("some are committed", || found(&app, "out").len() > 10);
    // Another process joins meanwhile.
    let mut second = app.start("second");
    second.wait_until_running();
    until("all is done", || lag(&app) == 0);

    let (mut expected, endless): (Vec<_>, Vec<_>) = (0..SLOW).partition(|id| !ENDLESS.contains(id));
    expected.extend((QUICK.0..).take(QUICK.1));
    let found = found(&app, "out");
    assert_eq!(sorted(&app, "out"), expected, "nothing is lost, and nothing doubled");
    assert_eq!(sorted(&app, "dead"), endless);
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
fn a_record_with_an_endless_call_costs_no_other_record() {
    let Some(broker) = shared_broker() else { return };
    let app = app(&broker, "among", PIPELINE, &[("in", 2), ("out", 1)]);
    feed(&app, 0);
    let process = app.start("data");
    until("all is done", || lag(&app) == 0);
    let (mut expected, endless): (Vec<_>, Vec<_>) = (0..SLOW).partition(|id| !ENDLESS.contains(id));
    expected.extend((QUICK.0..).take(QUICK.1));
    assert_eq!(sorted(&app, "out"), expected, "nothing is lost, and nothing doubled");
    assert_eq!(sorted(&app, "dead"), endless);
    process.stop();
}

#[test]
fn results_that_wait_for_a_commit_do_not_keep_a_transaction_open_while_many_windows_close() {
    let Some(broker) = shared_broker() else { return };
    let topics = [("in", 1), ("shaped", 1), ("out", 1)];
    let app = app(&broker, "closing", CLOSING, &topics);
    let line = |key, time| format!(r#"{{"key":{key},"value":{{"amount":1}},"timestamp":{time}}}"#);
    app.write_lines("in", "i64", (0..KEYS).map(|key| line(key, 1)).chain([line(KEYS, 7_200_000)]));
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

/// Also if the record has another result at once, which opens the transaction.
#[test]
fn results_whose_calls_are_endless_are_dead_letters_and_do_not_block_others() {
    let Some(broker) = shared_broker() else { return };
    let app = app(&broker, "waiting", WAITING, &[("in", 2), ("out", 1), ("direct", 1)]);
    feed(&app, 0);
    let process = app.start("data");

    let all: Vec<_> = (0..SLOW).chain((QUICK.0..).take(QUICK.1)).collect();
    let twice = |ids: &[i64]| ids.iter().flat_map(|id| [*id; 2]).collect::<Vec<_>>();
    let (endless, expected): (Vec<_>, Vec<_>) = all.iter().partition(|id| ENDLESS.contains(id));
    // Results may be in a later transaction than the offsets of their records.
    let count = |topic| found(&app, topic).len();
    until("all has come out", || count("out") >= 2 * expected.len() && count("dead") >= 2 * endless.len());
    assert_eq!(sorted(&app, "direct"), all);
    assert_eq!(sorted(&app, "out"), twice(&expected), "nothing is lost, and nothing doubled");
    assert_eq!(sorted(&app, "dead"), twice(&endless));
    assert!(!process.says("the broker ends one after"), "a transaction was too old: {:?}", process.entries());
    process.stop();
}
