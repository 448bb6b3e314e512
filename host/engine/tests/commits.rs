//! The changes of a task at a commit: positions in its inputs, and entries of the meta store.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::deployment::ActivePlugins;
use millrace_engine::ports::DeploymentId;
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::task::{Deployed, InputPosition, Prepared, Task, TaskError, TaskOptions};
use millrace_engine::topology::Topology;
use support::{Disk, Rules, topology};

/// Two sub-topologies, with a join and an aggregate in the first, and an aggregate in the second.
const STEPS: &str = r#"
    [[source]]
    name = "left"
    topic = "left"
    value = "bytes"
    [[source]]
    name = "right"
    topic = "right"
    value = "bytes"
    [[join]]
    name = "pairs"
    left = "left"
    right = "right"
    within = "5ms"
    call = "t.cat"
    [[aggregate]]
    name = "sum"
    from = "left"
    call = "t.append"
    [[transform]]
    name = "keyed"
    from = "sum"
    call = "t.rekey"
    [[sink]]
    from = "pairs"
    topic = "out"
    [[aggregate]]
    name = "count"
    from = "keyed"
    call = "t.append"
    [[sink]]
    from = "count"
    topic = "counts"
"#;

/// Steps with state, but no state of a plugin.
const STATELESS: &str = r#"
    [[source]]
    name = "left"
    topic = "left"
    value = "bytes"
    [[transform]]
    name = "keyed"
    from = "left"
    call = "t.rekey"
    [[table]]
    name = "rows"
    from = "left"
    [[sink]]
    from = "keyed"
    topic = "out"
"#;

fn open(topology: &Arc<Topology>, disk: &Disk, part: usize, generation: u32) -> Result<Task, TaskError> {
    let partitions = topology.topics.iter().map(|_| 1).collect();
    let options = TaskOptions::new(part, 0, partitions, deployed(generation));
    Task::open(Arc::clone(topology), options, disk.partition(0))
}

fn deployed(generation: u32) -> Arc<[Deployed]> {
    Arc::new([Deployed::new(DeploymentId(0), generation, "d")])
}

/// Runs a record with the key `k` through a task.
fn run(task: &mut Task, topology: &Topology, input: usize, offset: i64, timestamp: i64) {
    let (key, value) = (Some(Bytes::from("k")), Some(Bytes::from("v")));
    let (timestamp_type, headers) = (TimestampType::CreateTime, Headers::EMPTY);
    task.offer(input, InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived: 0, turn: 0 });
    task.run(&mut Rules::new(topology), usize::MAX).unwrap();
}

fn commit(task: &mut Task, disk: &Disk) -> Prepared {
    let prepared = task.prepare();
    disk.commit(0, &prepared.changes);
    prepared
}

/// Positions of a task, by input.
fn positions(prepared: &Prepared) -> Vec<(Option<i64>, Option<i64>)> {
    prepared.offsets.iter().map(|InputPosition { next, time, .. }| (*next, *time)).collect()
}

/// The entries of the meta store that a commit changes.
fn meta(topology: &Topology, prepared: &Prepared) -> Vec<String> {
    let meta = topology.subtopologies[0].meta;
    let changes = prepared.changes.iter().filter(|changes| changes.store == meta);
    changes.flat_map(|changes| &changes.entries).map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
}

/// Number of entries that a commit changes.
fn entries(prepared: &Prepared) -> usize {
    prepared.changes.iter().map(|changes| changes.entries.len()).sum()
}

#[test]
fn an_input_keeps_the_highest_time_processed_over_restarts() {
    let (topology, disk) = (topology(STEPS), Disk::default());
    let mut task = open(&topology, &disk, 0, 1).unwrap();
    assert_eq!(positions(&task.prepare()), [(None, None), (None, None)]);
    run(&mut task, &topology, 0, 4, 20);
    run(&mut task, &topology, 0, 5, 10);
    run(&mut task, &topology, 1, 0, -1);
    let prepared = commit(&mut task, &disk);
    assert_eq!(positions(&prepared), [(Some(6), Some(20)), (Some(1), None)]);
    assert_eq!(prepared.offsets.iter().map(|position| position.topic).collect::<Vec<_>>(), task.inputs());

    let mut task = open(&topology, &disk, 0, 1).unwrap();
    task.restore_time(0, 20);
    assert_eq!(positions(&task.prepare()), [(None, Some(20)), (None, None)]);
    run(&mut task, &topology, 0, 6, 15);
    assert_eq!(positions(&task.prepare()), [(Some(7), Some(20)), (None, None)]);
    task.restore_time(0, 3);
    run(&mut task, &topology, 0, 7, 21);
    assert_eq!(positions(&task.prepare()), [(Some(8), Some(21)), (None, None)]);
}

#[test]
fn a_queued_record_does_not_advance_time() {
    let (topology, disk) = (topology(STEPS), Disk::default());
    let mut task = open(&topology, &disk, 0, 1).unwrap();
    task.expect_more(1, true);
    run(&mut task, &topology, 0, 0, 20);
    assert_eq!(positions(&task.prepare()), [(None, None), (None, None)]);
}

