//! Pipelines that can't go on with an unfinished run.

use super::*;

#[test]
fn a_task_refuses_to_start_with_two_unfinished_runs() {
    let folder = Folder::default();
    let before = topology(&(plain("a") + &plain("b")));
    for (part, topic) in [(0, "a"), (1, "b")] {
        let mut case = Case::part(&before, part, &folder);
        (0..2).for_each(|time| case.offer(topic, "1x1", time));
        case.pass();
    }
    let error = Case::error(&(plain("a") + &plain("b") + &merge("m", &["a", "b"]) + &sink("m", "all")), &folder);
    assert!(error.contains("topic `b`") && error.contains("`a` are connected now"), "{error}");
    assert!(error.contains("Run the pipeline as it was until it is idle"), "{error}");
}

#[test]
fn a_run_over_a_topic_without_a_reader_is_refused_by_topic() {
    let folder = Folder::default();
    let before = topology(&plain("a"));
    let mut case = Case::part(&before, 0, &folder);
    (0..2).for_each(|time| case.offer("a", "1x1", time));
    case.pass();
    before.check_rests(&folder.for_pipeline(&before), 0, &[1; 3]).unwrap();
    let after = topology(&plain("b"));
    let error = after.check_rests(&folder.for_pipeline(&after), 0, &[1; 3]).unwrap_err().to_string();
    assert!(error.contains("over the topic `a`") && error.contains("no step reads this topic any more"), "{error}");
}

#[test]
fn a_run_over_a_partition_without_a_task_is_refused_by_topic() {
    let folder = Folder::default();
    let topology = topology(&plain("a"));
    let mut case = Case::new(&plain("a"), &folder);
    (0..2).for_each(|time| case.offer("a", "1x1", time));
    case.pass();
    topology.check_rests(&folder.for_pipeline(&topology), 0, &narrow_a(&topology)).unwrap();
    let error = topology.check_rests(&folder.for_pipeline(&topology), 1, &narrow_a(&topology)).unwrap_err().to_string();
    assert!(error.contains("the topic `a`") && error.contains("have no partition 1 any more"), "{error}");
}

#[test]
fn a_task_refuses_to_start_if_its_run_waits_for_steps_of_another_task() {
    let folder = Folder::default();
    let apart = plain("a") + &plain("b");
    let mut case = Case::new(&(apart.clone() + &merge("m", &["a", "b"]) + &sink("m", "all")), &folder);
    [("a", 0), ("a", 1), ("b", 2)].into_iter().for_each(|(topic, time)| case.offer(topic, "1x1", time));
    case.pass();
    let error = Case::error(&apart, &folder);
    assert!(
        error.contains("over the topic `a`")
            && error.contains("waits for the source of the topic `b`, which is no longer connected"),
        "{error}"
    );
}

#[test]
fn a_task_refuses_to_start_if_a_record_waits_for_a_missing_step_or_topic() {
    let folder = Folder::default();
    let letters = |dlq: &str| source("in").replace("\"bytes\"\n", &format!("\"json\"\ndlq = \"{dlq}\"\n"));
    let steps =
        |dlq: &str, big: &str, out: &str| letters(dlq) + &step("transform", big, "in", "many") + &sink(big, out);
    let mut case = Case::new(&steps("old", "big", "out"), &folder);
    [("1", 0), ("2", 1), ("bad", 2)].into_iter().for_each(|(value, time)| case.offer("in", value, time));
    assert_eq!(case.pass().len(), 1);
    let gone = "which this pipeline no longer";
    let error = Case::error(&steps("old", "other", "out"), &folder);
    assert!(error.contains(&format!("waits for the step `big`, {gone} has")), "{error}");
    assert!(error.contains("Run the pipeline as it was") && error.contains("or start anew"), "{error}");
    let error = Case::error(&steps("new", "big", "out"), &folder);
    assert!(error.contains(&format!("goes to the topic `old`, {gone} writes")), "{error}");
    let mut case = Case::new(&steps("old", "big", "else"), &folder);
    assert_eq!(case.all(), ["else 2", "old bad"], "no record waited for the sink");
}

