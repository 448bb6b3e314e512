//! A task: one sub-topology for one partition number, from chosen records to outputs and state changes.
//!
//! A driver calls its methods in this order, again and again:
//!
//! ```text
//! open ── offer* ── run ──┬── offer* ── run, tick ── ... ── flush* ── prepare ── (the driver commits) ── committed ─┐
//!   ▲                     └─────────────────────────────────────────────────────────────────────────────────────────┤
//!   └── after anything but an acknowledged commit: drop it and open it anew ─────────────────────────────────────────┘
//! ```
//!
//! Before a commit a driver flushes, and sends what each call puts out, until the task
//! [may be committed](Task::may_commit): results that wait for the commit are in memory only, unless a run isn't done.
//!
//! Outputs are returned, not sent; state changes are handed over, not written. A task that isn't committed leaves
//! nothing behind.

mod doubtful;
mod memory;
mod queues;
mod run;
mod sources;
mod unfinished;

use std::sync::Arc;

use bytes::Bytes;

use crate::ledger::Ledger;
use crate::logic::Logic;
use crate::operators::NodeMemory;
use crate::ports::{Backend, StoreChanges};
use crate::record::{InputRecord, Timestamp};
use crate::state::TaskState;
pub use crate::step::{Deployed, PASS_BYTES, Produced, TaskError, TaskOptions};
use crate::step::{Progress, WakeReason};
use crate::topology::{NodeId, TopicId, TopicKind, Topology};
use memory::Memory;
use queues::Queues;
use sources::{shape, source_of, timing_of};
use unfinished::{StoredRun, UnfinishedRun};

/// What a task hands over to be committed, all of it in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Changes of its stores.
    pub changes: Vec<StoreChanges>,
    /// Where it stands in each topic it reads, in the order of its inputs.
    pub offsets: Vec<InputPosition>,
    /// What became of the records.
    pub ledger: Ledger,
}

/// Where a task stands in a topic that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputPosition {
    /// The topic.
    pub topic: TopicId,
    /// Offset of the next record to process; `None` if it has processed none since it was opened.
    pub next: Option<i64>,
    /// Highest event time processed, also before it was opened if the driver has [restored](Task::restore_time) that:
    /// Kafka Streams' partition time. `None` if there is none; records with a negative time, or none, don't count.
    pub time: Option<Timestamp>,
}

/// Bytes of input after which a run is closed: large records go in smaller runs.
const MAX_RUN_BYTES: usize = 4 << 20;