#[test]
fn a_commit_writes_only_changed_entries() {
    let (topology, disk) = (topology(STEPS), Disk::default());
    let mut task = open(&topology, &disk, 0, 1).unwrap();
    assert_eq!(entries(&commit(&mut task, &disk)), 0, "no record was processed");
    run(&mut task, &topology, 0, 0, 20);
    let first = ["deployment/keyed", "deployment/pairs", "deployment/sum"];
    assert_eq!(meta(&topology, &commit(&mut task, &disk)), first);
    run(&mut task, &topology, 1, 0, 20);
    let second = commit(&mut task, &disk);
    assert_eq!((meta(&topology, &second), entries(&second)), (Vec::new(), 2), "a record and the clock of its side");
    assert_eq!(entries(&commit(&mut task, &disk)), 0);

    let mut task = open(&topology, &disk, 0, 1).unwrap();
    assert_eq!(entries(&commit(&mut task, &disk)), 0, "a restart changes nothing");
    run(&mut task, &topology, 0, 1, 21);
    assert_eq!(meta(&topology, &commit(&mut task, &disk)), [""; 0]);

    let mut task = open(&topology, &disk, 0, 2).unwrap();
    assert_eq!(entries(&commit(&mut task, &disk)), 0, "the other deployment has written no state");
    run(&mut task, &topology, 1, 1, 22);
    assert_eq!(meta(&topology, &commit(&mut task, &disk)), first);
}

#[test]
fn a_task_refuses_a_deployment_older_than_the_one_that_wrote_its_state() {
    let (topology, disk) = (topology(STEPS), Disk::default());
    let mut task = open(&topology, &disk, 0, 2).unwrap();
    run(&mut task, &topology, 0, 0, 20);
    commit(&mut task, &disk);
    match open(&topology, &disk, 0, 1).err() {
        Some(TaskError::OldDeployment { plugin, recorded: 2, active: 1 }) => assert_eq!(plugin, "t"),
        other => panic!("{other:?}"),
    }
    assert!(open(&topology, &disk, 1, 1).is_ok(), "the other sub-topology's steps have written no state with it");
    assert!(open(&topology, &disk, 0, 2).is_ok());
}

#[test]
fn an_older_deployment_is_accepted_where_the_step_has_no_state() {
    let (without, disk) = (topology(STATELESS), Disk::default());
    let mut task = open(&without, &disk, 0, 2).unwrap();
    run(&mut task, &without, 0, 0, 20);
    commit(&mut task, &disk);
    assert!(open(&without, &disk, 0, 1).is_ok());
}

#[test]
fn a_task_goes_on_with_a_newer_deployment_and_records_it_with_its_state() {
    let (topology, disk) = (topology(STEPS), Disk::default());
    let mut task = open(&topology, &disk, 0, 1).unwrap();
    run(&mut task, &topology, 0, 0, 20);
    commit(&mut task, &disk);
    let newer = ActivePlugins::new(Arc::clone(&topology), deployed(2));
    task.swap(&newer).unwrap();
    assert_eq!(entries(&commit(&mut task, &disk)), 0, "it has written no state yet");
    run(&mut task, &topology, 0, 1, 21);
    let written = meta(&topology, &commit(&mut task, &disk));
    assert_eq!(written, ["deployment/keyed", "deployment/pairs", "deployment/sum"]);
    let older = ActivePlugins::new(Arc::clone(&topology), deployed(1));
    match task.swap(&older).unwrap_err() {
        TaskError::OldDeployment { recorded: 2, active: 1, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_step_with_another_plugin_starts_with_any_generation() {
    let disk = Disk::default();
    let before = topology(STEPS);
    let mut task = open(&before, &disk, 0, 7).unwrap();
    run(&mut task, &before, 0, 0, 20);
    commit(&mut task, &disk);
    let mut after = Topology::clone(&before);
    after.plugins[0].name = "other".into();
    assert!(open(&Arc::new(after), &disk, 0, 1).is_ok());
}

#[test]
fn each_key_of_the_meta_store_has_one_owner_and_keys_of_missing_steps_have_none() {
    let topology = topology(STEPS);
    let owner = |key: &str| topology.meta_owner(key.as_bytes());
    assert_eq!(topology.subtopologies.len(), 2);
    for (key, expected) in [
        ("deployment/pairs", Some(0)),
        ("deployment/sum", Some(0)),
        // A node of the same name in the second sub-topology reads its repartition topic.
        ("deployment/keyed", Some(0)),
        ("deployment/count", Some(1)),
        // It has no call.
        ("deployment/left", None),
        ("deployment/gone", None),
        ("deployment/", None),
        ("input/left", Some(0)),
        ("input/gone", None),
        ("something-else/pairs", None),
        // An unfinished run belongs to the sub-topology that reads the topic.
        ("rest/left/00000000", Some(0)),
        ("rest/right/00000000", Some(0)),
        ("rest/test-keyed-repartition/00000001", Some(1)),
        ("rest/keyed/00000001", None),
        ("rest/pairs/00000000", None),
    ] {
        assert_eq!(owner(key), expected, "{key}");
    }
    assert_eq!(topology.meta_owner(b"deployment/\xff"), None);
}
