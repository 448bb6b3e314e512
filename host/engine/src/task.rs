//! A task runs one sub-topology for one partition number: it turns records into outputs and state changes.
//!
//! A driver calls its methods in this order, again and again:
//!
//! ```text
//! open ── offer* ── run ──┬── offer* ── run, tick ── ... ── flush* ── prepare ── (the driver commits) ── committed ─┐
//!   ▲                     └─────────────────────────────────────────────────────────────────────────────────────────┤
//!   └── after anything but an acknowledged commit: drop the task and open it anew ───────────────────────────────────┘
//! ```
//!
//! Before a commit, the driver flushes the task and sends the outputs of each call until the task
//! [may be committed](Task::may_commit): pending results are in memory only, unless a run is unfinished.
//!
//! The task returns outputs and state changes; the driver sends and writes them. A task without a commit leaves no
//! trace.

mod doubtful;
mod memory;
mod queues;
mod rewrite;
mod run;
mod sources;
mod unfinished;

use std::sync::Arc;

use bytes::Bytes;

use crate::deployment::ActivePlugins;
use crate::ledger::Ledger;
use crate::logic::Logic;
use crate::operators::NodeMemory;
use crate::ports::{Backend, StoreChanges};
use crate::record::{InputRecord, Timestamp};
use crate::state::TaskState;
pub use crate::step::{Deployed, PASS_BYTES, Produced, Rewrites, TaskError, TaskOptions};
use crate::step::{Progress, WakeReason};
use crate::topology::{NodeId, TopicId, TopicKind, Topology};
use memory::TaskMemory;
use queues::Queues;
pub use rewrite::{RewriteStep, Walk};
use sources::{extractor_of, shape, source_of};
use unfinished::{StoredRun, UnfinishedRun};

/// The changes of a task that the driver commits in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Changes of its stores.
    pub changes: Vec<StoreChanges>,
    /// Position in each input, in the order of the inputs.
    pub offsets: Vec<InputPosition>,
    /// Counts of its records.
    pub ledger: Ledger,
}

/// A task's position in an input topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputPosition {
    /// The topic.
    pub topic: TopicId,
    /// Offset of the next record to process; `None` if the task has processed none since it was opened.
    pub next: Option<i64>,
    /// Highest event time processed (Kafka Streams' partition time), including before the task was opened if the driver
    /// has [restored](Task::restore_time) it. Records without a time, or with a negative one, don't count.
    pub time: Option<Timestamp>,
}

/// Bytes of input at which a run takes no more records.
const MAX_RUN_BYTES: usize = 4 << 20;

/// One sub-topology for one partition number.
pub struct Task {
    topology: Arc<Topology>,
    options: TaskOptions,
    queues: Queues,
    state: TaskState,
    memory: TaskMemory,
    ledger: Ledger,
    /// The source node of each input.
    sources: Vec<NodeId>,
    /// Names of all topics; the origins of records share their bytes.
    names: Arc<[Bytes]>,
    /// Whether it reads a topic that it writes itself. Then a run has one record, because an output of that may be the
    /// next record.
    feeds_itself: bool,
    /// A run that the last pass hasn't finished.
    unfinished: Option<Box<Progress>>,
    /// The sections of it that the last commit has stored.
    stored: StoredRun,
    /// Its walk through entries of older state versions.
    walk: Walk,
}

impl Task {
    /// Opens a task over its committed state.
    pub fn open(topology: Arc<Topology>, options: TaskOptions, backend: Box<dyn Backend>) -> Result<Self, TaskError> {
        let (mut state, ledger) = (TaskState::new(backend, topology.stores.len()), Ledger::default());
        let shape = shape(&topology, options.subtopology);
        let mut memory = memory::open(&topology, shape, &options, &state)?;
        let UnfinishedRun { run: unfinished, results, stored } =
            unfinished::open((&topology, shape), options.partition, &mut state)?;
        memory
            .restore_pending(results)
            .map_err(|node| stored.refuse(shape.nodes.get(node.0).map_or("", |node| &node.name)))?;
        let sources: Vec<NodeId> = shape.inputs.iter().map(|topic| source_of(shape, *topic)).collect();
        let queues = Queues::new(sources.iter().map(|source| extractor_of(shape, *source)));
        let feeds_itself = shape.outputs().any(|topic| shape.inputs.contains(&topic));
        let names = topology.topics.iter().map(|topic| Bytes::copy_from_slice(topic.name.as_bytes())).collect();
        let walk = Walk::default().of(&topology, &options);
        Ok(Self {
            topology,
            options,
            queues,
            state,
            memory,
            ledger,
            sources,
            names,
            feeds_itself,
            unfinished: unfinished.map(Box::new),
            stored,
            walk,
        })
    }

