//! Replay: records in, records out, on a clock that the records themselves move. The same input gives the same output,
//! byte for byte, whatever the batch size.

mod ahead;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_engine::ledger::Ledger;
use millrace_engine::logic::Logic;
use millrace_engine::partitioner::partition_of;
use millrace_engine::record::{END_OF_TIME, Headers};
use millrace_engine::stage::Stage;
use millrace_engine::task::Produced;
use millrace_engine::topology::{TopicId, TopicKind};

use crate::error::Error;
use crate::worker::Worker;
use ahead::Ahead;

/// A record to replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRecord {
    /// Topic of the pipeline.
    pub topic: TopicId,
    /// Partition, if it isn't to be chosen by the key.
    pub partition: Option<u32>,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Event time; `None`: the clock's.
    pub timestamp: Option<i64>,
    /// Headers.
    pub headers: Headers,
}

/// Bytes of input after which a commit is due. Of the input alone, so that commits don't depend on how much was processed
/// already.
const COMMIT_BYTES: usize = 4 << 20;

/// What a record costs beside its key and value, roughly.
const RECORD_BYTES: usize = 100;

/// A replay under way. Give it records with [`push`](Self::push), then [`finish`](Self::finish).
pub struct Replay<'w, F> {
    worker: &'w mut Worker,
    logic: &'w mut dyn Logic,
    batch: usize,
    commit_interval: i64,
    clock: i64,
    /// Turns so far: one for each record, and for each time that something came out without one.
    turn: u64,
    /// Records so far, and those since the last flush.
    records: i64,
    pending: usize,
    /// Bytes of the records since the last commit.
    bytes: usize,
    stage: Stage,
    /// Whether the next turn has to wait for this one: what a turn puts out may come back, or its records may set timers,
    /// of which nobody knows beforehand when they are due.
    one_at_a_time: bool,
    closes_windows: bool,
    /// Records that wait for those after them, to be told whether they are ahead of all others: see `ahead.rs`.
    waiting: Ahead,
    put_out: F,
    tell: Box<dyn FnMut(&Ledger) + 'w>,
}

