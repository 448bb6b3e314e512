//! A partition that can't go on doesn't block others.

use std::collections::BTreeMap;

use millrace_broker::{Operation, Options};

use crate::harness::{OpenTransaction, Plain, Process, allow, options, own_broker, shared_broker};

/// One worker has both partitions.
const PIPELINE: &str = r#"
app = "APP"
[kafka]
"session.timeout.ms" = 2000
"heartbeat.interval.ms" = 400
[[source]]
name = "in"
topic = "APP-in"
key = "string"
[[dedup]]
name = "once"
from = "in"
within = "1h"
by = ["field:id"]
[[sink]]
from = "once"
topic = "APP-out"
"#;

const TOPICS: [(&str, i32); 2] = [("in", 2), ("out", 1)];

/// Values of the two partitions: those of the second are odd.
fn values(from: i64, partition: i64) -> impl Iterator<Item = i64> {
    (from..from + 20).filter(move |value| value % 2 == partition)
}

fn write(app: &Plain, from: i64) {
    app.write("in", 0, values(from, 0));
    app.write("in", 1, values(from, 1));
}

/// Waits for the results of all values below this one of the second partition. The first partition must have none from
/// `first` on.
fn the_neighbour_goes_on(app: &Plain, first: i64, to: i64) {
    app.wait_for("out", |found| (0..to).filter(|value| value % 2 == 1).all(|value| found.contains_key(&value)));
    assert!(app.all_results("out").keys().all(|value| value % 2 == 1 || *value < first), "it was to wait");
}

fn finish(app: &Plain, process: Process, to: i64) {
    app.wait_for("out", |found| found.len() as i64 >= to);
    process.stop();
    let once: BTreeMap<_, _> = (0..to).map(|value| (value, 1)).collect();
    assert_eq!(app.all_results("out"), once);
}

/// Until the transaction ends, the partition's committed offset is unknown.
#[test]
fn a_partition_whose_committed_offset_is_undecided_does_not_block_others() {
    let Some(broker) = shared_broker() else { return };
    let app = Plain::new(&broker, "undecided", PIPELINE, &TOPICS);
    write(&app, 0);
    let open = OpenTransaction::with_an_offset(&broker, "undecided-foreign", &app.name, &app.topic("in"), 0);
    let mut process = app.start("data");
    the_neighbour_goes_on(&app, 0, 20);
    process.wait_until_it_says("its committed offset waits for a transaction");
    let said = process.logged("a partition can't be processed yet, and is tried again: others go on");
    assert_eq!((&said[0]["topic"], &said[0]["partition"]), (&app.topic("in").into(), &0.into()), "{said:?}");

    // The same over a rebalance: another process joins, gets one of the two partitions, and leaves.
    let other = app.start("other");
    app.wait_for_members(2);
    write(&app, 20);
    the_neighbour_goes_on(&app, 0, 40);
    other.stop();
    write(&app, 40);
    the_neighbour_goes_on(&app, 0, 60);

    open.end();
    process.wait_until_running();
    finish(&app, process, 60);
}

/// Until the transaction ends, the state can't be restored completely.
#[test]
fn a_partition_whose_changelog_has_an_open_transaction_does_not_block_others() {
    let Some(broker) = shared_broker() else { return };
    let app = Plain::new(&broker, "heldback", PIPELINE, &TOPICS);
    write(&app, 0);
    let mut process = app.start("before");
    process.wait_until_running();
    app.wait_for("out", |found| found.len() == 20);
    process.stop();

    let changelog = app.topic("once-changelog");
    let open = OpenTransaction::with_a_record(&broker, "heldback-foreign", &changelog, 0);
    let mut process = app.start("data");
    write(&app, 20);
    the_neighbour_goes_on(&app, 20, 40);
    process.wait_until_it_says("restoring has stood still");
    open.end();
    process.wait_until_running();
    finish(&app, process, 40);
}

