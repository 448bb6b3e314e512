//! `kill -9` at random moments doesn't change the output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use support::{Dice, Place, Running, copy_folder, until};

const ORDERS: u64 = 75_000;
const KILLS: u32 = 20;
/// Bytes that a run writes to the log of its database before it is killed, at most: two commits.
const BYTES: u64 = 1_600_000;
/// Time from there to the kill, at most: about what a commit and the work before it take.
const JITTER: Duration = Duration::from_millis(12);

#[test]
fn a_run_that_is_killed_twenty_times_has_the_output_of_an_undisturbed_run() {
    let place = Place::new();
    let mut dice = Dice::new(20);
    place.write("input.jsonl", input(&mut dice));
    place.create_topics("calm", 3);
    place.millrace("topic write --data calm --in input.jsonl").good();
    copy_folder(&place.path("calm"), &place.path("rough"));

    place.millrace("run orders.toml --data calm --until-idle").good();
    let lags: Vec<u64> = (0..KILLS).filter_map(|number| run_and_kill(&place, number, &mut dice)).collect();
    let mut last = place.start("run orders.toml --data rough --until-idle");
    let left = last.logged("running")["lag"].as_u64().unwrap();
    last.logged("stopped");

    eprintln!("left at each start: {lags:?}, at the last: {left}");
    assert!(left > 0, "the run was over before the last kill; what was left at each start: {lags:?}");
    let advances = lags.iter().zip(lags.iter().skip(1).chain([&left])).filter(|(before, after)| after < before).count();
    assert!(advances >= 12, "only {advances} kills hit a run that had committed work; left at each start: {lags:?}");
    assert_same(&place);
}

/// Starts a run, kills it, and returns the lag at its start, if it got that far. Every fifth run is killed while it
/// starts, the others once they have committed this many bytes.
fn run_and_kill(place: &Place, number: u32, dice: &mut Dice) -> Option<u64> {
    let mut run = place.start("run orders.toml --data rough --set commit-interval=1ms");
    let jitter = Duration::from_micros(dice.below(JITTER.as_micros() as u64));
    let lag = if number % 5 == 4 {
        wait(jitter * 5);
        None
    } else {
        let bytes = dice.below(BYTES);
        let lag = run.logged("running")["lag"].as_u64();
        let database = place.path("rough/db");
        until("it has committed", || newest_log(&database) > bytes || !run.is_running());
        wait(jitter);
        lag
    };
    kill(run);
    lag
}

fn kill(run: Running) {
    assert_eq!(run.kill().signal(), Some(9), "it was to run until it is killed");
}

/// Moves the moment a little. Nothing depends on how long it really takes.
fn wait(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// Length of the write-ahead log that the database has begun last: it grows with every commit.
fn newest_log(database: &Path) -> u64 {
    let entries = std::fs::read_dir(database).unwrap().filter_map(|entry| entry.ok());
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
    logs.max_by_key(|entry| entry.file_name()).and_then(|entry| entry.metadata().ok()).map_or(0, |log| log.len())
}

fn assert_same(place: &Place) {
    for topic in ["orders", "recovererDLQ"] {
        let read = |data: &str| place.millrace(&format!("topic read {topic} --data {data}")).good();
        let (calm, rough) = (read("calm"), read("rough"));
        assert!(calm.lines().count() > 500, "{topic} has only {} records", calm.lines().count());
        assert_same_lines(topic, &without_time_of_failure(&calm), &without_time_of_failure(&rough));
    }
    let scan = |data: &str| place.millrace(&format!("table scan orders --size 100000 --data {data}")).good();
    let (calm, rough) = (scan("calm"), scan("rough"));
    assert!(calm.lines().count() > 10_000);
    assert_same_lines("table", &calm, &rough);
}

/// Panics with the first difference only: all would be megabytes.
fn assert_same_lines(what: &str, calm: &str, rough: &str) {
    let difference = calm.lines().zip(rough.lines()).position(|(calm, rough)| calm != rough);
    if let Some(line) = difference {
        let (calm, rough) = (calm.lines().nth(line).unwrap(), rough.lines().nth(line).unwrap());
        panic!("{what}, line {}:\nundisturbed: {calm}\n     killed: {rough}", line + 1);
    }
    assert_eq!(calm.lines().count(), rough.lines().count(), "{what}: number of lines");
}

/// Dead letters without their time and the header of the same meaning: they are about when it happened, not about what.
fn without_time_of_failure(lines: &str) -> String {
    let strip = |line: &str| {
        let (before, rest) = line.split_once(r#","millrace-failed-at":""#)?;
        let (_, after) = rest.split_once('"')?;
        let (record, headers) = before.rsplit_once(r#","timestamp":"#)?;
        let (_, headers) = headers.split_once(',')?;
        Some(format!("{record},{headers}{after}\n"))
    };
    lines.lines().map(|line| strip(line).unwrap_or_else(|| format!("{line}\n"))).collect()
}

/// Both answers to each order, a little out of order. Some come twice, some are missing, some are poison.
fn input(dice: &mut Dice) -> String {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for id in 1..=ORDERS {
        for (topic, source) in [("payment-orders", "PAYMENT"), ("stock-orders", "INVENTORY")] {
            let timestamp = 1_700_000_000_000 + id * 10 + dice.below(8_000);
            let status = ["ACCEPT", "ACCEPT", "REJECT"][dice.below(3) as usize];
            let good = format!(r#""value":{{"id":{id},"price":19.90,"status":"{status}","source":"{source}"}}"#);
            let (times, key, value) = match dice.below(100) {
                0 => (0, format!(r#""key":{id}"#), good),
                1 => (2, format!(r#""key":{id}"#), good),
                2 => (1, format!(r#""key":{id}"#), r#""valueBase64":"bm90IEpTT04=""#.to_owned()),
                3 => (1, format!(r#""key":{id}"#), r#""value":{"status":7}"#.to_owned()),
                4 => (1, r#""keyBase64":"AAEC""#.to_owned(), good),
                5 => (1, r#""key":null"#.to_owned(), good),
                _ => (1, format!(r#""key":{id}"#), good),
            };
            let line = format!(r#"{{"topic":"{topic}",{key},{value},"timestamp":{timestamp}}}"#);
            for _ in 0..times {
                lines.push((id * 10 + dice.below(3_000), line.clone()));
            }
        }
    }
    lines.sort();
    lines.into_iter().fold(String::new(), |mut text, (_, line)| {
        writeln!(text, "{line}").unwrap();
        text
    })
}