    /// Goes on with other versions of its plugins, from the next record on. The driver calls it between two
    /// transactions, where the task is not [unfinished](Self::is_unfinished), with plugins whose topology
    /// [fits](Topology::check_swap). Panics in the middle of a run: its records would be judged by two versions.
    pub fn swap(&mut self, plugins: &ActivePlugins) -> Result<(), TaskError> {
        assert!(self.unfinished.is_none(), "a run that is unfinished goes on with the versions that began it");
        self.topology = Arc::clone(&plugins.topology);
        self.options.deployments = Arc::clone(&plugins.deployments);
        self.walk = std::mem::take(&mut self.walk).of(&self.topology, &self.options);
        self.memory.swap(&self.topology, &self.options, &self.state)
    }

    /// Topics it reads, in the order that breaks ties of timestamps.
    pub fn inputs(&self) -> &[TopicId] {
        &shape(&self.topology, self.options.subtopology).inputs
    }

    /// Partition number.
    pub fn partition(&self) -> u32 {
        self.options.partition
    }

    /// Index of the sub-topology.
    pub fn subtopology(&self) -> usize {
        self.options.subtopology
    }

    /// Adds a record to an input, by its index in [`inputs`](Self::inputs). The driver offers records of an input in
    /// the order of their offsets.
    pub fn offer(&mut self, input: usize, record: InputRecord) {
        self.queues.offer(input, record);
    }

    /// Tells the task whether an input has a backlog. While an input has one and its queue is empty, the task processes
    /// no record: the next record of that input may have the lowest timestamp.
    pub fn expect_more(&mut self, input: usize, more: bool) {
        self.queues.expect_more(input, more);
    }

    /// Restores the [time](InputPosition::time) of an input from its last commit. The time never goes back.
    pub fn restore_time(&mut self, input: usize, time: Timestamp) {
        self.queues.restore_time(input, time);
    }

    /// Number of records in the queue of an input.
    pub fn queued(&self, input: usize) -> usize {
        self.queues.queued(input)
    }

    /// Number of records in all queues.
    pub fn queued_in_all(&self) -> usize {
        (0..self.sources.len()).map(|input| self.queues.queued(input)).sum()
    }

    /// Bytes of the records in the queue of an input.
    pub fn queued_bytes(&self, input: usize) -> usize {
        self.queues.queued_bytes(input)
    }

    /// The counts since the last commit.
    pub fn open_ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether [`run`](Self::run) has work.
    pub fn ready(&self) -> bool {
        self.unfinished.is_some() || self.queues.next().is_some()
    }

    /// Whether a run is unfinished: a commit now stores its remainder, with the offsets behind all of its records.
    pub fn is_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Memory of the open transaction in bytes, roughly. A driver commits early when it grows too large.
    pub fn transaction_bytes(&self) -> usize {
        let pending = self.memory.nodes.iter().map(NodeMemory::unwritten_bytes).sum::<usize>();
        self.state.bytes() + pending + self.waiting_bytes()
    }

    /// Bytes of that in results that wait for a commit; a [`flush`](Self::flush) emits them. Zero while a run is
    /// unfinished, because no commit emits them before the run ends.
    pub fn waiting_bytes(&self) -> usize {
        if self.unfinished.is_some() {
            return 0;
        }
        self.memory.nodes.iter().map(NodeMemory::pending_result_bytes).sum()
    }

    /// Number of open windows of steps with `emit = "final"`. Scans them, and counts at most a million per step.
    pub fn open_windows(&self) -> Result<u64, TaskError> {
        let nodes = self.memory.nodes.iter().map(|node| node.open_windows(&self.state));
        Ok(nodes.collect::<Result<Vec<_>, _>>()?.into_iter().sum())
    }

    /// Chooses up to `limit` records, fewer if they are large, and processes them. Returns outputs in the order of
    /// processing one record at a time, depth first. If there are many, the next calls return more before they choose
    /// other records; a commit may come in between.
    pub fn run(&mut self, logic: &mut dyn Logic, limit: usize) -> Result<Vec<Produced>, TaskError> {
        if let Some(unfinished) = self.unfinished.take() {
            let produced = run::resume(self, *unfinished, logic)?;
            return Ok(self.counted(produced));
        }
        let limit = if self.feeds_itself { limit.min(1) } else { limit };
        let mut bytes = 0;
        let mut chosen = Vec::new();
        while chosen.len() < limit
            && bytes < MAX_RUN_BYTES
            && let Some(next) = self.queues.choose()
        {
            bytes += next.record.held();
            chosen.push(next);
        }
        self.ledger.consumed += chosen.len() as u64;
        self.note_doubtful_times(&chosen);
        let begun = run::run_of(self, chosen);
        let produced = run::begin(self, begun, logic)?;
        Ok(self.counted(produced))
    }

    /// Counts outputs, except dead letters, which steps count.
    fn counted(&mut self, produced: Vec<Produced>) -> Vec<Produced> {
        let topics = &self.topology.topics;
        let is_letter = |topic: TopicId| topics.get(topic.0).is_some_and(|topic| topic.kind == TopicKind::DeadLetters);
        self.ledger.produced += produced.iter().filter(|produced| !is_letter(produced.topic)).count() as u64;
        produced
    }

    /// Limits how many timers on the driver's clock a step fires in one [`tick`](Self::tick): see
    /// [`TaskOptions::timers`].
    pub fn limit_timers(&mut self, most: usize) {
        self.options.timers = most;
    }