impl<'w, F: FnMut(&Produced) -> Result<(), Error>> Replay<'w, F> {
    /// Starts a replay over a worker without input of its own. `batch` is the number of records after which deferred
    /// guest calls are made; `put_out` gets what external topics and dead-letter queues get, in the order of
    /// production.
    pub fn new(
        worker: &'w mut Worker,
        logic: &'w mut dyn Logic,
        batch: usize,
        commit_interval: Duration,
        put_out: F,
    ) -> Self {
        let commit_interval = i64::try_from(commit_interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let (batch, topology) = (batch.max(1), worker.topology());
        let one_at_a_time = topology.feeds_back() || topology.sets_timers();
        let (clock, turn, records, pending, bytes, stage) = (i64::MIN, 0, 0, 0, 0, Stage::default());
        let waiting = Ahead::new(topology);
        Self {
            worker,
            logic,
            batch,
            commit_interval,
            clock,
            turn,
            records,
            pending,
            bytes,
            stage,
            one_at_a_time,
            closes_windows: false,
            waiting,
            put_out,
            tell: Box::new(|_| {}),
        }
    }

    /// Has what waits for stream time to pass put out at the end: windows that are open, records without a match.
    pub fn closing_windows(self, closes_windows: bool) -> Self {
        Self { closes_windows, ..self }
    }

    /// Hands the ledger of each commit to `tell`, and that of each time that changes are moved to disk before one: the lines
    /// that rules log are in these alone.
    pub fn telling(self, tell: impl FnMut(&Ledger) + 'w) -> Self {
        Self { tell: Box::new(tell), ..self }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`Error::Input`]: its partition isn't there, or it has no timestamp and none came before.
    pub fn push(&mut self, record: ReplayRecord) -> Result<(), Error> {
        self.partition(record.topic, record.partition, record.key.as_deref())?;
        let is_first = self.clock == i64::MIN && self.waiting.is_empty();
        if record.timestamp.is_none() && is_first {
            return Err(Error::Input("the record has no timestamp, and none before it has one to take over".into()));
        }
        self.waiting.push(record);
        while let Some((record, is_ahead)) = self.waiting.next(self.clock) {
            self.take(record, is_ahead)?;
        }
        Ok(())
    }

    /// Takes a record. One that is ahead of all others doesn't move the clock.
    fn take(&mut self, record: ReplayRecord, is_ahead: bool) -> Result<(), Error> {
        let ReplayRecord { topic, partition, key, value, timestamp, headers } = record;
        let timestamp = timestamp.unwrap_or(self.clock);
        let before = self.clock;
        self.clock = if is_ahead { before } else { before.max(timestamp) };
        let partition = self.partition(topic, partition, key.as_deref())?;
        self.tick()?;
        let (turn, arrived) = (self.next_turn(), self.clock);
        let record = Produced { topic, partition, key, value, timestamp, headers, window: None, turn, arrived };
        let size =
            record.key.as_ref().map_or(0, Bytes::len) + record.value.as_ref().map_or(0, Bytes::len) + RECORD_BYTES;
        self.stage.put(Stage::OUTSIDE, record);
        self.records += 1;
        self.pending += 1;
        self.bytes += size;
        if self.worker.topology().globals.iter().any(|table| table.topic == topic) {
            return self.learn();
        }
        let crossed = before != i64::MIN
            && before.div_euclid(self.commit_interval) != self.clock.div_euclid(self.commit_interval);
        if crossed || self.bytes > COMMIT_BYTES {
            self.commit()
        } else if self.pending >= self.batch || self.one_at_a_time {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Processes what is left, lets the clock go on until all timers have fired that are set on it, commits, and tells
    /// what became of all records. Timers that are set meanwhile fire only if they are due before the last of those: one
    /// that sets itself again would never end.
    ///
    /// # Errors
    /// A task can't go on, or the database can't be written.
    pub fn finish(mut self) -> Result<Ledger, Error> {
        while let Some((record, is_ahead)) = self.waiting.last(self.clock) {
            self.take(record, is_ahead)?;
        }
        self.settle()?;
        if self.closes_windows {
            // Those that read what others put out come after these.
            for part in 0..self.worker.topology().subtopologies.len() {
                let (now, turn) = (self.clock, self.next_turn());
                let mut outcomes = Vec::new();
                self.worker.close(part, self.logic, (now, turn), |task, produced| outcomes.push((task, produced)))?;
                self.follow(outcomes)?;
                self.settle()?;
            }
        }
        let last = self.worker.last_tick()?;
        while let Some(next) = self.worker.next_tick().filter(|next| Some(*next) <= last && *next < END_OF_TIME) {
            // A timer that is overdue when it is set fires with the next instant.
            self.clock = next.max(self.clock.saturating_add(1));
            self.tick()?;
        }
        self.commit()?;
        Ok(self.worker.ledger().clone())
    }

    fn partition(&self, topic: TopicId, wanted: Option<u32>, key: Option<&[u8]>) -> Result<u32, Error> {
        let partitions = self.worker.partitions(topic);
        match wanted {
            Some(wanted) if wanted < partitions => Ok(wanted),
            Some(wanted) => {
                let name = self.worker.topology().topics.get(topic.0).map_or("", |topic| topic.name.as_str());
                let last = partitions.saturating_sub(1);
                Err(Error::Input(format!("topic `{name}` has no partition {wanted}: its last one is {last}")))
            }
            None => Ok(partition_of(key, self.records, partitions)),
        }
    }

    /// Processes what is pending, and puts out what comes of it in the order of the input.
    fn flush(&mut self) -> Result<(), Error> {
        self.process(Vec::new())
    }

    /// Runs all tasks over what is staged, and puts out what comes of it behind what has come before.
    fn process(&mut self, mut outcomes: Vec<(usize, Produced)>) -> Result<(), Error> {
        self.pending = 0;
        if self.one_at_a_time {
            self.circulate(&mut outcomes)?
        } else {
            self.cascade(&mut outcomes)?
        };
        if self.worker.is_ready() {
            return Err(Error::Input("records are left over after all tasks have run: a bug".into()));
        }
        outcomes.sort_by_key(|(task, produced)| (produced.turn, *task));
        for (_, produced) in &outcomes {
            let kind = self.worker.topology().topics.get(produced.topic.0).map(|topic| topic.kind);
            if kind != Some(TopicKind::Repartition) {
                (self.put_out)(produced)?;
            }
        }
        Ok(())
    }

    /// Sub-topologies in their order, each when all that write its topics have run.
    fn cascade(&mut self, outcomes: &mut Vec<(usize, Produced)>) -> Result<(), Error> {
        let topology = Arc::clone(self.worker.topology());
        for (part, shape) in topology.subtopologies.iter().enumerate() {
            for record in shape.inputs.iter().flat_map(|topic| self.stage.take(*topic)) {
                self.worker.append_produced(record)?;
            }
            self.run_part(part, outcomes)?;
        }
        self.deliver()
    }

    /// Sub-topologies again and again, until what one turn has set going has come to rest.
    fn circulate(&mut self, outcomes: &mut Vec<(usize, Produced)>) -> Result<(), Error> {
        self.deliver()?;
        while self.worker.is_ready() {
            for part in 0..self.worker.topology().subtopologies.len() {
                self.run_part(part, outcomes)?;
                self.deliver()?;
            }
        }
        Ok(())
    }

    fn run_part(&mut self, part: usize, outcomes: &mut Vec<(usize, Produced)>) -> Result<(), Error> {
        for task in self.worker.tasks_of(part) {
            while let Some(outputs) = self.worker.run_task(task, self.logic)? {
                for produced in outputs {
                    self.stage.put(task + 1, produced.clone());
                    outcomes.push((task, produced));
                }
                self.relieve()?;
            }
        }
        Ok(())
    }

    /// Moves what has come together to disk, if it is much. It is no commit that a step could see: nothing is flushed, and
    /// a replay that doesn't come to its end is begun anew.
    fn relieve(&mut self) -> Result<(), Error> {
        if self.worker.may_be_relieved() {
            let ledger = self.worker.relieve()?;
            (self.tell)(&ledger);
        }
        Ok(())
    }

    fn deliver(&mut self) -> Result<(), Error> {
        self.stage.take_all().into_iter().try_for_each(|record| self.worker.append_produced(record))
    }

    /// A row of a global table has come: it is there from the next record on.
    fn learn(&mut self) -> Result<(), Error> {
        self.commit()?;
        self.worker.learn(self.clock).map(drop)
    }

    /// Fires the timers that the clock has reached. What they put out, some at a time, has a turn of its own.
    fn tick(&mut self) -> Result<(), Error> {
        if self.worker.next_tick().is_none_or(|next| next > self.clock) {
            return Ok(());
        }
        self.flush()?;
        while self.worker.next_tick().is_some_and(|next| next <= self.clock) {
            let (now, turn) = (self.clock, self.next_turn());
            let mut outcomes = Vec::new();
            self.worker.tick(self.logic, now, turn, |task, produced| outcomes.push((task, produced)))?;
            self.follow(outcomes)?;
            self.relieve()?;
        }
        Ok(())
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn - 1
    }

    /// Puts out what came without a record, and lets the tasks that read it go on.
    fn follow(&mut self, outcomes: Vec<(usize, Produced)>) -> Result<(), Error> {
        for (task, produced) in &outcomes {
            self.stage.put(task + 1, produced.clone());
        }
        self.process(outcomes)
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.settle()?;
        self.bytes = 0;
        let ledger = self.worker.commit()?;
        (self.tell)(&ledger);
        Ok(())
    }

    /// Processes what is pending, and puts out what waits for a commit.
    fn settle(&mut self) -> Result<(), Error> {
        self.flush()?;
        loop {
            let (now, turn) = (self.clock, self.next_turn());
            let (mut outcomes, mut any) = (Vec::new(), false);
            for task in 0..self.worker.tasks() {
                while let Some(outputs) = self.worker.flush_task(task, self.logic, now, turn)? {
                    any = true;
                    outcomes.extend(outputs.into_iter().map(|produced| (task, produced)));
                }
            }
            if !any {
                break;
            }
            self.follow(outcomes)?;
        }
        Ok(())
    }
}
