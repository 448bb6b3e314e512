//! A run that a commit lies in the middle of, and what goes on with it: another process, with limits, after a refusal, or
//! with another pipeline file.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use millrace_engine::ports::{Backend, BackendError, DeploymentId, Scan, StoreChanges, StoreId};
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::refused::{Fingerprint, Refused};
use millrace_engine::task::{Deployed, Produced, Task, TaskError, TaskOptions};
use millrace_engine::topology::{TopicId, Topology};
use support::{Disk, Rules, header, topology, value};

/// A folder whose stores are known by their names, so that another pipeline file finds them again.
#[derive(Clone, Default)]
struct Folder {
    disk: Disk,
    names: Arc<Mutex<Vec<String>>>,
}

/// A folder as the tasks of one pipeline see it.
struct Seen {
    backend: Box<dyn Backend>,
    stores: Vec<StoreId>,
}

impl Folder {
    fn stores(&self, topology: &Topology) -> Vec<StoreId> {
        let mut names = self.names.lock().unwrap();
        let mut place = |name: &String| {
            names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            })
        };
        topology.stores.iter().map(|store| StoreId(place(&store.name))).collect()
    }

    fn seen_by(&self, topology: &Topology) -> Seen {
        Seen { backend: self.disk.partition(0), stores: self.stores(topology) }
    }

    fn commit(&self, topology: &Topology, mut changes: Vec<StoreChanges>) {
        let stores = self.stores(topology);
        changes.iter_mut().for_each(|change| change.store = stores[change.store.0]);
        self.disk.commit(0, &changes);
    }

    /// Keys of the parts of runs that aren't done, with the bytes of each.
    fn rests(&self, topology: &Topology) -> Vec<(String, usize)> {
        let mut rests = Vec::new();
        let meta = topology.subtopologies[0].meta;
        let seen = self.seen_by(topology);
        seen.scan(meta, b"rest/", Some(b"rest0"), &mut |key, value| {
            rests.push((String::from_utf8_lossy(key).into_owned(), key.len() + value.len()));
            Scan::Continue
        })
        .unwrap();
        rests
    }
}

impl Backend for Seen {
    fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.backend.get(self.stores[store.0], key)
    }

    fn scan(
        &self,
        store: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        self.backend.scan(self.stores[store.0], from, to, visit)
    }
}

/// A task that takes a pass for each item that its steps let out.
struct Case {
    topology: Arc<Topology>,
    folder: Folder,
    task: Task,
}

fn options(topology: &Topology, part: usize) -> TaskOptions {
    let deployed = [Deployed { id: DeploymentId(0), generation: 1, digest: "d".into() }];
    let partitions = topology.topics.iter().map(|_| 1).collect();
    TaskOptions { pass_bytes: 1, ..TaskOptions::new(part, 0, partitions, deployed.into()) }
}

impl Case {
    fn new(steps: &str, folder: &Folder) -> Self {
        Self::part(&topology(steps), 0, folder)
    }

    fn part(topology: &Arc<Topology>, part: usize, folder: &Folder) -> Self {
        Self::with(topology, options(topology, part), folder).unwrap_or_else(|error| panic!("{error}"))
    }

    fn with(topology: &Arc<Topology>, options: TaskOptions, folder: &Folder) -> Result<Self, TaskError> {
        let task = Task::open(Arc::clone(topology), options, Box::new(folder.seen_by(topology)))?;
        Ok(Self { topology: Arc::clone(topology), folder: folder.clone(), task })
    }

    fn error(steps: &str, folder: &Folder) -> String {
        let topology = topology(steps);
        Self::with(&topology, options(&topology, 0), folder).err().unwrap().to_string()
    }

    /// Offers a record with the key `k`; its offset is its time.
    fn offer(&mut self, topic: &str, value: &str, timestamp: i64) {
        let input = self.task.inputs().iter().position(|id| self.topology.topics[id.0].name == topic).unwrap();
        let record = InputRecord {
            offset: timestamp,
            timestamp,
            timestamp_type: TimestampType::CreateTime,
            key: Some(Bytes::from("k")),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Headers::EMPTY,
            arrived: 0,
            turn: 0,
        };
        self.task.offer(input, record);
    }

    /// One pass, and a commit.
    fn pass(&mut self) -> Vec<Produced> {
        let produced = self.task.run(&mut Rules::new(&self.topology), usize::MAX).unwrap();
        self.commit();
        produced
    }

    /// The counts of what came to nothing.
    fn commit(&mut self) -> Vec<String> {
        let prepared = self.task.prepare();
        self.folder.commit(&self.topology, prepared.changes);
        prepared.ledger.counts().map(|(step, what, code, n)| format!("{step} {} {code} {n}", what.name())).collect()
    }

