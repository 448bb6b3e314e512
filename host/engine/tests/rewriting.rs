//! Entries of older state versions are rewritten while records come: outputs and states are those of a task that rewrites
//! nothing, whatever is committed in between, and at the end no entry is of an older version.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::deployment::ActivePlugins;
use millrace_engine::logic::Logic;
use millrace_engine::ports::{
    Attempt, CallError, Called, DeploymentId, Due, Fault, Field, FunctionId, Group, Grouped, Message, Mode, Outcome,
    Output, Pair, Scan, Stored,
};
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::state::ProcessScope;
use millrace_engine::state::keys::{CLOCK_KEY, version_of};
use millrace_engine::task::{Deployed, Produced, Rewrites, Task, TaskOptions};
use millrace_engine::topology::Topology;
use proptest::prelude::*;
use support::{Disk, topology};

/// The rules of the other tests, with states in two versions: in the second one, a state begins with `2:`. Deployment 0
/// writes the first version, and deployment 1 the second.
struct Versions {
    rules: support::Rules,
    /// Values that begin like this can't be rewritten, and ...
    bad: Option<&'static str>,
    /// ... calls with more values than this take too long. A call without a limit does not.
    slow: Option<usize>,
    limited: bool,
    /// The code can read the second version only.
    reads_second_only: bool,
}

impl Versions {
    fn new(topology: &Topology) -> Self {
        Self { rules: support::Rules::new(topology), bad: None, slow: None, limited: false, reads_second_only: false }
    }

    fn read(&self, stored: &Stored) -> Bytes {
        assert!(!self.reads_second_only || stored.version == 2, "state of version 1");
        read(stored)
    }
}

fn read(stored: &Stored) -> Bytes {
    if stored.version == 1 { stored.bytes.clone() } else { stored.bytes.strip_prefix(b"2:").unwrap().to_vec().into() }
}

fn written(bytes: &[u8], function: FunctionId) -> Stored {
    match function.deployment {
        DeploymentId(0) => Stored { version: 1, bytes: Bytes::copy_from_slice(bytes) },
        _ => Stored { version: 2, bytes: [b"2:", bytes].concat().into() },
    }
}

type Answer = (Result<Called<Outcome>, CallError>, ProcessScope);

impl Logic for Versions {
    fn limit_time(&mut self, limit: Option<std::time::Duration>) {
        self.limited = limit.is_some();
    }

    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        self.rules.transform(function, messages, attempt)
    }

    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        to: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        self.rules.join(function, pairs, to)
    }

    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        let older = |stored: &Stored| Stored { version: 1, bytes: self.read(stored) };
        let groups: Vec<_> = groups
            .iter()
            .map(|group| Group {
                state: group.state.as_ref().map(older),
                absorbed: group.absorbed.iter().map(older).collect(),
                ..group.clone()
            })
            .collect();
        let mut called = self.rules.aggregate(function, &groups, mode, attempt)?;
        for grouped in &mut called.result {
            grouped.state = grouped.state.take().map(|state| written(&state.bytes, function));
        }
        Ok(called)
    }

    /// Counts the records of a key.
    fn process(&mut self, function: FunctionId, message: Message<'_>, mut scope: ProcessScope, _: Attempt) -> Answer {
        let key = Bytes::copy_from_slice(message.key.unwrap_or_default());
        let before = scope.get(0, &key).unwrap().map_or_else(Bytes::new, |stored| self.read(&stored));
        let now = [&before[..], b"+"].concat();
        scope.put(0, key, written(&now, function));
        let output =
            Output { port: 0, key: Field::Inherit, value: Field::Bytes(now.into()), timestamp: None, headers: None };
        (Ok(Called { result: Outcome::Outputs(vec![output]), effects: vec![] }), scope)
    }

    fn on_timer(&mut self, function: FunctionId, due: Due<'_>, scope: ProcessScope, attempt: Attempt) -> Answer {
        self.rules.on_timer(function, due, scope, attempt)
    }

    fn rewrite(
        &mut self,
        function: FunctionId,
        _: usize,
        values: &[Stored],
        _: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError> {
        if self.limited && self.slow.is_some_and(|most| values.len() > most) {
            return Err(CallError::Overrun);
        }
        let is_bad = |value: &Stored| self.bad.is_some_and(|bad| value.bytes.starts_with(bad.as_bytes()));
        if let Some(at) = values.iter().position(is_bad) {
            return Err(CallError::Guest { fault: Fault::Trap, at: Some(at), text: "unreachable".into() });
        }
        let result = values.iter().map(|value| Ok(written(&read(value), function))).collect();
        Ok(Called { result, effects: vec![] })
    }
}

