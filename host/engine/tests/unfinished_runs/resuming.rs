//! Pipelines that resume an unfinished run.

use super::*;

#[test]
fn two_tasks_of_one_step_store_their_runs_separately() {
    let side = |name: &str, port: &str| {
        step("process", name, &format!("dealt.{port}"), "number")
            + &step("transform", &format!("{name}2"), name, "twice")
            + &sink(&format!("{name}2"), name)
    };
    let steps = source("in") + &step("transform", "dealt", "in", "deal") + &side("l", "left") + &side("r", "right");
    let topology = topology(&steps);
    assert_eq!(topology.subtopologies.len(), 3);
    let folder = Folder::default();
    let mut outputs = Vec::new();
    for (part, topic) in [(1, "test-dealt.left-repartition"), (2, "test-dealt.right-repartition")] {
        let mut case = Case::part(&topology, part, &folder);
        (0..3).for_each(|time| case.offer(topic, "a", time));
        outputs.extend(case.pass().iter().map(|record| case.show(record)));
    }
    for part in [1, 2] {
        let mut case = Case::part(&topology, part, &folder);
        assert!(case.task.ready(), "part {part} has an unfinished run");
        outputs.extend(case.all());
    }
    outputs.sort();
    let expected = ["l", "r"].map(|side| (1..4).flat_map(move |n| [1, 2].map(|m| format!("{side} a#{n}.{m}"))));
    assert_eq!(outputs, expected.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_run_is_resumed_if_another_topic_is_the_first_input_now() {
    let folder = Folder::default();
    let mut case = Case::new(&plain("in"), &folder);
    (0..3).for_each(|time| case.offer("in", "1x1", time));
    assert_eq!(case.pass().len(), 1);
    let merged = merge("m", &["new", "in"]) + &sink("m", "all");
    let steps = source("new") + &plain("in") + &merged;
    let topology = topology(&steps);
    let owners = folder.part_sizes(&topology).into_iter().map(|(key, _)| topology.meta_owner(key.as_bytes()));
    assert!(owners.len() > 0 && owners.into_iter().all(|owner| owner == Some(0)));
    let mut case = Case::new(&steps, &folder);
    case.offer("new", "x", 9);
    assert_eq!(case.pass().len(), 1);
    let mut case = Case::new(&steps, &folder);
    case.offer("new", "x", 9);
    assert_eq!(case.all(), ["out 1x1", "all x"]);
    assert_eq!(folder.part_sizes(&topology), []);
}

#[test]
fn a_run_is_stored_under_an_input_that_has_the_tasks_partition() {
    let folder = Folder::default();
    let second = |topology: &Topology, part: usize| TaskOptions {
        partition: 1,
        partitions: narrow_a(topology),
        ..options(topology, part)
    };
    let merged = |sources: &[&str]| {
        source("a") + &source("b") + &merge("m", sources) + &step("transform", "big", "m", "many") + &sink("big", "out")
    };
    let together = topology(&merged(&["a", "b"]));
    let mut case = Case::with(&together, second(&together, 0), &folder).unwrap_or_else(|error| panic!("{error}"));
    (0..2).for_each(|time| case.offer("b", "1x1", time));
    assert_eq!(case.pass().len(), 1);

    let apart = topology(&(merged(&["b"]) + &sink("a", "all")));
    apart.check_rests(&folder.for_pipeline(&apart), 1, &narrow_a(&apart)).unwrap();
    let part = apart.subtopologies.iter().position(|part| part.inputs.iter().any(|id| apart.topics[id.0].name == "b"));
    let mut case = Case::with(&apart, second(&apart, part.unwrap()), &folder).unwrap_or_else(|error| panic!("{error}"));
    assert!(case.task.ready(), "the task of `b` resumes the run");
    assert_eq!(case.all(), ["out 1x1"]);
    assert_eq!(folder.part_sizes(&apart), []);
}

#[test]
fn a_record_queued_at_a_sink_stays_with_it_in_any_order_of_sinks() {
    let sums = "[[aggregate]]\nname = \"sums\"\nfrom = \"in\"\ncall = \"t.append\"\n\
                window = { tumbling = \"1h\" }\n";
    let steps = source("in") + sums + &step("transform", "big", "in", "many");
    let windowed = sink("sums", "out") + "key = \"windowed\"\n";
    let first = steps.clone() + &windowed + &sink("big", "out");
    let outputs = |second: &str| {
        let folder = Folder::default();
        let all = |steps: &str| {
            let topology = topology(steps);
            let options = TaskOptions { pass_bytes: 6_000, ..options(&topology, 0) };
            Case::with(&topology, options, &folder).unwrap_or_else(|error| panic!("{error}"))
        };
        let mut case = all(&first);
        [("99xa", 0), ("1xb", 1), ("1xc", 2)].into_iter().for_each(|(value, time)| case.offer("in", value, time));
        case.pass();
        assert!(case.task.ready());
        let mut case = all(second);
        let mut outputs = Vec::new();
        while case.task.ready() {
            outputs.extend(case.pass());
        }
        outputs
    };
    let expected = outputs(&first);
    assert!(expected.iter().any(|record| record.key.as_ref().unwrap().len() > 1), "a window waits");
    assert_eq!(outputs(&(steps.clone() + &sink("big", "out") + &windowed)), expected);
}

#[test]
fn a_dead_letter_names_the_topic_of_its_record_even_if_the_pipeline_no_longer_has_it() {
    let folder = Folder::default();
    let steps = |sources: &[&str]| {
        let all: String = sources.iter().map(|name| source(name)).collect();
        all + &merge("m", sources) + &step("transform", "big", "m", "many") + &sink("big", "out")
    };
    let mut case = Case::new(&steps(&["a", "b"]), &folder);
    case.offer("a", "1x1", 0);
    case.offer("b", "fail", 7);
    assert_eq!(case.pass().len(), 1);
    let mut case = Case::new(&steps(&["a"]), &folder);
    let letters = case.pass();
    assert_eq!(letters.len(), 1);
    assert_eq!(header(&letters[0], "__streams.errors.topic"), "b");
    assert_eq!(header(&letters[0], "__streams.errors.offset"), "7");
}

#[test]
fn rows_of_a_table_without_readers_keep_their_last_versions() {
    let folder = Folder::default();
    let first = source("in") + &step("transform", "big", "in", "many");
    let table = "[[table]]\nname = \"rows\"\ntopic = \"rows\"\nvalue = \"bytes\"\n";
    let lookup = "[[lookup]]\nname = \"l\"\nstream = \"big\"\ntable = \"rows\"\ncall = \"t.cat\"\n";
    let last = merge("m", &["big", "rows"]) + &sink("m", "out");
    let mut case = Case::new(&(first.clone() + table + lookup + &sink("l", "found") + &last), &folder);
    [("rows", "old", 0), ("in", "1x1", 1), ("in", "1x1", 2), ("rows", "new", 3)]
        .into_iter()
        .for_each(|(topic, value, time)| case.offer(topic, value, time));
    case.pass();
    let mut case = Case::new(&(first + table + &last), &folder);
    case.all();
    let rows = folder.disk.dump().into_iter().filter(|entry| entry.contains("b\"k\"")).collect::<Vec<_>>();
    assert!(rows.len() == 1 && rows[0].contains("new"), "{rows:?}");
}

#[test]
fn a_queued_record_that_is_refused_later_fails_at_its_step() {
    let folder = Folder::default();
    let topology = topology(&sink_first());
    let mut case = Case::part(&topology, 0, &folder);
    [("1x1", 0), ("1x2", 1), ("b", 2)].into_iter().for_each(|(value, time)| case.offer("in", value, time));
    let first: Vec<_> = case.pass().iter().map(|record| case.show(record)).collect();
    assert_eq!(first, ["raw 1x1", "out 1x1", "raw 1x2"]);
    let raw = topology.topics.iter().position(|topic| topic.name == "raw").unwrap();
    let mut refused = Refused::default();
    refused.learn(TopicId(raw), Fingerprint::of(Some(b"k"), Some(b"b"), 2), "too far ahead".into());
    let options = TaskOptions { refused: Some(Arc::new(refused)), ..options(&topology, 0) };
    let mut case = Case::with(&topology, options, &folder).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(case.all(), ["out 1x2", "dead b", "out b"]);
}

#[test]
fn a_queued_record_beyond_a_new_limit_fails_at_its_step() {
    let folder = Folder::default();
    let topology = topology(&sink_first());
    let mut case = Case::part(&topology, 0, &folder);
    [("1x1", 0), ("1x2", 1), ("bbbbbbbb", 2)].into_iter().for_each(|(value, time)| case.offer("in", value, time));
    case.pass();
    let limit = |topic: &millrace_engine::topology::Topic| if topic.name == "raw" { 5 } else { usize::MAX };
    let record_bytes = topology.topics.iter().map(limit).collect();
    let options = TaskOptions { record_bytes, ..options(&topology, 0) };
    let mut case = Case::with(&topology, options, &folder).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(case.all(), ["out 1x2", "dead bbbbbbbb", "out bbbbbbbb"]);
}

#[test]
fn each_part_of_a_run_fits_into_the_store() {
    let folder = Folder::default();
    let topology = topology(&plain("in"));
    let options = || TaskOptions { state_bytes: 100, ..options(&topology, 0) };
    let mut case = Case::with(&topology, options(), &folder).unwrap_or_else(|error| panic!("{error}"));
    (0..5).for_each(|time| case.offer("in", "1x1", time));
    let mut outputs = 0;
    while case.task.ready() {
        outputs += case.pass().len();
        let parts = folder.part_sizes(&topology);
        assert!(parts.iter().all(|(_, bytes)| *bytes <= 100), "{parts:?}");
        assert_eq!(parts.is_empty(), outputs == 5);
        case = Case::with(&topology, options(), &folder).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(outputs, 5);
}

#[test]
fn a_run_writes_rows_of_a_table_before_its_end() {
    let folder = Folder::default();
    let table = "[[table]]\nname = \"rows\"\nfrom = \"big\"\n";
    let lookup = "[[lookup]]\nname = \"l\"\nstream = \"other\"\ntable = \"rows\"\ncall = \"t.cat\"\n";
    let steps = source("in") + &source("other") + &step("transform", "big", "in", "many") + table + lookup;
    let mut case = Case::new(&(steps + &sink("l", "out")), &folder);
    (0..20).for_each(|time| case.offer("in", &format!("50x{time}"), time));
    case.offer("other", "o", 20);
    let mut sizes = Vec::new();
    while case.task.ready() {
        case.pass();
        sizes.push(folder.part_sizes(&case.topology).iter().map(|(_, bytes)| bytes).sum::<usize>());
    }
    assert!(sizes.len() > 10 && sizes.is_sorted_by(|a, b| a >= b), "a run only becomes smaller: {sizes:?}");
}

#[test]
fn a_commit_writes_only_changed_parts_of_a_run() {
    let sums = "[[aggregate]]\nname = \"sums\"\nfrom = \"in\"\ncall = \"t.append\"\n\
                window = { tumbling = \"1ms\" }\ngrace = \"30ms\"\nemit = \"final\"\n";
    let folder = Folder::default();
    let mut case = Case::new(&(source("in") + sums + &sink("sums", "out")), &folder);
    (0..20).for_each(|time| case.offer("in", "x", time));
    while case.task.ready() {
        assert_eq!(case.pass().len(), 0);
    }
    // The first of these records closes 20 windows, one per pass.
    (0..50).for_each(|number| case.offer("in", &"x".repeat(1_000), 1_000 + number));
    let (mut written, mut commits, mut first) = (0, 0, 0);
    while case.task.ready() {
        let produced = case.task.run(&mut Rules::new(&case.topology), usize::MAX).unwrap();
        let changes = case.task.prepare().changes;
        let entries = changes.iter().flat_map(|change| &change.entries).filter(|(key, _)| key.starts_with(b"rest/"));
        written += entries.map(|(_, value)| value.as_ref().map_or(0, Bytes::len)).sum::<usize>();
        folder.commit(&case.topology, changes);
        commits += 1;
        first = if commits == 1 { written } else { first };
        if produced.is_empty() || commits == 20 {
            break;
        }
    }
    assert!(commits >= 20 && case.task.ready(), "{commits} commits");
    assert!(first > 50 * 1_000 && first < 50 * 1_300, "each record once: {first} bytes");
    assert!(written < 3 * first, "{written} bytes in {commits} commits, {first} in the first");
}
