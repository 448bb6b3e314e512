//! Topics with different partition counts, merged by several processes.

use std::collections::BTreeMap;

use crate::harness::{Plain, shared_broker, until};

/// Each task reads both topics. The second one has fewer partitions; `NARROW` stands for the step that is merged of it.
const PIPELINE: &str = r#"
app = "APP"
[kafka]
"session.timeout.ms" = 2000
"heartbeat.interval.ms" = 400
[[source]]
name = "wide"
topic = "APP-wide"
key = "string"
[[source]]
name = "narrow"
topic = "APP-narrow"
key = "string"
[[merge]]
name = "both"
from = ["wide", "NARROW"]
[[sink]]
from = "both"
topic = "APP-out"
"#;

const STATE: &str = r#"
[[dedup]]
name = "once"
from = "narrow"
within = "1h"
by = ["field:id"]
"#;

const WAVE: i64 = 800;

/// A wave of records over all partitions of both topics.
fn write(app: &Plain, wave: i64) {
    let values = || wave * WAVE..(wave + 1) * WAVE;
    for partition in 0..4 {
        app.write("wide", partition, values().filter(|value| value % 6 == i64::from(partition)));
    }
    for partition in 0..2 {
        app.write("narrow", partition, values().filter(|value| value % 6 == 4 + i64::from(partition)));
    }
}

/// If any input made a process the owner of a task, two processes would run task 1: one has partition 1 of the wide
/// topic, the other has partition 1 of the narrow one.
#[test]
fn a_merge_of_topics_with_unlike_partition_counts_is_exactly_once_while_processes_come_and_go() {
    processes_come_and_go("merge", &PIPELINE.replace("NARROW", "narrow"));
}

#[test]
fn a_merge_of_topics_with_unlike_partition_counts_and_state_is_exactly_once_while_processes_come_and_go() {
    processes_come_and_go("mergestate", &format!("{}{STATE}", PIPELINE.replace("NARROW", "once")));
}

/// For the process that starts later, the other topic is the widest, and each task would have two owners. The first
/// process may have got none of the new partitions.
#[test]
fn a_process_that_started_before_a_topic_grew_ends_when_another_one_joins() {
    let Some(broker) = shared_broker() else { return };
    let pipeline = PIPELINE.replace("NARROW", "narrow");
    let app = Plain::new(&broker, "grown", &pipeline, &[("wide", 7), ("narrow", 6), ("out", 4)]);
    let mut first = app.start("one");
    first.wait_until_running();
    app.write("wide", 1, 0..50);
    app.wait_for("out", |found| found.len() == 50);
    app.kafka.grow(&app.topic("narrow"), 8);
    let mut second = app.start("two");
    for partition in 0..7 {
        app.write("wide", partition, i64::from(partition) * 100 + 100..i64::from(partition) * 100 + 150);
        app.write("narrow", partition + 1, i64::from(partition) * 100 + 150..i64::from(partition) * 100 + 200);
    }
    assert_eq!(first.wait().code(), Some(75));
    assert!(
        first.says("topic `grown-narrow` has 8 partitions, and had 6 when the app started"),
        "{:?}",
        first.entries()
    );
    second.wait_until_running();
    app.wait_for("out", |found| found.len() == 750);
    second.stop();
    assert_eq!(app.all_results("out"), (0..50).chain(100..800).map(|value| (value, 1)).collect());
}

/// The later version merges another topic with the earlier one. Its source is the first in the file: for the new
/// member, the partitions of both topics belong to the member with those of the new topic; for the old member they are
/// its own.
#[test]
fn a_rolling_upgrade_that_adds_an_input_is_exactly_once() {
    let Some(broker) = shared_broker() else { return };
    let before = PIPELINE.replace("[[merge]]\nname = \"both\"\nfrom = [\"wide\", \"NARROW\"]\n", "");
    let before = before.replace("from = \"both\"", "from = \"wide\"");
    let (head, narrow) = before.split_once("[[source]]\nname = \"narrow\"").unwrap();
    let before = format!("{head}{}", narrow.split_once("\"string\"\n").unwrap().1);
    let app = Plain::new(&broker, "upgrade", &before, &[("wide", 4), ("narrow", 4), ("out", 4)]);
    let mut old = app.start("one");
    old.wait_until_running();
    let new_source = "[[source]]\nname = \"narrow\"\ntopic = \"APP-narrow\"\nkey = \"string\"\n";
    let merge = "[[merge]]\nname = \"both\"\nfrom = [\"narrow\", \"wide\"]\n";
    let after = before.replacen("[[source]]", &format!("{new_source}[[source]]"), 1);
    app.change(&after.replace("[[sink]]\nfrom = \"wide\"", &format!("{merge}[[sink]]\nfrom = \"both\"")));
    let mut new = app.start("two");
    new.wait_until_running();
    app.wait_for_members(2);
    for partition in 0..4 {
        let first = i64::from(partition) * 100;
        app.write("wide", partition, first..first + 100);
        app.write("narrow", partition, first + 1000..first + 1100);
    }
    // Partitions 0 and 1 of the new topic wait until the old process is replaced: it has those of the other topic.
    app.wait_for("out", |found| found.len() == 600);
    assert!(new.says("members of the group divide the inputs into tasks in different ways"), "{:?}", new.entries());
    old.stop();
    app.wait_for("out", |found| found.len() == 800);
    let mut third = app.start("one");
    third.wait_until_running();
    app.wait_for_members(2);
    app.write("wide", 0, 2000..2050);
    app.write("narrow", 3, 2050..2100);
    app.wait_for("out", |found| found.len() == 900);
    third.stop();
    new.stop();
    assert_eq!(app.all_results("out"), (0..400).chain(1000..1400).chain(2000..2100).map(|value| (value, 1)).collect());
}

/// Nothing else happens that would cause a rebalance.
#[test]
fn a_process_that_is_alone_ends_when_an_input_grows() {
    let Some(broker) = shared_broker() else { return };
    let app =
        Plain::new(&broker, "wider", &PIPELINE.replace("NARROW", "narrow"), &[("wide", 4), ("narrow", 2), ("out", 1)]);
    let mut process = app.start("one");
    process.wait_until_running();
    app.kafka.grow(&app.topic("wide"), 6);
    assert_eq!(process.wait().code(), Some(75));
    let said = "topic `wider-wide` has 6 partitions, and had 4 when the app started: start it again";
    assert!(process.says(said), "{:?}", process.entries());
}

fn processes_come_and_go(name: &str, pipeline: &str) {
    let Some(broker) = shared_broker() else { return };
    let app = Plain::new(&broker, name, pipeline, &[("wide", 4), ("narrow", 2), ("out", 4)]);
    let out = |waves: i64| app.wait_for("out", |found| found.len() as i64 >= waves * WAVE);
    let mut first = app.start("one");
    first.wait_until_running();
    write(&app, 0);
    let mut second = app.start("two");
    second.wait_until_running();
    app.wait_for_members(2);
    write(&app, 1);
    out(2);
    let mut third = app.start("three");
    write(&app, 2);
    third.wait_until_running();
    app.wait_for_members(3);
    write(&app, 3);
    first.stop();
    write(&app, 4);
    second.kill();
    app.wait_for_members(1);
    out(5);
    until("the last one has all", || third.is_alive() && app.all_results("out").len() as i64 == 5 * WAVE);
    third.stop();
    let once: BTreeMap<_, _> = (0..5 * WAVE).map(|value| (value, 1)).collect();
    let found = app.all_results("out");
    let doubled = found.values().filter(|count| **count > 1).count();
    assert!(found == once, "{doubled} of {} records came out more than once", once.len());
}