/// Until the transaction ends, the records after it can't be read.
#[test]
fn a_partition_whose_input_has_an_open_transaction_is_named_and_does_not_block_others() {
    let Some(broker) = shared_broker() else { return };
    let app = Plain::new(&broker, "inputheld", PIPELINE, &TOPICS);
    let mut process = app.start("data");
    process.wait_until_running();
    let open = OpenTransaction::with_a_record(&broker, "inputheld-foreign", &app.topic("in"), 0);
    write(&app, 0);
    the_neighbour_goes_on(&app, 0, 20);
    process.wait_until_it_says("nothing comes from a partition that isn't read to its end");
    let said = process.entries().into_iter().find(|entry| entry["next"].is_number()).unwrap();
    assert_eq!((&said["topic"], &said["partition"]), (&app.topic("in").into(), &0.into()), "{said:?}");
    open.end();
    finish(&app, process, 20);
}

/// Two inputs of one worker, each with an output, and an interval that no test waits for.
const APART: &str = r#"
app = "APP"
commit-interval = "200s"
[[source]]
name = "shut"
topic = "APP-shut"
key = "string"
[[source]]
name = "open"
topic = "APP-open"
key = "string"
[[sink]]
from = "shut"
topic = "APP-shut-out"
[[sink]]
from = "open"
topic = "APP-open-out"
"#;

#[test]
fn results_are_committed_at_once_although_another_input_may_not_be_read() {
    let Some(mut cluster) = own_broker(Options { acls: true, ..options() }) else { return };
    let topics = [("shut", 1), ("open", 1), ("shut-out", 1), ("open-out", 1)];
    let app = Plain::new(&cluster.bootstrap(), "shut", APART, &topics);
    let process = app.start("data");
    let both = |from: i64| {
        for topic in ["shut", "open"] {
            app.write(topic, 0, from..from + 10);
            app.wait_for(&format!("{topic}-out"), |found| found.len() as i64 == from + 10);
        }
    };
    both(0);
    cluster.forbid(&app.topic("shut"), Operation::Read).unwrap();
    process.wait_until_it_says("a partition can't be read, and is tried again");
    app.write("open", 0, 10..20);
    app.wait_for("open-out", |found| found.len() == 20);
    allow(&cluster.bootstrap(), &app.topic("shut"));
    app.write("shut", 0, 10..20);
    app.wait_for("shut-out", |found| found.len() == 20);
    both(20);
    process.stop();
}

/// Three nodes, and each of the two partitions on one of them only.
#[test]
fn a_partition_without_a_leader_does_not_block_others() {
    let settings = options().settings;
    let Some(mut cluster) = own_broker(Options { nodes: 3, settings, ..Options::default() }) else { return };
    let app = Plain::new(&cluster.bootstrap(), "leaderless", PIPELINE, &[("out", 1)]);
    let ids = app.kafka.nodes();
    app.kafka.create_on(&app.topic("in"), &[&ids[..1], &ids[1..2]]);
    write(&app, 0);
    let first = app.start("data");
    app.wait_for("out", |found| found.len() == 20);
    first.stop();

    write(&app, 20);
    cluster.kill(0).unwrap();
    let mut process = app.start("data");
    the_neighbour_goes_on(&app, 20, 40);
    process.wait_until_it_says("no broker leads the partition");
    cluster.start_node(0).unwrap();
    process.wait_until_running();
    finish(&app, process, 40);
}

/// A process that is killed during its start leaves such a transaction open until the broker aborts it.
#[test]
fn a_reset_waits_for_a_transaction_in_the_control_topic() {
    let Some(broker) = shared_broker() else { return };
    let app = Plain::new(&broker, "resettled", PIPELINE, &TOPICS);
    write(&app, 0);
    finish(&app, app.start("data"), 20);
    let open = OpenTransaction::with_a_record(&broker, "resettled-foreign", &app.topic("control"), 0);
    let command = app.command(&format!("reset resettled --kafka {broker} --yes"));
    let folder = tempfile::tempdir().unwrap();
    let mut reset = Process::start(command, &folder.path().join("log"));
    reset.wait_until_it_says(&format!("find-hanging --topic {}", app.topic("control")));
    open.end();
    assert_eq!(reset.wait().code(), Some(0), "{:?}", reset.entries());
}