    /// What all passes that are left put out.
    fn all(&mut self) -> Vec<String> {
        let mut shown = Vec::new();
        while self.task.ready() {
            let produced = self.pass();
            shown.extend(produced.iter().map(|record| self.show(record)));
        }
        shown
    }

    fn show(&self, record: &Produced) -> String {
        format!("{} {}", self.topology.topics[record.topic.0].name, value(record).trim_end())
    }
}

fn source(name: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\ntopic = \"{name}\"\nvalue = \"bytes\"\n")
}

fn step(table: &str, name: &str, from: &str, call: &str) -> String {
    format!("[[{table}]]\nname = \"{name}\"\nfrom = \"{from}\"\ncall = \"t.{call}\"\n")
}

fn merge(name: &str, from: &[&str]) -> String {
    format!("[[merge]]\nname = \"{name}\"\nfrom = {from:?}\n")
}

fn sink(from: &str, topic: &str) -> String {
    format!("[[sink]]\nfrom = \"{from}\"\ntopic = \"{topic}\"\n")
}

/// A source and a step that takes a pass for each record.
fn plain(name: &str) -> String {
    source(name) + &step("transform", &format!("big-{name}"), name, "many") + &sink(&format!("big-{name}"), "out")
}

#[test]
fn two_tasks_behind_one_step_keep_their_runs_apart() {
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
        assert!(case.task.ready(), "part {part} has a rest");
        outputs.extend(case.all());
    }
    outputs.sort();
    let expected = ["l", "r"].map(|side| (1..4).flat_map(move |n| [1, 2].map(|m| format!("{side} a#{n}.{m}"))));
    assert_eq!(outputs, expected.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_run_goes_on_where_another_topic_is_read_first_now() {
    let folder = Folder::default();
    let mut case = Case::new(&plain("in"), &folder);
    (0..3).for_each(|time| case.offer("in", "1x1", time));
    assert_eq!(case.pass().len(), 1);
    let merged = merge("m", &["new", "in"]) + &sink("m", "all");
    let steps = source("new") + &plain("in") + &merged;
    let topology = topology(&steps);
    let owners = folder.rests(&topology).into_iter().map(|(key, _)| topology.meta_owner(key.as_bytes()));
    assert_eq!(owners.collect::<Vec<_>>(), [Some(0)]);
    let mut case = Case::new(&steps, &folder);
    case.offer("new", "x", 9);
    assert_eq!(case.pass().len(), 1);
    let mut case = Case::new(&steps, &folder);
    case.offer("new", "x", 9);
    assert_eq!(case.all(), ["out 1x1", "all x"]);
    assert_eq!(folder.rests(&topology), []);
}

#[test]
fn two_runs_for_one_task_refuse_the_start() {
    let folder = Folder::default();
    let before = topology(&(plain("a") + &plain("b")));
    for (part, topic) in [(0, "a"), (1, "b")] {
        let mut case = Case::part(&before, part, &folder);
        (0..2).for_each(|time| case.offer(topic, "1x1", time));
        case.pass();
    }
    let error = Case::error(&(plain("a") + &plain("b") + &merge("m", &["a", "b"]) + &sink("m", "all")), &folder);
    assert!(error.contains("topic `b`") && error.contains("`a` are connected now"), "{error}");
    assert!(error.contains("run the pipeline as it was until it is idle"), "{error}");
}

#[test]
fn a_run_of_a_topic_that_nothing_reads_any_more_is_named() {
    let folder = Folder::default();
    let before = topology(&plain("a"));
    let mut case = Case::part(&before, 0, &folder);
    (0..2).for_each(|time| case.offer("a", "1x1", time));
    case.pass();
    before.check_rests(&folder.seen_by(&before), 0, &[1; 3]).unwrap();
    let after = topology(&plain("b"));
    let error = after.check_rests(&folder.seen_by(&after), 0, &[1; 3]).unwrap_err().to_string();
    assert!(error.contains("over the topic `a`") && error.contains("no step reads this topic any more"), "{error}");
}

/// Numbers of partitions: of the topic `a` one, of all others two.
fn narrow_a(topology: &Topology) -> Arc<[u32]> {
    topology.topics.iter().map(|topic| if topic.name == "a" { 1 } else { 2 }).collect()
}

#[test]
fn a_run_is_kept_under_an_input_that_has_the_partition_of_its_task() {
    let folder = Folder::default();
    let second = |topology: &Topology, part: usize| TaskOptions {
        partition: 1,
        partitions: narrow_a(topology),
        ..options(topology, part)
    };
    let many = step("transform", "big-b", "m", "many") + &sink("big-b", "out");
    let merged = topology(&(source("a") + &source("b") + &merge("m", &["a", "b"]) + &many));
    let mut case = Case::with(&merged, second(&merged, 0), &folder).unwrap_or_else(|error| panic!("{error}"));
    (0..2).for_each(|time| case.offer("b", "1x1", time));
    assert_eq!(case.pass().len(), 1);

    let apart = topology(&(plain("a") + &plain("b")));
    apart.check_rests(&folder.seen_by(&apart), 1, &narrow_a(&apart)).unwrap();
    let part = apart.subtopologies.iter().position(|part| part.inputs.iter().any(|id| apart.topics[id.0].name == "b"));
    let mut case = Case::with(&apart, second(&apart, part.unwrap()), &folder).unwrap_or_else(|error| panic!("{error}"));
    assert!(case.task.ready(), "the task of `b` goes on with it");
    assert_eq!(case.all(), ["out 1x1"]);
    assert_eq!(folder.rests(&apart), []);
}

#[test]
fn a_run_of_a_partition_that_no_task_has_any_more_is_named() {
    let folder = Folder::default();
    let topology = topology(&plain("a"));
    let mut case = Case::new(&plain("a"), &folder);
    (0..2).for_each(|time| case.offer("a", "1x1", time));
    case.pass();
    topology.check_rests(&folder.seen_by(&topology), 0, &narrow_a(&topology)).unwrap();
    let error = topology.check_rests(&folder.seen_by(&topology), 1, &narrow_a(&topology)).unwrap_err().to_string();
    assert!(error.contains("the topic `a`") && error.contains("have no partition 1 any more"), "{error}");
}

#[test]
fn a_run_that_waits_for_steps_of_two_tasks_now_refuses_the_start() {
    let folder = Folder::default();
    let apart = plain("a") + &plain("b");
    let mut case = Case::new(&(apart.clone() + &merge("m", &["a", "b"]) + &sink("m", "all")), &folder);
    [("a", 0), ("a", 1), ("b", 2)].into_iter().for_each(|(topic, time)| case.offer(topic, "1x1", time));
    case.pass();
    let error = Case::error(&apart, &folder);
    assert!(error.contains("over the topic `a`") && error.contains("waits for `b`"), "{error}");
}

#[test]
fn what_waits_for_something_gone_is_counted() {
    let folder = Folder::default();
    let letters = |dlq: &str| source("in").replace("\"bytes\"\n", &format!("\"json\"\ndlq = \"{dlq}\"\n"));
    let steps = |dlq: &str, big: &str| letters(dlq) + &step("transform", big, "in", "many") + &sink(big, "out");
    let mut case = Case::new(&steps("old", "big"), &folder);
    [("1", 0), ("2", 1), ("bad", 2)].into_iter().for_each(|(value, time)| case.offer("in", value, time));
    assert_eq!(case.pass().len(), 1);
    let mut case = Case::new(&steps("new", "other"), &folder);
    assert_eq!(case.commit(), ["big dropped step-gone 1", "old dropped topic-gone 1"]);
}

#[test]
fn a_letter_names_the_topic_that_its_record_came_from_also_when_that_is_gone() {
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
fn rows_of_a_table_without_readers_are_not_set_back() {
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

/// A sink that stands before the step that ends a pass.
fn sink_first() -> String {
    source("in") + &sink("in", "raw") + &step("transform", "big", "in", "many") + &sink("big", "out")
}

#[test]
fn what_is_refused_while_it_waits_fails_at_its_step() {
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
fn what_is_too_large_by_now_fails_at_its_step() {
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
fn no_part_of_a_run_is_larger_than_a_store_takes() {
    let folder = Folder::default();
    let topology = topology(&plain("in"));
    let options = || TaskOptions { state_bytes: 100, ..options(&topology, 0) };
    let mut case = Case::with(&topology, options(), &folder).unwrap_or_else(|error| panic!("{error}"));
    (0..5).for_each(|time| case.offer("in", "1x1", time));
    let mut outputs = 0;
    while case.task.ready() {
        outputs += case.pass().len();
        let rests = folder.rests(&topology);
        assert!(rests.iter().all(|(_, bytes)| *bytes <= 100), "{rests:?}");
        assert_eq!(rests.is_empty(), outputs == 5);
        case = Case::with(&topology, options(), &folder).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(outputs, 5);
}

#[test]
fn what_a_run_has_written_to_a_table_is_not_kept_until_its_end() {
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
        sizes.push(folder.rests(&case.topology).iter().map(|(_, bytes)| bytes).sum::<usize>());
    }
    assert!(sizes.len() > 10 && sizes.is_sorted_by(|a, b| a >= b), "a run only becomes smaller: {sizes:?}");
}
