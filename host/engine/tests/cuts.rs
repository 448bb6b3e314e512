//! The ends of passes have no effect: outputs and their order are the same with passes of one entry.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::ports::DeploymentId;
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::task::{Deployed, Task, TaskOptions};
use millrace_engine::topology::Topology;
use support::{Disk, Play, Rules, play_records, topology};

const SOURCES: &str = r#"
    [[source]]
    name = "in"
    topic = "in"
    value = "bytes"
    [[source]]
    name = "other"
    topic = "other"
    value = "bytes"
"#;

/// Checks that outputs are the same with passes of any size, where commits in between delete expired entries. Every
/// `commit_every` lines there is a commit that flushes pending results.
#[track_caller]
fn assert_unseen(steps: &str, lines: &[&str], commit_every: usize) {
    let topology = topology(steps);
    let plain = Play { commit_every, ..Play::PLAIN };
    let expected = play_records(&topology, lines, &plain);
    assert!(!expected.is_empty());
    for (pass_bytes, restart_between) in [(1, false), (1, true), (1_500, false), (1_500, true)] {
        for batch in [1, 100] {
            let way = Play { batch, pass_bytes, restart_between, ..plain.clone() };
            assert_eq!(play_records(&topology, lines, &way), expected, "{way:?}");
        }
    }
}

fn aggregate(settings: &str) -> String {
    let aggregate = format!("[[aggregate]]\nname = \"sums\"\nfrom = \"in\"\ncall = \"t.append\"\n{settings}\n");
    format!(
        "{SOURCES}{aggregate}[[sink]]\nfrom = \"sums\"\ntopic = \"out\"\n[[sink]]\nfrom = \"other\"\ntopic = \"all\"\n"
    )
}

#[test]
fn open_windows_do_not_expire_at_a_commit_between_passes() {
    let lines = ["in a x @1", "in b x @3", "in c x @4", "in a y @12", "in d x @14", "in a z @900", "in b z @2000"];
    for window in [
        "{ tumbling = \"10ms\" }",
        "{ hopping = \"20ms\", every = \"7ms\" }",
        "{ sliding = \"6ms\" }",
        "{ session = \"4ms\" }",
    ] {
        assert_unseen(&aggregate(&format!("window = {window}\ngrace = \"3ms\"\nemit = \"final\"")), &lines, usize::MAX);
    }
}

/// Two steps that emit at commits, each with a step behind it that makes two records of one.
fn two_steps_that_emit_at_commits() -> String {
    format!(
        r#"{SOURCES}
        [[aggregate]]
        name = "first"
        from = "in"
        call = "t.append"
        emit = "commit"
        [[transform]]
        name = "doubled"
        from = "first"
        call = "t.twice"
        [[aggregate]]
        name = "second"
        from = "doubled"
        call = "t.append"
        emit = "commit"
        [[transform]]
        name = "last"
        from = "second"
        call = "t.twice"
        [[sink]]
        from = "last"
        topic = "out"
        [[sink]]
        from = "other"
        topic = "all"
    "#
    )
}

#[test]
fn a_commit_emits_all_pending_results_in_any_number_of_passes() {
    let lines = ["in a x @1", "in b x @2", "in c x @3", "in a y @4", "in b y @5", "in c y @6", "in d y @7"];
    assert_unseen(&two_steps_that_emit_at_commits(), &lines, 4);
}

/// A step whose windows close at once, and a step behind it that emits at commits.
const CLOSING: &str = r#"
    [[source]]
    name = "in"
    topic = "in"
    value = "bytes"
    [[aggregate]]
    name = "sums"
    from = "in"
    call = "t.append"
    window = { tumbling = "10ms" }
    emit = "final"
    [[aggregate]]
    name = "totals"
    from = "sums"
    call = "t.append"
    emit = "commit"
    [[transform]]
    name = "doubled"
    from = "totals"
    call = "t.twice"
    [[sink]]
    from = "doubled"
    topic = "out"
"#;

