//! The tasks of an app over the log: the worker feeds them records from the log, appends their outputs to it, and
//! commits log, offsets and state in one batch.

mod absent;
mod active_task;
mod commit;
mod cursor;
mod globals;
mod open;
mod rewrite;
mod time;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use millrace_engine::deployment::ActivePlugins;
use millrace_engine::ledger::Ledger;
use millrace_engine::logic::Logic;
use millrace_engine::record::InputRecord;
use millrace_engine::task::{Produced, Task};
use millrace_engine::topology::{TopicId, Topology};
use millrace_store::{Database, Durability};

use crate::error::Error;
use crate::log::{self, Log, NewRecord, Tail};
use active_task::ActiveTask;
use cursor::Cursor;
use globals::FollowedTable;

/// Options of a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// Most records in one call of a guest. Changes the speed, never the result.
    pub batch: usize,
    /// Most bytes of join windows in memory, for each store of each task.
    pub window_memory: usize,
    /// Bytes of uncommitted work after which a commit is due, whatever the interval.
    pub transaction_bytes: usize,
    /// What a commit survives: the end of the process, or a power failure.
    pub durability: Durability,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { batch: 500, window_memory: 48 << 20, transaction_bytes: 8 << 20, durability: Durability::Synced }
    }
}

/// All tasks of an app, on one thread. Uncommitted work leaves no trace.
///
/// The driver calls [`fill`](Self::fill) and [`run`](Self::run) in a loop, and [`commit`](Self::commit) from time to
/// time. After an error the worker can't be used any more: open a new one.
pub struct Worker {
    topology: Arc<Topology>,
    plugins: ActivePlugins,
    database: Arc<Database>,
    log: Arc<Log>,
    options: WorkerOptions,
    /// Number of partitions of each topic of the pipeline.
    partitions: Arc<[u32]>,
    /// Each topic of the pipeline in the log.
    topics: Vec<log::LogTopicId>,
    tasks: Vec<ActiveTask>,
    globals: Vec<FollowedTable>,
    /// The task that reads a partition of a topic, and its input.
    readers: HashMap<(TopicId, u32), (usize, usize)>,
    /// Records that were appended since the last commit.
    tail: Tail,
    dirty: bool,
    ledger: Ledger,
}

impl Worker {
    /// The app's topology.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// The plugins that its tasks run.
    pub fn plugins(&self) -> &ActivePlugins {
        &self.plugins
    }

    /// The counts of each task since the last commit.
    pub(crate) fn open_ledgers(&self) -> Vec<&Ledger> {
        self.tasks.iter().map(|active| active.task.open_ledger()).collect()
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Number of partitions of a topic of the pipeline.
    pub fn partitions(&self, topic: TopicId) -> u32 {
        self.partitions.get(topic.0).copied().unwrap_or(1)
    }

    /// The counts of all that was committed since the worker was opened.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Number of windows that have records and no final result yet. Scans all of them.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn open_windows(&self) -> Result<u64, Error> {
        self.tasks.iter().try_fold(0, |sum, active| Ok(sum + active.task.open_windows()?))
    }

    /// Whether there is anything to commit.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether there is so much uncommitted work that a commit is due.
    pub fn is_full(&self) -> bool {
        let bytes: usize = self.tasks.iter().map(|active| active.task.transaction_bytes()).sum();
        bytes + self.tail.bytes() > self.options.transaction_bytes
    }

    /// Whether uncommitted changes should [spill](Self::spill). Results that wait for a commit don't count: a spill
    /// doesn't free their memory.
    pub(crate) fn should_spill(&self) -> bool {
        let of = |task: &Task| task.transaction_bytes().saturating_sub(task.waiting_bytes());
        let bytes: usize = self.tasks.iter().map(|active| of(&active.task)).sum();
        bytes + self.tail.bytes() > self.options.transaction_bytes
    }

    /// Number of committed records in the log that the tasks haven't got yet.
    pub fn lag(&self) -> u64 {
        self.tasks.iter().flat_map(|active| &active.cursors).map(Cursor::lag).sum()
    }

    /// Appends a record to a topic of the pipeline, and passes it to the task that reads it. Returns its offset. The
    /// record gets `turn` as its [`turn`](InputRecord::turn) and `now` as [`arrived`](InputRecord::arrived).
    ///
    /// # Errors
    /// There is no such partition.
    pub fn append(
        &mut self,
        topic: TopicId,
        partition: u32,
        record: NewRecord,
        turn: u64,
        now: i64,
    ) -> Result<i64, Error> {
        let place = self.topics.get(topic.0).copied().ok_or_else(|| Error::Input(format!("no topic {}", topic.0)))?;
        self.append_at(place, Some(topic), partition, record, turn, now)
    }

    /// Appends a record to any topic of the log.
    ///
    /// # Errors
    /// There is no such partition.
    pub(crate) fn append_to_log(
        &mut self,
        place: log::LogTopicId,
        partition: u32,
        record: NewRecord,
        now: i64,
    ) -> Result<i64, Error> {
        let topic = self.topics.iter().position(|known| *known == place).map(TopicId);
        self.append_at(place, topic, partition, record, 0, now)
    }

