//! `millrace run`: beside other commands, when it is told to stop, and with a changed plugin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fmt::Write;
use std::process::Command;

use insta::assert_snapshot;
use millrace_cli::data;
use serde_json::Value;

use support::{Place, Running, guest, until};

const RUN: &str = "run orders.toml --data data --set commit-interval=20ms";

/// Both answers to the orders with these numbers.
fn answers(ids: impl Iterator<Item = i64>) -> String {
    ids.fold(String::new(), |mut text, id| {
        let timestamp = 1_700_000_000_000 + if (0..100_000).contains(&id) { id } else { 0 };
        for topic in ["payment-orders", "stock-orders"] {
            let value = format!(r#"{{"id":{id},"status":"ACCEPT"}}"#);
            writeln!(text, r#"{{"topic":"{topic}","key":{id},"value":{value},"timestamp":{timestamp}}}"#).unwrap();
        }
        text
    })
}

fn write(place: &Place, input: &str) {
    let said = place.millrace_with("topic write --data data", input);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

/// A running app that has created its topics.
fn started(place: &Place) -> Running {
    let mut run = place.start(RUN);
    run.logged("running");
    run
}

fn decisions(place: &Place) -> Vec<i64> {
    let lines = place.millrace("topic read orders --data data").good();
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_i64().unwrap()).collect()
}

fn keys(rows: &str) -> Vec<i64> {
    rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_i64().unwrap()).collect()
}

#[test]
fn a_run_that_is_told_to_stop_commits_its_records_in_flight_and_exits_with_0() {
    let place = Place::new();
    place.create_topics("data", 1);
    write(&place, &answers(1..=40_000));
    let mut run = place.start("run orders.toml --data data --set commit-interval=1h");
    let lag = run.logged("running")["lag"].as_u64().unwrap();
    assert_eq!(run.terminate().code(), Some(0));
    let stopped = run.logged("stopped");
    let (consumed, produced) = (stopped["consumed"].as_u64().unwrap(), stopped["produced"].as_u64().unwrap());
    assert_eq!(decisions(&place).len() as u64, produced, "what was begun is committed");

    let mut rest = place.start(&format!("{RUN} --until-idle"));
    let left = rest.logged("running")["lag"].as_u64().unwrap();
    assert_eq!(left, lag + produced - consumed, "the next run goes on where it has stopped");
    rest.logged("stopped");
    assert_eq!(decisions(&place), (1..=40_000).collect::<Vec<_>>());
}

#[test]
fn a_run_that_is_told_to_stop_while_it_starts_exits_with_0() {
    let place = Place::new();
    let pipeline = std::fs::read_to_string(place.path("orders.toml")).unwrap();
    // Reading the pipe blocks until the test writes it.
    let made = Command::new("mkfifo").arg(place.path("late.toml")).status().unwrap();
    assert!(made.success());
    let mut run = place.start("run late.toml --data data");
    run.tell_to_stop();
    std::fs::write(place.path("late.toml"), pipeline).unwrap();
    assert_eq!(run.logged("stopped")["consumed"], 0);
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn records_that_are_written_while_an_app_runs_are_processed_exactly_once() {
    let place = Place::new();
    let mut run = started(&place);
    for part in 0..5 {
        write(&place, &answers(part * 100..(part + 1) * 100));
    }
    until("all is decided", || decisions(&place).len() >= 500);
    assert_eq!(run.terminate().code(), Some(0));
    assert_eq!(decisions(&place), (0..500).collect::<Vec<_>>());
    assert_eq!(place.millrace("topic read stock-orders --data data").good().lines().count(), 500);
    assert_eq!(std::fs::read_dir(place.path("data/inbox")).unwrap().count(), 0, "nothing is left in the inbox");
}

#[test]
fn records_for_an_app_that_is_killed_are_processed_exactly_once_by_the_next_run() {
    let place = Place::new();
    let run = started(&place);
    for part in 0..5 {
        write(&place, &answers(part * 1_000..(part + 1) * 1_000));
    }
    run.kill();
    place.millrace(&format!("{RUN} --until-idle")).good();
    assert_eq!(decisions(&place), (0..5_000).collect::<Vec<_>>());
}

#[test]
fn a_wrong_line_for_a_running_app_is_refused_with_its_whole_batch() {
    let place = Place::new();
    let mut run = started(&place);
    let input = format!("{}nonsense\n", answers(1..=2));
    let said = place.millrace_with("topic write --data data", &input);
    assert_snapshot!(said.bad(), @r#"exit 1: error: nothing was written: line 5: not a JSON object; a line is a record such as {"topic":"orders","key":42,"value":{"id":42},"timestamp":1700000000000}"#);
    assert_eq!(run.terminate().code(), Some(0));
    assert_eq!(decisions(&place), Vec::<i64>::new());
}

#[test]
fn the_message_for_a_wrong_line_says_which_lines_were_written_before_it() {
    let place = Place::new();
    place.create_topics("data", 1);
    let said = place.millrace_with("topic write --data data", &format!("{}nonsense\n", answers(1..=5_001)));
    assert_snapshot!(said.bad(), @r#"exit 1: error: lines up to 10000 were written, and none after it: line 10003: not a JSON object; a line is a record such as {"topic":"orders","key":42,"value":{"id":42},"timestamp":1700000000000}"#);
    let read = |topic: &str| place.millrace(&format!("topic read {topic} --data data")).good().lines().count();
    assert_eq!(read("payment-orders") + read("stock-orders"), 10_000);
}

#[test]
fn a_folder_has_one_run_at_a_time() {
    let place = Place::new();
    let mut run = started(&place);
    assert_snapshot!(place.millrace(RUN).bad(), @"exit 75: error: data/db: in use by another process; stop it, or choose another folder");
    assert!(run.is_running());
    assert_eq!(run.terminate().code(), Some(0));
    place.millrace(&format!("{RUN} --until-idle")).good();
}

#[test]
fn topics_and_tables_can_be_read_while_an_app_runs() {
    let place = Place::new();
    let mut run = started(&place);
    write(&place, &answers(1..=3));
    until("all is in the table", || place.millrace("table get orders 3 --data data").code == Some(0));
    assert_snapshot!(place.millrace("topic list --data data").good(), @"
    topic           partitions  records
    orders                   1        3
    payment-orders           1        3
    recovererDLQ             1        0
    stock-orders             1        3
    ");
    assert_snapshot!(place.millrace("topic read orders --data data --from 1 --limit 1").good(), @r#"{"topic":"orders","partition":0,"key":2,"value":{"id":2,"status":"CONFIRMED","source":null},"timestamp":1700000000002}"#);
    assert_snapshot!(place.millrace("table get orders 2 --data data").good(), @r#"{"key":2,"value":{"id":2,"status":"CONFIRMED","source":null},"timestamp":1700000000002}"#);
    assert_snapshot!(place.millrace("table scan orders --data data").good(), @r#"
    {"key":1,"value":{"id":1,"status":"CONFIRMED","source":null},"timestamp":1700000000001}
    {"key":2,"value":{"id":2,"status":"CONFIRMED","source":null},"timestamp":1700000000002}
    {"key":3,"value":{"id":3,"status":"CONFIRMED","source":null},"timestamp":1700000000003}
    "#);
    assert_eq!(run.terminate().code(), Some(0));
}

/// Which deployment of the rule ran last on the folder.
fn generation(place: &Place) -> u64 {
    let (_, log) = data::open_to_read(&place.path("data")).unwrap();
    let record = log.control(b"deployment/orders/order-status").unwrap().unwrap();
    serde_json::from_slice::<Value>(&record).unwrap()["generation"].as_u64().unwrap()
}

#[test]
fn a_changed_component_is_a_new_generation_and_an_unchanged_one_is_not() {
    let place = Place::new();
    let run = || place.millrace(&format!("{RUN} --until-idle")).good();
    run();
    assert_eq!(generation(&place), 1);
    run();
    assert_eq!(generation(&place), 1);
    // A custom section at the end, named `note`: other bytes, the same code.
    let changed: Vec<u8> = guest().into_iter().chain(*b"\0\x05\x04note").collect();
    place.write("order_status.wasm", changed);
    write(&place, &answers(1..=1));
    run();
    assert_eq!(generation(&place), 2);
    assert_eq!(decisions(&place), [1]);
    place.write("order_status.wasm", guest());
    run();
    assert_eq!(generation(&place), 2, "a restart with old files turns nothing back");
}

#[test]
fn rows_are_found_by_key_page_and_range_with_negative_keys_first() {
    let place = Place::new();
    place.create_topics("data", 3);
    write(&place, &answers([-300, -2, -1, 0, 1, 2, 255, 256, i64::from(i32::MAX), i64::MIN + 1].into_iter()));
    place.millrace(&format!("{RUN} --until-idle")).good();
    let scan = |arguments: &str| keys(&place.millrace(&format!("table scan orders --data data {arguments}")).good());
    let all = [i64::MIN + 1, -300, -2, -1, 0, 1, 2, 255, 256, i64::from(i32::MAX)];
    assert_eq!(scan(""), all);
    for (page, rows) in all.chunks(3).enumerate() {
        assert_eq!(scan(&format!("--page {page} --size 3")), rows);
    }
    assert!(scan("--page 4 --size 3").is_empty());
    assert_eq!(scan("--from -2 --to 1"), [-2, -1, 0, 1]);
    assert_eq!(scan("--from -299 --to=-2"), [-2]);
    assert_eq!(scan("--from 3"), [255, 256, i64::from(i32::MAX)]);
    assert_eq!(scan("--to -2"), [i64::MIN + 1, -300, -2]);
    assert_eq!(scan("--from -2 --page 1 --size 2"), [0, 1]);
    assert!(scan("--from 2 --to 1").is_empty());
    assert_eq!(keys(&place.millrace("table get orders -300 --data data").good()), [-300]);
    assert_snapshot!(place.millrace("table get orders -301 --data data").bad(), @"exit 1: error: table `orders` has no row `-301`");
}
