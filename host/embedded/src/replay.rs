//! Replay: records in, records out, on a clock that the records themselves move. The same input gives the same output,
//! byte for byte, whatever the batch size.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_engine::ledger::Ledger;
use millrace_engine::partitioner::partition_of;
use millrace_engine::ports::Logic;
use millrace_engine::record::Headers;
use millrace_engine::stage::Stage;
use millrace_engine::task::Produced;
use millrace_engine::topology::{TopicId, TopicKind};

use crate::error::Error;
use crate::worker::Worker;

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

/// A replay under way. Give it records with [`push`](Self::push), then [`finish`](Self::finish).
pub struct Replay<'w, F> {
    worker: &'w mut Worker,
    logic: &'w mut dyn Logic,
    batch: usize,
    commit_interval: i64,
    clock: i64,
    /// Records so far, and those since the last flush.
    turn: u64,
    pending: usize,
    stage: Stage,
    /// Whether what a turn puts out may come back, so that the next one has to wait for it.
    one_at_a_time: bool,
    put_out: F,
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
        let (batch, one_at_a_time) = (batch.max(1), worker.topology().feeds_back());
        let (clock, turn, pending, stage) = (i64::MIN, 0, 0, Stage::default());
        Self { worker, logic, batch, commit_interval, clock, turn, pending, stage, one_at_a_time, put_out }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`Error::Input`]: its partition isn't there, or it has no timestamp and none came before.
    pub fn push(&mut self, record: ReplayRecord) -> Result<(), Error> {
        let ReplayRecord { topic, partition, key, value, timestamp, headers } = record;
        let timestamp = timestamp.or((self.clock != i64::MIN).then_some(self.clock)).ok_or_else(|| {
            Error::Input("the record has no timestamp, and none before it has one to take over".into())
        })?;
        let before = self.clock;
        self.clock = before.max(timestamp);
        let partition = self.partition(topic, partition, key.as_deref())?;
        let (turn, arrived) = (self.turn, self.clock);
        let record = Produced { topic, partition, key, value, timestamp, headers, window: None, turn, arrived };
        self.stage.put(Stage::OUTSIDE, record);
        self.turn += 1;
        self.pending += 1;
        let crossed = before != i64::MIN
            && before.div_euclid(self.commit_interval) != self.clock.div_euclid(self.commit_interval);
        if crossed || self.worker.is_full() {
            self.commit()
        } else if self.pending >= self.batch || self.one_at_a_time {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Processes what is left, commits, and tells what became of all records.
    ///
    /// # Errors
    /// A task can't go on, or the database can't be written.
    pub fn finish(mut self) -> Result<Ledger, Error> {
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
            None => Ok(partition_of(key, self.turn as i64, partitions)),
        }
    }

    /// Processes what is pending, and puts out what comes of it in the order of the input.
    fn flush(&mut self) -> Result<(), Error> {
        self.pending = 0;
        let mut outcomes = if self.one_at_a_time { self.circulate()? } else { self.cascade()? };
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
    fn cascade(&mut self) -> Result<Vec<(usize, Produced)>, Error> {
        let topology = Arc::clone(self.worker.topology());
        let mut outcomes = Vec::new();
        for (part, shape) in topology.subtopologies.iter().enumerate() {
            for record in shape.inputs.iter().flat_map(|topic| self.stage.take(*topic)) {
                self.worker.append_produced(record)?;
            }
            self.run_part(part, &mut outcomes)?;
        }
        self.deliver()?;
        Ok(outcomes)
    }

    /// Sub-topologies again and again, until what one turn has set going has come to rest.
    fn circulate(&mut self) -> Result<Vec<(usize, Produced)>, Error> {
        let mut outcomes = Vec::new();
        self.deliver()?;
        while self.worker.is_ready() {
            for part in 0..self.worker.topology().subtopologies.len() {
                self.run_part(part, &mut outcomes)?;
                self.deliver()?;
            }
        }
        Ok(outcomes)
    }

    fn run_part(&mut self, part: usize, outcomes: &mut Vec<(usize, Produced)>) -> Result<(), Error> {
        let stage = &mut self.stage;
        self.worker.run_part(part, self.logic, |task, produced| {
            stage.put(task + 1, produced.clone());
            outcomes.push((task, produced));
        })
    }

    fn deliver(&mut self) -> Result<(), Error> {
        self.stage.take_all().into_iter().try_for_each(|record| self.worker.append_produced(record))
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.worker.commit().map(drop)
    }
}