/// What happens to a task.
#[derive(Clone, Debug)]
enum Act {
    Record { key: u8, value: u8, time: i64 },
    Run,
    Rewrite(usize),
    Commit,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..6_u8, 0..9_u8, 0..40_i64).prop_map(|(key, value, time)| Act::Record { key, value, time }),
        2 => Just(Act::Run),
        3 => (1..5_usize).prop_map(Act::Rewrite),
        1 => Just(Act::Commit),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..80)
}

/// A task of a pipeline with one function that keeps state.
struct App {
    topology: Arc<Topology>,
    disk: Disk,
    logic: Versions,
    task: Task,
    deployed: Deployed,
    offset: i64,
    output: Vec<String>,
}

impl App {
    fn new(step: &str) -> Self {
        let source = "[[source]]\nname = 'in'\ntopic = 'in'\nvalue = 'bytes'\n";
        let topology = topology(&format!("{source}{step}\n[[sink]]\nfrom = 'step'\ntopic = 'out'\n"));
        let (disk, deployed) = (Disk::default(), Deployed::new(DeploymentId(0), 1, "d"));
        let (task, logic) = (open(&topology, &disk, &deployed), Versions::new(&topology));
        Self { topology, disk, logic, task, deployed, offset: 0, output: Vec::new() }
    }

    /// Goes on with the next version, and rewrites the entries of the one before.
    fn swap(&mut self, rewrites: bool) {
        self.commit();
        let rewrites = rewrites.then(|| {
            let stores = ["append/state", "number/numbers"];
            let versions = stores.map(|store| (store.to_owned(), 2));
            Arc::new(Rewrites { rate: 1_000, request: 2, versions: versions.into() })
        });
        self.deployed = Deployed { rewrites, ..Deployed::new(DeploymentId(1), 2, "e") };
        let plugins = ActivePlugins::new(Arc::clone(&self.topology), Arc::new([self.deployed.clone()]));
        self.task.swap(&plugins).unwrap();
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Record { key, value, time } => {
                let (key, value) = (Some(format!("k{key}").into()), Some(format!("v{value}").into()));
                let (timestamp_type, headers) = (TimestampType::CreateTime, Headers::EMPTY);
                let (offset, timestamp, arrived, turn) = (self.offset, *time, 0, 0);
                self.offset += 1;
                self.task
                    .offer(0, InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived, turn });
            }
            Act::Run => self.run(),
            Act::Rewrite(limit) => {
                self.task.rewrite(&mut self.logic, *limit).unwrap();
            }
            Act::Commit => self.commit(),
            Act::Restart => {
                self.run();
                self.commit();
                self.task = open(&self.topology, &self.disk, &self.deployed);
            }
        }
    }

    fn run(&mut self) {
        while self.task.ready() {
            let produced = self.task.run(&mut self.logic, 3).unwrap();
            self.note(produced);
        }
    }

    fn note(&mut self, all: Vec<Produced>) {
        let line = |it: Produced| format!("{:?} {:?} {}", it.key, it.value, it.timestamp);
        self.output.extend(all.into_iter().map(line));
    }

    fn commit(&mut self) {
        while !self.task.may_commit() {
            let produced = self.task.flush(&mut self.logic, 0, 0).unwrap();
            self.note(produced);
        }
        let prepared = self.task.prepare();
        self.disk.commit(0, &prepared.changes);
    }

    /// Rewrites all that is left, commits, and returns the number of entries by version, and the states as they are read.
    fn end(mut self) -> (Vec<String>, BTreeMap<u32, usize>, Vec<String>) {
        self.run();
        while !self.task.has_rewritten() {
            self.task.rewrite(&mut self.logic, 3).unwrap();
        }
        self.commit();
        // The next version of the code needn't read the older state.
        self.logic.reads_second_only = self.deployed.rewrites.is_some();
        (0..6).for_each(|key| self.act(&Act::Record { key, value: 9, time: 40 }));
        self.run();
        self.commit();
        let (mut versions, mut states) = (BTreeMap::new(), Vec::new());
        let node = self.topology.subtopologies[0].nodes.iter().find(|node| node.name == "step").unwrap();
        for store in node.operator.function_stores() {
            let scan = &mut |key: &[u8], value: &[u8]| {
                if let Some(version) = version_of(key, value) {
                    *versions.entry(version).or_insert(0) += 1;
                    let header = if node.operator.call().unwrap().manifest.name == "append" { 12 } else { 4 };
                    let state = Stored { version, bytes: Bytes::copy_from_slice(&value[header..]) };
                    states.push(format!("{key:?} {:?} {:?}", &value[4..header], read(&state)));
                } else {
                    assert_eq!(key, CLOCK_KEY);
                }
                Scan::Continue
            };
            self.disk.partition(0).scan(*store, &[], None, scan).unwrap();
        }
        (self.output, versions, states)
    }
}