#[test]
fn results_pending_behind_a_jump_of_time_are_emitted_with_the_next_commit() {
    let lines = ["in a x @1", "in b x @2", "in c x @3", "in a y @900", "in b y @901", "in a z @2000", "in c z @2001"];
    for commit_every in [usize::MAX, 4, 6] {
        assert_unseen(CLOSING, &lines, commit_every);
    }
}

#[test]
fn a_scan_of_unmatched_records_ends_at_the_same_record_with_any_budget() {
    let join = r#"
        [[join]]
        name = "pairs"
        left = "in"
        right = "other"
        kind = "outer"
        before = "0ms"
        after = "50ms"
        grace = "10ms"
        call = "t.cat"
        [[sink]]
        from = "pairs"
        topic = "out"
    "#;
    let lines = [
        "in a x @60",
        "other b x @70",
        "other c x @70",
        "other d x @70",
        "other e x @75",
        "other f x @79",
        "other g x @80",
        "in h x @86",
        "other i x @89",
        "other j x @91",
        "other k x @99",
    ];
    assert_unseen(&format!("{SOURCES}{join}"), &lines, usize::MAX);
}

fn open(topology: &Arc<Topology>, disk: &Disk) -> Task {
    let deployed = [Deployed::new(DeploymentId(0), 1, "d")];
    let partitions = topology.topics.iter().map(|_| 1).collect();
    let options = TaskOptions { pass_bytes: 1, ..TaskOptions::new(0, 0, partitions, deployed.into()) };
    Task::open(Arc::clone(topology), options, disk.partition(0)).unwrap()
}

fn offer(task: &mut Task, offset: i64, value: &'static str) {
    let (key, value) = (Some(Bytes::from(format!("k{offset}"))), Some(Bytes::from(value)));
    let (timestamp_type, headers) = (TimestampType::CreateTime, Headers::EMPTY);
    task.offer(0, InputRecord { offset, timestamp: 1, timestamp_type, key, value, headers, arrived: 0, turn: 0 });
}

#[test]
fn a_tick_fires_timers_of_one_pass_and_continues_after_a_commit() {
    let steps = "[[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"\n\
                 [[process]]\nname = \"alarms\"\nfrom = \"in\"\ncall = \"t.alarm\"\n\
                 [[sink]]\nfrom = \"alarms\"\ntopic = \"out\"\n";
    let (topology, disk) = (topology(steps), Disk::default());
    let (mut task, mut rules) = (open(&topology, &disk), Rules::new(&topology));
    (0..5).for_each(|offset| offer(&mut task, offset, "wat.a.5"));
    while task.ready() {
        task.run(&mut rules, 1).unwrap();
    }
    let mut keys = Vec::new();
    let mut outputs = task.tick(&mut rules, 10, 0).unwrap();
    loop {
        assert!(outputs.len() <= 1, "{outputs:?}");
        keys.extend(outputs.into_iter().filter_map(|output| output.key));
        let prepared = task.prepare();
        disk.commit(0, &prepared.changes);
        task = open(&topology, &disk);
        if !task.ready() {
            break;
        }
        outputs = task.run(&mut rules, 1).unwrap();
    }
    assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4"]);
    assert_eq!(task.next_tick(), None);
}

/// A task with pending results.
fn waiting() -> (Task, Rules) {
    let topology = topology(&aggregate("emit = \"commit\""));
    let (mut task, mut rules) = (open(&topology, &Disk::default()), Rules::new(&topology));
    (0..3).for_each(|offset| offer(&mut task, offset, "x"));
    while task.ready() {
        assert!(task.run(&mut rules, 10).unwrap().is_empty());
    }
    (task, rules)
}

#[test]
fn pending_results_stay_pending_while_a_transaction_is_written_in_parts() {
    let (mut task, mut rules) = waiting();
    assert!(task.transaction_bytes() > task.waiting_bytes());
    assert!(!task.prepare_part().changes.is_empty());
    assert!(task.waiting_bytes() > 0);
    assert_eq!(task.transaction_bytes(), task.waiting_bytes(), "no other change is unwritten");
    let mut outputs = 0;
    while !task.is_flushed() {
        outputs += task.flush(&mut rules, 0, 0).unwrap().len();
    }
    assert_eq!((outputs, task.waiting_bytes()), (3, 0));
    task.prepare();
}