/// One sub-topology for one partition number.
pub struct Task {
    topology: Arc<Topology>,
    options: TaskOptions,
    queues: Queues,
    state: TaskState,
    memory: Memory,
    ledger: Ledger,
    /// The node of each input.
    sources: Vec<NodeId>,
    /// Names of all topics, which origins of records share.
    names: Arc<[Bytes]>,
    /// Whether it reads a topic that it writes itself: then it takes one record at a time, because what that puts out may
    /// be the next.
    feeds_itself: bool,
    /// A run that the last pass hasn't finished.
    unfinished: Option<Box<Progress>>,
    /// What the last commit has stored of it.
    stored: StoredRun,
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
        let queues = Queues::new(sources.iter().map(|source| timing_of(shape, *source)));
        let feeds_itself = shape.outputs().any(|topic| shape.inputs.contains(&topic));
        let names = topology.topics.iter().map(|topic| Bytes::copy_from_slice(topic.name.as_bytes())).collect();
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
        })
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

    /// Adds a record to an input, by its index in [`inputs`](Self::inputs). Records of an input come in the order of
    /// their offsets.
    pub fn offer(&mut self, input: usize, record: InputRecord) {
        self.queues.offer(input, record);
    }

    /// Says whether more records are known to come on an input. While one is, and its queue is empty, no record is
    /// chosen: the next one there may have the lowest timestamp.
    pub fn expect_more(&mut self, input: usize, more: bool) {
        self.queues.expect_more(input, more);
    }

    /// Sets the [time](InputPosition::time) that an input had reached when its position was committed, after a restart.
    /// It never goes back.
    pub fn restore_time(&mut self, input: usize, time: Timestamp) {
        self.queues.restore_time(input, time);
    }

    /// Records that wait on an input.
    pub fn queued(&self, input: usize) -> usize {
        self.queues.queued(input)
    }

    /// Records that wait on all inputs.
    pub fn queued_in_all(&self) -> usize {
        (0..self.sources.len()).map(|input| self.queues.queued(input)).sum()
    }

    /// Bytes of the records that wait on an input.
    pub fn queued_bytes(&self, input: usize) -> usize {
        self.queues.queued_bytes(input)
    }

    /// Whether [`run`](Self::run) would process anything.
    pub fn ready(&self) -> bool {
        self.unfinished.is_some() || self.queues.next().is_some()
    }

    /// Whether a run isn't done: a commit now keeps what is left of it, with offsets behind all of its records.
    pub fn is_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Memory of the open transaction in bytes, roughly: a driver commits early when it grows too large.
    pub fn transaction_bytes(&self) -> usize {
        let pending = self.memory.nodes.iter().map(NodeMemory::unwritten_bytes).sum::<usize>();
        self.state.bytes() + pending + self.waiting_bytes()
    }

    /// How much of that is in results that wait for a commit, which only a [`flush`](Self::flush) takes out of it. None
    /// while a run isn't done: no commit lets them out before that.
    pub fn waiting_bytes(&self) -> usize {
        if self.unfinished.is_some() {
            return 0;
        }
        self.memory.nodes.iter().map(NodeMemory::pending_result_bytes).sum()
    }

    /// Windows that hold records, and whose final results have not come out yet: of steps with `emit = "final"`. It reads
    /// through them; of a step, at most a million are counted.
    pub fn open_windows(&self) -> Result<u64, TaskError> {
        let nodes = self.memory.nodes.iter().map(|node| node.open_windows(&self.state));
        Ok(nodes.collect::<Result<Vec<_>, _>>()?.into_iter().sum())
    }

    /// Memory of live join windows in bytes, roughly.
    pub fn window_bytes(&self) -> usize {
        self.memory.nodes.iter().map(NodeMemory::bytes).sum()
    }

    /// Chooses up to `limit` records, or fewer where they are large, and processes them. Returns what they put out, in the
    /// order in which one record at a time, depth first, would have. Where that is much, the rest comes with the next calls,
    /// before other records; a commit may lie in between.
    pub fn run(&mut self, logic: &mut dyn Logic, limit: usize) -> Result<Vec<Produced>, TaskError> {
        if let Some(unfinished) = self.unfinished.take() {
            let produced = run::go_on(self, *unfinished, logic)?;
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
        let begun = run::over(self, chosen);
        let produced = run::begin(self, begun, logic)?;
        Ok(self.counted(produced))
    }

    /// Counts what is put out; dead letters have counts of their own.
    fn counted(&mut self, produced: Vec<Produced>) -> Vec<Produced> {
        let topics = &self.topology.topics;
        let is_letter = |topic: TopicId| topics.get(topic.0).is_some_and(|topic| topic.kind == TopicKind::DeadLetters);
        self.ledger.produced += produced.iter().filter(|produced| !is_letter(produced.topic)).count() as u64;
        produced
    }

    /// From now on, a step fires at most so many timers on the driver's clock in one [`tick`](Self::tick); see
    /// [`TaskOptions::timers`].
    pub fn limit_timers(&mut self, most: usize) {
        self.options.timers = most;
    }

    /// From now on, a step puts out about so many bytes in one pass; see [`TaskOptions::pass_bytes`].
    pub fn limit_pass(&mut self, bytes: usize) {
        self.options.pass_bytes = bytes;
    }

    /// When [`tick`](Self::tick) has something to do next, by the driver's clock; `None` if no timer is set on it.
    pub fn next_tick(&self) -> Option<Timestamp> {
        self.memory.nodes.iter().filter_map(NodeMemory::next_tick).min()
    }

    /// When the last of the timers is due that are set on the driver's clock now; `None` if none is. It reads through all
    /// of them.
    pub fn last_tick(&self) -> Result<Option<Timestamp>, TaskError> {
        let last = self.memory.nodes.iter().map(|node| node.last_tick(&self.state));
        Ok(last.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().max())
    }

    /// Lets the driver's clock reach `now`: fires the timers that are due on it. `turn` is that of what they put out.
    pub fn tick(&mut self, logic: &mut dyn Logic, now: Timestamp, turn: u64) -> Result<Vec<Produced>, TaskError> {
        // A run that isn't done comes first: the timers are still due when it is.
        if self.unfinished.is_some() || self.next_tick().is_none_or(|next| next > now) {
            return Ok(Vec::new());
        }
        self.wake(logic, WakeReason::Tick, now, turn)
    }

    /// Whether nothing waits for a commit.
    pub fn is_flushed(&self) -> bool {
        let flushes = self.unfinished.as_ref().is_some_and(|run| run.wake == Some(WakeReason::Commit));
        !flushes && !self.memory.nodes.iter().any(NodeMemory::waits_for_commit)
    }

    /// Whether [`prepare`](Self::prepare) may be called: nothing waits for the commit, or a run isn't done. What waits is
    /// written down with that run, and comes out with the first commit after its end.
    pub fn may_commit(&self) -> bool {
        self.unfinished.is_some() || self.is_flushed()
    }

    /// Begins to put out what waits for a commit, and leaves that to the next runs: the task may be committed before.
    pub fn begin_flush(&mut self, now: Timestamp, turn: u64) {
        if !self.may_commit() {
            self.unfinished = Some(Box::new(run::awake(self, WakeReason::Commit, now, turn)));
        }
    }

    /// Puts out what waits for a commit, as much as goes into a pass: to be called before each [`prepare`](Self::prepare)
    /// until the task [may be committed](Self::may_commit), also where a call puts out nothing; what is left comes with the
    /// next runs. Or until it [is flushed](Self::is_flushed): then all comes before the commit, that of a run which isn't
    /// done too. `now` is the driver's clock.
    pub fn flush(&mut self, logic: &mut dyn Logic, now: Timestamp, turn: u64) -> Result<Vec<Produced>, TaskError> {
        if self.is_flushed() {
            return Ok(Vec::new());
        }
        if self.unfinished.is_some() {
            return self.run(logic, 0);
        }
        let begun = run::awake(self, WakeReason::Commit, now, turn);
        let produced = run::begin(self, begun, logic)?;
        Ok(self.counted(produced))
    }

    /// Puts out what waits for stream time to pass, as if that had come to its end: final results of windows that are
    /// open, and records without a match. For the end of a replay: what comes after it is late. `now` is the driver's clock.
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
            produced.extend(run::go_on(self, *unfinished, logic)?);
        }
        let begun = run::awake(self, wake, now, turn);
        produced.extend(run::begin(self, begun, logic)?);
        Ok(self.counted(produced))
    }

    /// Takes what the open transaction has changed. To be called once for each commit, after the last run. Panics if the
    /// task [may not be committed](Self::may_commit): results would be lost.
    pub fn prepare(&mut self) -> Prepared {
        assert!(self.may_commit(), "results that wait for the commit are flushed before it");
        self.prepare_part()
    }

    /// The same in the middle of a transaction, for a driver that writes it down in parts and begins it anew if it doesn't
    /// come to its end. What waits for the commit goes on waiting.
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
