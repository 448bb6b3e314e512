//! Tests of the soak's oracles. `just soak` itself is no test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "soak/ended.rs"]
mod ended;
#[allow(dead_code)]
#[path = "soak/logs.rs"]
mod logs;
#[allow(dead_code)]
#[path = "soak/progress.rs"]
mod progress;
#[path = "soak/quiet.rs"]
mod quiet;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

use ended::{AtPoint, Ended};
use logs::Logs;
use progress::{Backlog, Position, Positions, Progress};
use quiet::Shown;

const TOPIC: &str = "soak-stock";

fn at(committed: i64) -> Positions {
    [((TOPIC.to_owned(), 3), Position { committed, end: 10 })].into()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The time at which a partition that has stopped from the start is found, with a sample each second. Faults explain
/// the stop up to `excused`; the entries of `said` and `states` are logged at their times.
fn found(excused: u64, until: u64, said: &[(u64, &str)]) -> Option<u64> {
    let (mut progress, mut logs) = (Progress::default(), Logs::default());
    logs.running = vec!["log".into()];
    logs.hear(Duration::ZERO, "log", &state("running"));
    (0..until).find(|now| {
        for (_, line) in said.iter().filter(|(time, _)| time == now) {
            logs.hear(seconds(*now), "log", line);
        }
        !progress.see(seconds(*now), seconds(excused), &at(7), &logs).is_empty()
    })
}

fn state(state: &str) -> String {
    format!(r#"{{"level":"INFO","fields":{{"message":"state","to":"{state}"}}}}"#)
}

fn entry(message: &str, topic: &str, partition: i32) -> String {
    format!(r#"{{"fields":{{"message":"{message}","topic":"{topic}","partition":{partition}}}}}"#)
}

#[test]
fn a_partition_may_stop_for_half_a_minute_or_as_long_as_faults_explain() {
    assert_eq!(found(0, 500, &[]), Some(31));
    assert_eq!(found(40, 500, &[]), Some(71));
    assert_eq!(found(400, 500, &[]), Some(121), "faults explain no more than that");
}

#[test]
fn a_log_entry_that_names_a_partition_explains_its_stop_for_a_minute() {
    let reads = "nothing comes from a partition that isn't read to its end: no broker leads it";
    let opens = "a partition can't be processed yet, and is tried again: others go on";
    assert_eq!(found(0, 500, &[(20, &entry(reads, TOPIC, 3))]), Some(81));
    assert_eq!(found(0, 500, &[(20, &entry(reads, TOPIC, 2))]), Some(31), "another partition");
    assert_eq!(found(0, 500, &[(20, &entry(reads, "soak-payments", 3))]), Some(31), "another topic");
    assert_eq!(found(0, 500, &[(20, &entry(opens, "soak-sums-changelog", 3))]), Some(81), "a task has one number");
    assert_eq!(found(0, 500, &[(20, &entry("a key is in another partition", TOPIC, 3))]), Some(31), "no reason");
}

#[test]
fn a_log_entry_from_before_a_partition_stopped_explains_nothing() {
    let (mut progress, mut logs) = (Progress::default(), Logs::default());
    logs.running = vec!["log".into()];
    logs.hear(Duration::ZERO, "log", &state("running"));
    logs.hear(seconds(1), "log", &entry("a partition can't be read, and is tried again: others go on", TOPIC, 3));
    let mut see = |now, committed| progress.see(seconds(now), Duration::ZERO, &at(committed), &logs);
    assert!(see(0, 6).is_empty());
    assert!(see(10, 7).is_empty());
    assert_eq!(see(41, 7).len(), 1);
    assert!(see(42, 7).is_empty(), "it is told once");
}

#[test]
fn a_process_that_waits_or_restores_explains_a_stop_for_that_long() {
    let waits = r#"{"fields":{"message":"a transaction waits for the broker","id":"x-0"}}"#;
    assert_eq!(found(0, 500, &[(20, waits), (70, waits)]), Some(131));
    assert_eq!(found(0, 500, &[(20, &state("restoring")), (50, &state("running"))]), Some(50));
    assert_eq!(found(0, 500, &[(20, &state("rebalancing"))]), Some(141), "not for ever");
}

#[test]
fn a_partition_without_lag_or_with_progress_has_not_stopped() {
    let (mut progress, logs) = (Progress::default(), Logs::default());
    let done = (0..500).all(|now| progress.see(seconds(now), Duration::ZERO, &at(10), &logs).is_empty());
    let moves = (0..500).all(|now| progress.see(seconds(now), Duration::ZERO, &at(-1 - now as i64), &logs).is_empty());
    assert!(done && moves);
}

#[test]
fn the_wait_ends_when_the_backlog_stops_shrinking_or_the_cluster_stops_answering() {
    let mut backlog = Backlog::default();
    assert_eq!(backlog.see(seconds(100), Ok(at(7))), None);
    assert_eq!(backlog.see(seconds(200), Ok(at(8))), None, "it becomes less");
    assert_eq!(backlog.see(seconds(320), Ok(at(8))), None);
    assert!(backlog.see(seconds(321), Ok(at(8))).unwrap()[0].contains(TOPIC));
    assert_eq!(backlog.see(seconds(321), Ok(at(10))), Some(Vec::new()));

    let silent = || Err("timed out".to_owned());
    assert_eq!(Backlog::default().see(seconds(120), silent()), None);
    assert!(Backlog::default().see(seconds(121), silent()).unwrap()[0].contains("timed out"));
    assert_eq!(Backlog::default().see(seconds(121), Ok(Positions::new())).unwrap().len(), 1, "nothing is known");
}

#[test]
fn only_an_abort_without_a_message_is_a_planned_death() {
    let log = "{\"fields\":{}}\n";
    let ended = |status, log: &str| Ended { status: ExitStatus::from_raw(status), log: log.to_owned() };
    assert_eq!(ended(Signal::SIGABRT as i32, log).at_point(), AtPoint::Reached);
    assert_eq!(ended(Signal::SIGKILL as i32, log).at_point(), AtPoint::NotReached);
    assert_eq!(ended(1 << 8, log).at_point(), AtPoint::Otherwise, "exit 1");
    assert_eq!(ended(0, log).at_point(), AtPoint::Otherwise);
    assert_eq!(ended(Signal::SIGSEGV as i32, log).at_point(), AtPoint::Otherwise);
    let asserted = ended(Signal::SIGABRT as i32, "{\"fields\":{}}\nrd_kafka_x: Assertion failed\n");
    assert_eq!(asserted.at_point(), AtPoint::Otherwise);
    assert!(asserted.text().contains("Assertion failed"));
}

#[test]
fn an_oracle_that_has_checked_nothing_is_reported() {
    let shown = |minutes: u64, sent: &[&'static str], letters: &[&str], outputs| Shown {
        time: seconds(60 * minutes),
        poison: true,
        sent: sent.iter().copied().collect(),
        letters: letters.iter().map(|code| (*code).to_owned()).collect::<BTreeSet<_>>(),
        outputs,
    };
    let missing = |shown: Shown<'_>| shown.missing().join("; ");
    assert_eq!(missing(shown(2, &["trap"], &["trap", "late"], vec![("sums", 1, 1)])), "");
    assert_eq!(missing(shown(1, &["trap"], &[], vec![("sums", 0, 0)])), "", "too short a run");
    assert!(missing(shown(2, &["trap"], &["late"], vec![])).contains("refused as trap"));
    assert!(missing(shown(2, &[], &[], vec![("sums", 0, 0)])).contains("sums"));
    let all = ["asked", "bad-key", "bad-value", "deadline", "future-timestamp", "memory-limit", "null-value", "trap"];
    assert_eq!(missing(shown(10, &all, &all, vec![])), "");
    assert!(missing(shown(10, &all[1..], &all, vec![])).contains("asked"));
}