fn open(topology: &Arc<Topology>, disk: &Disk, deployed: &Deployed) -> Task {
    let partitions = topology.topics.iter().map(|_| 1).collect();
    let deployments: Arc<[Deployed]> = Arc::new([deployed.clone()]);
    let options = TaskOptions { batch: 4, window_memory: 100_000, ..TaskOptions::new(0, 0, partitions, deployments) };
    Task::open(Arc::clone(topology), options, disk.partition(0)).unwrap()
}

const STEPS: [&str; 9] = [
    "[[aggregate]]\nname = 'step'\nfrom = 'in'\ncall = 't.append'",
    "[[aggregate]]\nname = 'step'\nfrom = 'in'\nwindow = { tumbling = '10ms' }\ncall = 't.append'",
    "[[aggregate]]\nname = 'step'\nfrom = 'in'\nwindow = { sliding = '5ms' }\ngrace = '9ms'\ncall = 't.append'",
    "[[aggregate]]\nname = 'step'\nfrom = 'in'\nwindow = { session = '4ms' }\ngrace = '9ms'\ncall = 't.append'",
    "[[aggregate]]\nname = 'step'\nfrom = 'in'\nwindow = { tumbling = '5ms' }\nemit = 'final'\ncall = 't.append'",
    "[[process]]\nname = 'step'\nfrom = 'in'\ncall = 't.number'",
    "[[aggregate]]\nname = 'step'\nfrom = 'in'\nemit = 'commit'\ncall = 't.append'",
    "[[aggregate]]\nname = 'step'\nfrom = 'in'\nwindow = { hopping = '10ms', every = '5ms' }\ngrace = '5ms'\ncall = 't.append'",
    "[[aggregate]]\nname = 'step'\nfrom = 'in'\nwindow = { session = '4ms' }\nemit = 'commit'\ncall = 't.append'",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rewriting_changes_neither_outputs_nor_states(step in 0..STEPS.len(), acts in acts(), place in any::<prop::sample::Index>()) {
        let swap = place.index(acts.len());
        let run = |rewrites| {
            let mut app = App::new(STEPS[step]);
            for (number, act) in acts.iter().enumerate() {
                if number == swap {
                    app.run();
                    app.swap(rewrites);
                }
                app.act(act);
            }
            app.end()
        };
        let (outputs, _, states) = run(false);
        let (rewritten_outputs, versions, rewritten_states) = run(true);
        prop_assert_eq!(rewritten_outputs, outputs);
        prop_assert_eq!(rewritten_states, states);
        prop_assert!(versions.keys().all(|version| *version == 2), "{:?}", versions);
    }
}

