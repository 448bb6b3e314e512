//! The tasks of an app over the log: what they read is handed to them, what they put out is appended, and a commit
//! writes log, offsets and state in one batch.

mod absent;
mod commit;
mod cursor;
mod globals;
mod open;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use millrace_engine::ledger::Ledger;
use millrace_engine::logic::Logic;
use millrace_engine::record::InputRecord;
use millrace_engine::task::{Produced, Task};
use millrace_engine::topology::{TopicId, Topology};
use millrace_store::{Database, Durability};

use crate::error::Error;
use crate::log::{self, Log, NewRecord, Tail};
use cursor::Cursor;
use globals::Global;

/// What a worker is opened with.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// How many records go into one guest call at most. Changes the speed, never the result.
    pub batch: usize,
    /// Most bytes of live join windows in memory, for each store of each task.
    pub window_memory: usize,
    /// Bytes of uncommitted work after which a commit is due, whatever the interval.
    pub transaction_bytes: usize,
    /// What a commit survives.
    pub durability: Durability,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { batch: 500, window_memory: 48 << 20, transaction_bytes: 8 << 20, durability: Durability::Synced }
    }
}

/// All tasks of an app, on one thread. What isn't committed leaves nothing behind.
///
/// Again and again: [`fill`](Self::fill), [`run`](Self::run), and from time to time [`commit`](Self::commit). After an
/// error it is of no more use: open it anew.
pub struct Worker {
    topology: Arc<Topology>,
    database: Arc<Database>,
    log: Arc<Log>,
    options: WorkerOptions,
    /// Number of partitions of each topic of the pipeline, and the topic in the log.
    partitions: Arc<[u32]>,
    topics: Vec<log::TopicId>,
    seats: Vec<Seat>,
    globals: Vec<Global>,
    /// Who reads a partition of a topic: seat and input.
    readers: HashMap<(TopicId, u32), (usize, usize)>,
    /// Appended since the last commit.
    tail: Tail,
    dirty: bool,
    ledger: Ledger,
}

/// A task with its places in the log.
struct Seat {
    task: Task,
    cursors: Vec<Cursor>,
}

impl Worker {
    /// The app's topology.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Number of partitions of a topic of the pipeline.
    pub fn partitions(&self, topic: TopicId) -> u32 {
        self.partitions.get(topic.0).copied().unwrap_or(1)
    }