#[test]
fn a_task_refuses_to_start_if_a_record_waits_for_a_sink_that_has_another_topic_now() {
    let folder = Folder::default();
    let mut case = Case::new(&sink_first(), &folder);
    [("1x1", 0), ("1x2", 1), ("b", 2)].into_iter().for_each(|(value, time)| case.offer("in", value, time));
    case.pass();
    let error = Case::error(&sink_first().replace("\"raw\"", "\"else\""), &folder);
    assert!(
        error.contains("the sink of the topic `in` to the topic `raw`, which this pipeline no longer has"),
        "{error}"
    );
}

#[test]
fn a_task_refuses_to_start_if_a_record_comes_from_a_missing_step() {
    let folder = Folder::default();
    let steps = |input: &str, merged: &str| {
        let source = source("in").replace("name = \"in\"", &format!("name = \"{input}\""));
        source + &merge(merged, &[input]) + &step("transform", "big", merged, "many") + &sink("big", "out")
    };
    let mut case = Case::new(&steps("in", "m"), &folder);
    (0..3).for_each(|time| case.offer("in", "1x1", time));
    assert_eq!(case.pass().len(), 1);
    let error = Case::error(&steps("in", "other"), &folder);
    assert!(error.contains("comes from the step `m`, which this pipeline no longer has"), "{error}");
    let mut case = Case::new(&steps("renamed", "m"), &folder);
    assert_eq!(case.all(), ["out 1x1", "out 1x1"], "a source is identified by its topic");
}

#[test]
fn a_damaged_run_or_one_of_another_version_is_refused_by_topic() {
    let topology = topology(&plain("in"));
    let written = || {
        let folder = Folder::default();
        let mut case = Case::part(&topology, 0, &folder);
        (0..2).for_each(|time| case.offer("in", "1x1", time));
        case.pass();
        folder
    };
    let error = |place: usize, change: &dyn Fn(&Bytes) -> Option<Bytes>| {
        let folder = written();
        let (key, value) = folder.parts(&topology).swap_remove(place);
        let entries = vec![(key, change(&value))];
        let store = topology.subtopologies[0].meta;
        folder.commit(&topology, vec![StoreChanges { store, entries, expire_before: None }]);
        Case::with(&topology, options(&topology, 0), &folder).err().unwrap().to_string()
    };
    let format = error(0, &|value| Some([&[77], &value[1..]].concat().into()));
    assert!(
        format.contains("over the topic `in`") && format.contains("another version of millrace has stored it"),
        "{format}"
    );
    assert!(format.contains("format 77"), "{format}");
    let parts = written().parts(&topology).len();
    assert!(parts > 2);
    for part in 0..parts {
        let longer = error(part, &|value| Some([value, &[0][..]].concat().into()));
        let shorter = error(part, &|value| Some(value.slice(..value.len() - 1)));
        let gone = error(part, &|_| None);
        for damaged in [longer, shorter, gone] {
            assert!(damaged.contains("over the topic `in`"), "{damaged}");
            assert!(damaged.contains("can't be read") || damaged.contains("another version"), "{damaged}");
        }
    }
}

#[test]
fn a_task_refuses_to_start_if_a_result_waits_for_a_commit_at_a_missing_step() {
    let folder = Folder::default();
    let steps = |totals: &str, emit: &str| {
        let append = |name: &str, from: &str| step("aggregate", name, from, "append");
        let sums = append("sums", "in") + "window = { tumbling = \"1ms\" }\nemit = \"final\"\n";
        source("in") + &sums + &append(totals, "sums") + &format!("emit = \"{emit}\"\n") + &sink(totals, "out")
    };
    let mut case = Case::new(&steps("totals", "commit"), &folder);
    (0..5).for_each(|time| case.offer("in", "x", time));
    case.offer("in", "x", 1_000);
    while case.task.may_commit() && !folder.part_sizes(&case.topology).iter().any(|(key, _)| key.contains("/80000000-"))
    {
        assert!(case.task.ready(), "a result waits in the middle of the run");
        case.pass();
    }
    let error = Case::error(&steps("renamed", "commit"), &folder);
    assert!(error.contains("waits for a commit at the step `totals`, which this pipeline no longer has"), "{error}");
    let error = Case::error(&steps("totals", "each"), &folder);
    assert!(error.contains("results of the step `totals` wait for a commit, and the step no longer"), "{error}");
}