/// An app with states of the first version for seven keys, and the next version that rewrites them.
fn seven_keys() -> App {
    let mut app = App::new(STEPS[0]);
    (0..7).for_each(|key| app.act(&Act::Record { key, value: 1, time: 1 }));
    app.run();
    app.swap(true);
    app
}

#[test]
fn an_entry_at_which_the_rule_traps_stays_and_is_counted() {
    let mut app = seven_keys();
    app.act(&Act::Record { key: 3, value: 5, time: 2 });
    app.run();
    app.logic.bad = Some(",v1");
    app.task.rewrite(&mut app.logic, 100).unwrap();
    let counts = &app.task.rewrite_counts()["t"];
    assert_eq!((counts.looked, counts.rewritten), (7, 0), "a record has rewritten one entry before");
    let left = &counts.left["append/state"];
    assert_eq!((left.entries, left.reason.as_str()), (6, "the one of the key `k0`: unreachable"));
    app.deployed.rewrites = None;
    let (_, versions, _) = app.end();
    assert_eq!(versions, BTreeMap::from([(1, 1), (2, 6)]), "further records have rewritten all but one");
}

#[test]
fn a_walk_whose_time_ends_goes_on_at_the_first_entry_that_is_left_with_fewer_values_in_a_call() {
    for (most, stuck) in [(0, 7), (1, 0), (3, 0)] {
        let mut app = seven_keys();
        app.logic.slow = Some(most);
        let mut alone = 0;
        while !app.task.has_rewritten() {
            app.logic.limited = true;
            if app.task.rewrite(&mut app.logic, 100).unwrap().is_stuck {
                // As a driver does, where it harms nothing.
                app.logic.limited = false;
                assert_eq!(app.task.rewrite(&mut app.logic, 1).unwrap().rewritten, 1);
                alone += 1;
            }
        }
        assert_eq!(alone, stuck, "calls of at most {most} values are quick enough");
        let counts = &app.task.rewrite_counts()["t"];
        assert_eq!((counts.rewritten, counts.looked), (7, 7));
        assert_eq!(app.end().1, BTreeMap::from([(2, 7)]));
    }
}

#[test]
fn a_walk_goes_on_where_it_was_at_the_last_commit_and_not_after_another_request() {
    let mut app = seven_keys();
    app.task.rewrite(&mut app.logic, 4).unwrap();
    app.commit();
    let walk = app.task.walk().clone();
    app.task = open(&app.topology, &app.disk, &app.deployed);
    app.task.resume_walk(walk.clone());
    assert_eq!(app.task.rewrite_counts()["t"].rewritten, 4);
    app.task.rewrite(&mut app.logic, 100).unwrap();
    assert!(app.task.has_rewritten());
    assert_eq!(app.task.rewrite_counts()["t"].looked, 7);

    let rewrites = app.deployed.rewrites.as_deref().unwrap();
    let again = Rewrites { request: 3, ..rewrites.clone() };
    app.deployed.rewrites = Some(Arc::new(again));
    app.task = open(&app.topology, &app.disk, &app.deployed);
    app.task.resume_walk(walk);
    assert!(!app.task.has_rewritten() && app.task.rewrite_counts().is_empty());
}

#[test]
fn the_limit_bounds_a_step() {
    let mut app = seven_keys();
    let step = app.task.rewrite(&mut app.logic, 2).unwrap();
    assert_eq!((step.rewritten, step.cost), (2, 2));
    assert!(!app.task.has_rewritten());
    app.task.rewrite(&mut app.logic, 100).unwrap();
    assert!(app.task.has_rewritten());
    assert_eq!(app.task.rewrite(&mut app.logic, 100).unwrap().cost, 0);
}