    fn append_at(
        &mut self,
        place: log::LogTopicId,
        topic: Option<TopicId>,
        partition: u32,
        record: NewRecord,
        turn: u64,
        now: i64,
    ) -> Result<i64, Error> {
        let reader = topic.and_then(|topic| self.readers.get(&(topic, partition)).copied());
        let copy = reader.map(|_| record.clone());
        let offset = self.tail.append(place, partition, record)?;
        self.dirty = true;
        if let (Some(reader), Some(record)) = (reader, copy) {
            self.hand_over(reader, record, offset, turn, now);
        }
        Ok(offset)
    }

    /// Passes a record of the tail to the task that reads it, if the task has all records before it. Otherwise the task
    /// reads the record from the log after the commit.
    fn hand_over(&mut self, (active, input): (usize, usize), record: NewRecord, offset: i64, turn: u64, now: i64) {
        let Some(active) = self.tasks.get_mut(active) else { return };
        let Some(cursor) = active.cursors.get_mut(input) else { return };
        if !cursor.take(offset) {
            return;
        }
        let NewRecord { timestamp, key, value, headers } = record;
        let timestamp_type = Default::default();
        active
            .task
            .offer(input, InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived: now, turn });
    }

    /// Passes committed records of the log to the tasks, up to a batch for each input. They get `now` as
    /// [`arrived`](InputRecord::arrived).
    ///
    /// An input expects more as long as there is more in the log, or a task that writes it has work: the next record of
    /// that task may have the lowest timestamp.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn fill(&mut self, now: i64) -> Result<(), Error> {
        let mut busy: BTreeSet<TopicId> = BTreeSet::new();
        for part in 0..self.topology.subtopologies.len() {
            let mut has_work = false;
            for active in self.tasks.iter_mut().filter(|active| active.task.subtopology() == part) {
                active.fill(self.options.batch, now)?;
                has_work |= active.update_expectations(&self.tail, &busy)?;
            }
            if let (true, Some(part)) = (has_work, self.topology.subtopologies.get(part)) {
                busy.extend(part.outputs().filter(|topic| !part.inputs.contains(topic)));
            }
        }
        Ok(())
    }

    /// Runs the tasks, each after those whose outputs it reads, until none has work or a commit is due; appends their
    /// outputs. Returns whether there was any work.
    ///
    /// # Errors
    /// A task can't go on.
    pub fn run(&mut self, logic: &mut dyn Logic) -> Result<bool, Error> {
        let mut any = false;
        while self.tasks.iter().any(|active| active.task.ready()) && !self.is_full() {
            any = true;
            for part in 0..self.topology.subtopologies.len() {
                for task in self.tasks_of(part) {
                    while !self.is_full()
                        && let Some(outputs) = self.run_task(task, logic)?
                    {
                        outputs.into_iter().try_for_each(|record| self.append_produced(record))?;
                    }
                }
            }
        }
        Ok(any)
    }

    /// The tasks of a sub-topology, by their numbers.
    pub(crate) fn tasks_of(&self, part: usize) -> Vec<usize> {
        let tasks = self.tasks.iter().enumerate();
        tasks.filter(|(_, active)| active.task.subtopology() == part).map(|(number, _)| number).collect()
    }

    /// Runs a task once if it has work, and returns its outputs without appending them.
    ///
    /// # Errors
    /// The task can't go on.
    pub(crate) fn run_task(&mut self, task: usize, logic: &mut dyn Logic) -> Result<Option<Vec<Produced>>, Error> {
        let Some(active) = self.tasks.get_mut(task).filter(|active| active.task.ready()) else { return Ok(None) };
        self.dirty = true;
        Ok(Some(active.task.run(logic, usize::MAX)?))
    }

    /// Number of tasks. They are numbered from 0.
    pub(crate) fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// Appends an output of a task, and passes it to the task that reads it.
    ///
    /// # Errors
    /// There is no such partition.
    pub fn append_produced(&mut self, record: Produced) -> Result<(), Error> {
        let Produced { topic, partition, key, value, timestamp, headers, turn, arrived, .. } = record;
        self.append(topic, partition, NewRecord { timestamp, key, value, headers }, turn, arrived)?;
        Ok(())
    }

    /// Finishes runs that are unfinished, and appends their outputs. Tells whether there were any.
    ///
    /// # Errors
    /// A task can't go on.
    pub(crate) fn finish_runs(&mut self, logic: &mut dyn Logic) -> Result<bool, Error> {
        let mut any = false;
        for number in 0..self.tasks.len() {
            while let Some(active) = self.tasks.get_mut(number).filter(|active| active.task.is_unfinished()) {
                (any, self.dirty) = (true, true);
                let outputs = active.task.run(logic, 0)?;
                outputs.into_iter().try_for_each(|record| self.append_produced(record))?;
            }
        }
        Ok(any)
    }

    /// Goes on with other plugins, after a commit.
    ///
    /// # Errors
    /// A task can't go on with them.
    pub(crate) fn swap(&mut self, plugins: &ActivePlugins) -> Result<(), Error> {
        (self.topology, self.plugins) = (Arc::clone(&plugins.topology), plugins.clone());
        Ok(self.tasks.iter_mut().try_for_each(|active| active.task.swap(plugins))?)
    }

    /// Whether any task has work.
    pub fn is_ready(&self) -> bool {
        self.tasks.iter().any(|active| active.task.ready())
    }
}
