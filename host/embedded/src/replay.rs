//! Replay: records in, records out, on a clock that the records' timestamps move. The same input gives the same output,
//! byte for byte, whatever the batch size.

mod process;

mod ahead;

use std::time::Duration;

use bytes::Bytes;
use millrace_engine::ledger::Ledger;
use millrace_engine::logic::Logic;
use millrace_engine::partitioner::partition_of;
use millrace_engine::record::{END_OF_TIME, Headers};
use millrace_engine::stage::Stage;
use millrace_engine::task::Produced;
use millrace_engine::topology::TopicId;

use crate::error::Error;
use crate::worker::Worker;
use ahead::AheadDetector;

/// A record to replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRecord {
    /// Topic of the pipeline.
    pub topic: TopicId,
    /// Partition; `None`: the key decides.
    pub partition: Option<u32>,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Event time; `None`: the time of the replay's clock.
    pub timestamp: Option<i64>,
    /// Headers.
    pub headers: Headers,
}

/// Bytes of input after which a commit is due. Only input counts: where commits fall must not depend on the batch size.
const COMMIT_INPUT_BYTES: usize = 4 << 20;

/// Bytes that count for a record beside its key and value.
const RECORD_OVERHEAD_BYTES: usize = 100;

/// A replay under way. Give it records with [`push`](Self::push), then [`finish`](Self::finish).
pub struct Replay<'w, F> {
    worker: &'w mut Worker,
    logic: &'w mut dyn Logic,
    batch: usize,
    commit_interval: i64,
    clock: i64,
    /// Number of turns so far. Each record is a turn, and so are outputs without a record, such as those of a timer.
    turn: u64,
    /// Number of records so far.
    records: i64,
    /// Number of records since the last flush.
    pending: usize,
    /// Bytes of the records since the last commit.
    bytes: usize,
    stage: Stage,
    /// Whether a turn must be processed before the next one begins: its outputs may be input of the app again, or it
    /// may set timers that are due before the next record.
    one_at_a_time: bool,
    closes_windows: bool,
    /// Records that wait until the next ones show whether they are ahead of the clock.
    waiting: AheadDetector,
    put_out: F,
    report: Box<dyn FnMut(&Ledger) + 'w>,
}

impl<'w, F: FnMut(&Produced) -> Result<(), Error>> Replay<'w, F> {
    /// Starts a replay over a worker whose log has no backlog. Calls of guests are deferred until `batch` records have
    /// come. `put_out` gets the records for external and dead-letter topics, in the order of production.
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
        let waiting = AheadDetector::new(topology);
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
            report: Box::new(|_| {}),
        }
    }

    /// Whether the end of the replay closes open windows and join windows, so that their results come out.
    pub fn closing_windows(self, closes_windows: bool) -> Self {
        Self { closes_windows, ..self }
    }

    /// Passes a ledger to `report` after each commit, and each time that changes spill to disk before a commit. Only
    /// these ledgers have the lines that rules log.
    pub fn reporting(self, report: impl FnMut(&Ledger) + 'w) -> Self {
        Self { report: Box::new(report), ..self }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`Error::Input`]: its partition isn't there, or it has no timestamp and none came before.
    pub fn push(&mut self, record: ReplayRecord) -> Result<(), Error> {
        self.partition(record.topic, record.partition, record.key.as_deref())?;
        let is_first = self.clock == i64::MIN && self.waiting.is_empty();
        if record.timestamp.is_none() && is_first {
            return Err(Error::Input(
                "the first record has no timestamp, and no record before it has one that it could take".into(),
            ));
        }
        self.waiting.push(record);
        while let Some((record, is_ahead)) = self.waiting.next(self.clock) {
            self.stage(record, is_ahead)?;
        }
        Ok(())
    }

    /// Stages a record. A record that is ahead of the clock doesn't move it.
    fn stage(&mut self, record: ReplayRecord, is_ahead: bool) -> Result<(), Error> {
        let ReplayRecord { topic, partition, key, value, timestamp, headers } = record;
        let timestamp = timestamp.unwrap_or(self.clock);
        let before = self.clock;
        self.clock = if is_ahead { before } else { before.max(timestamp) };
        let partition = self.partition(topic, partition, key.as_deref())?;
        self.tick()?;
        let (turn, arrived) = (self.next_turn(), self.clock);
        let record = Produced { topic, partition, key, value, timestamp, headers, window: None, turn, arrived };
        let size = record.key.as_ref().map_or(0, Bytes::len)
            + record.value.as_ref().map_or(0, Bytes::len)
            + RECORD_OVERHEAD_BYTES;
        self.stage.put(Stage::OUTSIDE, record);
        self.records += 1;
        self.pending += 1;
        self.bytes += size;
        if self.worker.topology().globals.iter().any(|table| table.topic == topic) {
            return self.update_globals();
        }
        let crossed = before != i64::MIN
            && before.div_euclid(self.commit_interval) != self.clock.div_euclid(self.commit_interval);
        if crossed || self.bytes > COMMIT_INPUT_BYTES {
            self.commit()
        } else if self.pending >= self.batch || self.one_at_a_time {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Processes the remaining records, moves the clock to the last timer that is set, commits, and returns the ledger
    /// of all records. A timer that is set meanwhile fires only if it is due by then: one that sets itself again would
    /// never end.
    ///
    /// # Errors
    /// A task can't go on, or the database can't be written.
    pub fn finish(mut self) -> Result<Ledger, Error> {
        while let Some((record, is_ahead)) = self.waiting.last(self.clock) {
            self.stage(record, is_ahead)?;
        }
        self.settle()?;
        if self.closes_windows {
            // A sub-topology comes after those whose outputs it reads.
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

    /// Applies a new row of a global table: the next record sees it.
    fn update_globals(&mut self) -> Result<(), Error> {
        self.commit()?;
        self.worker.update_globals(self.clock).map(drop)
    }

    /// Fires the timers that are due. Each pass of them is a turn.
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
            self.spill()?;
        }
        Ok(())
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn - 1
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.settle()?;
        self.bytes = 0;
        let ledger = self.worker.commit()?;
        (self.report)(&ledger);
        Ok(())
    }
}