    /// Limits about how many bytes a step emits in one pass: see [`TaskOptions::pass_bytes`].
    pub fn limit_pass(&mut self, bytes: usize) {
        self.options.pass_bytes = bytes;
    }

    /// When the first timer on the driver's clock is due, for [`tick`](Self::tick); `None` if none is set.
    pub fn next_tick(&self) -> Option<Timestamp> {
        self.memory.nodes.iter().filter_map(NodeMemory::next_tick).min()
    }

    /// When the last timer on the driver's clock is due; `None` if none is set. Scans all of them.
    pub fn last_tick(&self) -> Result<Option<Timestamp>, TaskError> {
        let last = self.memory.nodes.iter().map(|node| node.last_tick(&self.state));
        Ok(last.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().max())
    }

    /// Advances the driver's clock to `now` and fires the timers that are due. `turn` is the turn of their outputs.
    pub fn tick(&mut self, logic: &mut dyn Logic, now: Timestamp, turn: u64) -> Result<Vec<Produced>, TaskError> {
        // An unfinished run comes first. The timers are still due after it.
        if self.unfinished.is_some() || self.next_tick().is_none_or(|next| next > now) {
            return Ok(Vec::new());
        }
        self.wake(logic, WakeReason::Tick, now, turn)
    }

    /// Whether no result waits for a commit.
    pub fn is_flushed(&self) -> bool {
        let flushes = self.unfinished.as_ref().is_some_and(|run| run.wake == Some(WakeReason::Commit));
        !flushes && !self.memory.nodes.iter().any(NodeMemory::waits_for_commit)
    }

    /// Whether the driver may call [`prepare`](Self::prepare): no result waits for the commit, or a run is unfinished.
    /// The commit stores pending results with that run, and the first commit after its end emits them.
    pub fn may_commit(&self) -> bool {
        self.unfinished.is_some() || self.is_flushed()
    }

    /// Begins to emit pending results and leaves that to the next runs: the task may be committed before they end.
    pub fn begin_flush(&mut self, now: Timestamp, turn: u64) {
        if !self.may_commit() {
            self.unfinished = Some(Box::new(run::wake_run(self, WakeReason::Commit, now, turn)));
        }
    }

    /// Emits pending results, as many as fit into a pass. The driver calls it before each [`prepare`](Self::prepare)
    /// until the task [may be committed](Self::may_commit), even if a call returns nothing; the next runs emit the
    /// rest. Or until it [is flushed](Self::is_flushed): then all outputs come before the commit, including those of an
    /// unfinished run. `now` is the driver's clock.
    pub fn flush(&mut self, logic: &mut dyn Logic, now: Timestamp, turn: u64) -> Result<Vec<Produced>, TaskError> {
        if self.is_flushed() {
            return Ok(Vec::new());
        }
        if self.unfinished.is_some() {
            return self.run(logic, 0);
        }
        let begun = run::wake_run(self, WakeReason::Commit, now, turn);
        let produced = run::begin(self, begun, logic)?;
        Ok(self.counted(produced))
    }

    /// Advances stream time to its end, for the end of a replay: emits the final results of open windows, and unmatched
    /// records. Records offered later are late. `now` is the driver's clock.
    pub fn close(&mut self, logic: &mut dyn Logic, now: Timestamp, turn: u64) -> Result<Vec<Produced>, TaskError> {
        self.wake(logic, WakeReason::Close, now, turn)
    }

    fn wake(
        &mut self,
        logic: &mut dyn Logic,
        wake: WakeReason,
        now: Timestamp,
        turn: u64,
    ) -> Result<Vec<Produced>, TaskError> {
        let mut produced = Vec::new();
        while let Some(unfinished) = self.unfinished.take() {
            produced.extend(run::resume(self, *unfinished, logic)?);
        }
        let begun = run::wake_run(self, wake, now, turn);
        produced.extend(run::begin(self, begun, logic)?);
        Ok(self.counted(produced))
    }

    /// Takes the changes of the open transaction. The driver calls it once per commit, after the last run. Panics if
    /// the task [may not be committed](Self::may_commit): pending results would be lost.
    pub fn prepare(&mut self) -> Prepared {
        assert!(self.may_commit(), "results that wait for a commit must be flushed before it");
        self.prepare_part()
    }

    /// Takes the changes so far, for a driver that writes a transaction in parts and starts it anew if it fails.
    /// Pending results stay pending.
    pub fn prepare_part(&mut self) -> Prepared {
        let Self { topology, options, state, memory, .. } = self;
        memory.prepare(topology, options, state);
        let own = (&**topology, shape(topology, options.subtopology));
        unfinished::prepare(self.unfinished.as_deref(), own, options, (&mut memory.nodes, state), &mut self.stored);
        let inputs = shape(&self.topology, self.options.subtopology).inputs.iter();
        Prepared {
            changes: self.state.take_changes(),
            offsets: inputs
                .zip(self.queues.positions())
                .map(|(topic, (next, time))| InputPosition { topic: *topic, next, time })
                .collect(),
            ledger: std::mem::take(&mut self.ledger),
        }
    }
}