    /// Counts of all that is committed since the worker was opened.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Windows that hold records, and whose final results have not come out yet. It reads through all of them.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn open_windows(&self) -> Result<u64, Error> {
        self.seats.iter().try_fold(0, |sum, seat| Ok(sum + seat.task.open_windows()?))
    }

    /// Whether there is anything to commit.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether so much is uncommitted that a commit is due.
    pub fn is_full(&self) -> bool {
        let bytes: usize = self.seats.iter().map(|seat| seat.task.transaction_bytes()).sum();
        bytes + self.tail.bytes() > self.options.transaction_bytes
    }

    /// The same where results that wait for a commit are left waiting: they take memory whatever is written down.
    pub(crate) fn may_be_relieved(&self) -> bool {
        let of = |task: &Task| task.transaction_bytes().saturating_sub(task.waiting_bytes());
        let bytes: usize = self.seats.iter().map(|seat| of(&seat.task)).sum();
        bytes + self.tail.bytes() > self.options.transaction_bytes
    }

    /// Records that are in the log, committed, and not yet handed to the tasks that read them.
    pub fn lag(&self) -> u64 {
        self.seats.iter().flat_map(|seat| &seat.cursors).map(Cursor::left).sum()
    }

    /// Appends a record to a topic of the pipeline, and hands it to the task that reads it. Returns its offset. `turn`
    /// and `now` are the record's [`turn`](InputRecord::turn) and [`arrived`](InputRecord::arrived).
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

    /// The same for any topic of the log, also one that isn't of this pipeline.
    ///
    /// # Errors
    /// There is no such partition.
    pub(crate) fn append_to_log(
        &mut self,
        place: log::TopicId,
        partition: u32,
        record: NewRecord,
        now: i64,
    ) -> Result<i64, Error> {
        let topic = self.topics.iter().position(|known| *known == place).map(TopicId);
        self.append_at(place, topic, partition, record, 0, now)
    }

    fn append_at(
        &mut self,
        place: log::TopicId,
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

    /// Gives a record of the tail to the task that reads it, if that one has read all that comes before; if not, it
    /// reads it from the log once it is committed.
    fn hand_over(&mut self, (seat, input): (usize, usize), record: NewRecord, offset: i64, turn: u64, now: i64) {
        let Some(seat) = self.seats.get_mut(seat) else { return };
        let Some(cursor) = seat.cursors.get_mut(input) else { return };
        if !cursor.take(offset) {
            return;
        }
        let NewRecord { timestamp, key, value, headers } = record;
        let timestamp_type = Default::default();
        seat.task
            .offer(input, InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived: now, turn });
    }

    /// Hands the tasks what is committed in the log, up to a batch for each input. `now` is the time it arrives.
    ///
    /// An input expects more as long as there is more in the log, or a task that writes it has something to do: what it
    /// will write may have the lowest timestamp.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn fill(&mut self, now: i64) -> Result<(), Error> {
        let mut busy: BTreeSet<TopicId> = BTreeSet::new();
        for part in 0..self.topology.subtopologies.len() {
            let mut has_work = false;
            for seat in self.seats.iter_mut().filter(|seat| seat.task.subtopology() == part) {
                seat.fill(self.options.batch, now)?;
                has_work |= seat.mark(&self.tail, &busy)?;
            }
            if let (true, Some(part)) = (has_work, self.topology.subtopologies.get(part)) {
                busy.extend(part.outputs().filter(|topic| !part.inputs.contains(topic)));
            }
        }
        Ok(())
    }

    /// Runs the tasks in their order, those that read what others write after these, until none has anything to do or a
    /// commit is due; appends what they put out. Returns whether there was anything to do.
    ///
    /// # Errors
    /// A task can't go on.
    pub fn run(&mut self, logic: &mut dyn Logic) -> Result<bool, Error> {
        let mut any = false;
        while self.seats.iter().any(|seat| seat.task.ready()) && !self.is_full() {
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
        let seats = self.seats.iter().enumerate();
        seats.filter(|(_, seat)| seat.task.subtopology() == part).map(|(number, _)| number).collect()
    }

    /// Lets a task run once, if it has anything to do. What it puts out is appended by nobody.
    ///
    /// # Errors
    /// The task can't go on.
    pub(crate) fn run_task(&mut self, task: usize, logic: &mut dyn Logic) -> Result<Option<Vec<Produced>>, Error> {
        let Some(seat) = self.seats.get_mut(task).filter(|seat| seat.task.ready()) else { return Ok(None) };
        self.dirty = true;
        Ok(Some(seat.task.run(logic, usize::MAX)?))
    }

    /// When a timer is due next, by the clock that [`tick`](Self::tick) moves.
    pub fn next_tick(&self) -> Option<i64> {
        self.seats.iter().filter_map(|seat| seat.task.next_tick()).min()
    }

    /// When the last of the timers is due that are set now.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn last_tick(&self) -> Result<Option<i64>, Error> {
        let mut last = None;
        for seat in &self.seats {
            last = last.max(seat.task.last_tick()?);
        }
        Ok(last)
    }

    /// Lets the clock reach `now`: the tasks fire timers that are due, in their order, each a thousand at most. Those that
    /// are left are [due](Self::next_tick) at once. What the tasks put out is `seen` with the number of its task, and appended by nobody. `turn` is that of these records.
    ///
    /// # Errors
    /// A task can't go on.
    pub fn tick(
        &mut self,
        logic: &mut dyn Logic,
        now: i64,
        turn: u64,
        mut seen: impl FnMut(usize, Produced),
    ) -> Result<(), Error> {
        for (number, seat) in self.seats.iter_mut().enumerate() {
            if seat.task.next_tick().is_some_and(|next| next <= now) {
                self.dirty = true;
                seat.task.tick(logic, now, turn)?.into_iter().for_each(|produced| seen(number, produced));
            }
        }
        Ok(())
    }

    /// How many tasks there are; their numbers are below that.
    pub(crate) fn tasks(&self) -> usize {
        self.seats.len()
    }

    /// Whether a task may be [committed](Self::commit) as it is.
    pub(crate) fn may_commit(&self, task: usize) -> bool {
        self.seats.get(task).is_none_or(|seat| seat.task.may_commit())
    }

    /// Lets a task put out what waits for a commit, as much as goes into a pass; `None` if nothing does. To be called before
    /// [`commit`](Self::commit) for all tasks, until each [may be committed](Self::may_commit). What it puts out is appended by nobody.
    ///
    /// # Errors
    /// The task can't go on.
    pub(crate) fn flush_task(
        &mut self,
        task: usize,
        logic: &mut dyn Logic,
        now: i64,
        turn: u64,
    ) -> Result<Option<Vec<Produced>>, Error> {
        let Some(seat) = self.seats.get_mut(task).filter(|seat| !seat.task.is_flushed()) else { return Ok(None) };
        Ok(Some(seat.task.flush(logic, now, turn)?))
    }

    /// Lets the tasks of a sub-topology put out what waits for stream time to pass; what comes is `seen` as in
    /// [`tick`](Self::tick).
    ///
    /// # Errors
    /// A task can't go on.
    pub fn close(
        &mut self,
        part: usize,
        logic: &mut dyn Logic,
        (now, turn): (i64, u64),
        mut seen: impl FnMut(usize, Produced),
    ) -> Result<(), Error> {
        for (number, seat) in self.seats.iter_mut().enumerate().filter(|(_, seat)| seat.task.subtopology() == part) {
            self.dirty = true;
            seat.task.close(logic, now, turn)?.into_iter().for_each(|produced| seen(number, produced));
        }
        Ok(())
    }

    /// Appends what a task has put out, and hands it to the task that reads it.
    ///
    /// # Errors
    /// There is no such partition.
    pub fn append_produced(&mut self, record: Produced) -> Result<(), Error> {
        let Produced { topic, partition, key, value, timestamp, headers, turn, arrived, .. } = record;
        self.append(topic, partition, NewRecord { timestamp, key, value, headers }, turn, arrived)?;
        Ok(())
    }

    /// Whether a task has something to do.
    pub fn is_ready(&self) -> bool {
        self.seats.iter().any(|seat| seat.task.ready())
    }
}

/// Bytes that wait on an input, after which nothing more is read for it.
const QUEUE_BYTES: usize = 4 << 20;

impl Seat {
    fn fill(&mut self, batch: usize, now: i64) -> Result<(), Error> {
        for (input, cursor) in self.cursors.iter_mut().enumerate() {
            let bytes = QUEUE_BYTES.saturating_sub(self.task.queued_bytes(input));
            let records = batch.saturating_sub(self.task.queued(input));
            cursor.read(records, bytes, now, |record| self.task.offer(input, record))?;
        }
        Ok(())
    }

    /// Says which inputs expect more: those with more in the log or the tail, and those that a busy task writes. Tells
    /// whether the task has work, or will have.
    fn mark(&mut self, tail: &Tail, busy: &BTreeSet<TopicId>) -> Result<bool, Error> {
        let mut has_work = false;
        let topics = self.task.inputs().to_vec();
        for ((input, cursor), topic) in self.cursors.iter().enumerate().zip(topics) {
            let more = cursor.next() < tail.end_offset(cursor.topic(), cursor.partition())? || busy.contains(&topic);
            self.task.expect_more(input, more);
            has_work |= more || self.task.queued(input) > 0 || self.task.ready();
        }
        Ok(has_work)
    }
}