/// Commits a task, which may have an unfinished run, and opens it anew.
fn restarted(mut task: Task, topology: &Arc<Topology>, disk: &Disk) -> Task {
    assert!(task.may_commit());
    disk.commit(0, &task.prepare().changes);
    open(topology, disk)
}

#[test]
fn commits_between_passes_store_pending_results_and_each_result_is_emitted_once() {
    let topology = topology(CLOSING);
    let outputs = |every_pass: bool| {
        let disk = Disk::default();
        let (mut task, mut rules) = (open(&topology, &disk), Rules::new(&topology));
        (0..5).for_each(|offset| offer(&mut task, offset, "x"));
        while task.ready() {
            assert!(task.run(&mut rules, 10).unwrap().is_empty());
        }
        task = restarted(task, &topology, &disk);
        let (key, value) = (Some(Bytes::from("late")), Some(Bytes::from("x")));
        let (timestamp_type, headers) = (TimestampType::CreateTime, Headers::EMPTY);
        task.offer(
            0,
            InputRecord { offset: 9, timestamp: 99, timestamp_type, key, value, headers, arrived: 0, turn: 0 },
        );
        let (mut outputs, mut commits) = (Vec::new(), 0);
        // The run closes five windows, one per pass; then the flush emits five results.
        while task.ready() || !task.is_flushed() {
            let ready = task.ready();
            let produced =
                if ready { task.run(&mut rules, 10).unwrap() } else { task.flush(&mut rules, 0, 0).unwrap() };
            outputs.extend(produced.into_iter().map(|record| (record.key, record.value, record.timestamp)));
            if every_pass && task.may_commit() {
                task = restarted(task, &topology, &disk);
                commits += 1;
            }
        }
        task = restarted(task, &topology, &disk);
        assert!(!task.ready() && task.is_flushed());
        assert!(!every_pass || commits >= 9, "{commits} commits");
        let rests = disk.dump().into_iter().filter(|entry| entry.contains("rest/"));
        assert_eq!(rests.collect::<Vec<_>>(), Vec::<String>::new());
        outputs
    };
    let whole = outputs(false);
    assert_eq!(whole.len(), 10);
    assert_eq!(outputs(true), whole);
}

#[test]
fn a_flush_that_has_begun_continues_with_the_runs_after_the_commit() {
    let (topology, disk) = (topology(&two_steps_that_emit_at_commits()), Disk::default());
    let (mut task, mut rules) = (open(&topology, &disk), Rules::new(&topology));
    (0..3).for_each(|offset| offer(&mut task, offset, "x"));
    while task.ready() {
        task.run(&mut rules, 10).unwrap();
    }
    assert!(!task.may_commit());
    task.begin_flush(0, 0);
    let mut task = restarted(task, &topology, &disk);
    let mut outputs = 0;
    while task.ready() {
        outputs += task.run(&mut rules, 10).unwrap().len();
        task = restarted(task, &topology, &disk);
    }
    assert_eq!(outputs, 6);
}

#[test]
#[should_panic(expected = "flushed before")]
fn a_task_with_pending_results_may_not_be_committed() {
    waiting().0.prepare();
}

#[test]
fn a_flush_ends_after_later_steps_have_emitted_their_results() {
    let (topology, disk) = (topology(&two_steps_that_emit_at_commits()), Disk::default());
    let (mut task, mut rules) = (open(&topology, &disk), Rules::new(&topology));
    (0..3).for_each(|offset| offer(&mut task, offset, "x"));
    while task.ready() {
        task.run(&mut rules, 10).unwrap();
    }
    let (mut outputs, mut passes) = (0, 0);
    while !task.is_flushed() {
        outputs += task.flush(&mut rules, 0, 0).unwrap().len();
        passes += 1;
    }
    disk.commit(0, &task.prepare().changes);
    assert!(passes > 3, "{passes} passes");
    assert_eq!(outputs, 6);
    assert!(!open(&topology, &disk).ready());
}
