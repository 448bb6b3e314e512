//! Replay: records in, records out, on a clock that the records themselves move. The same input gives the same output,
//! byte for byte, whatever the batch size.

use std::time::Duration;

use bytes::Bytes;
use millrace_engine::ledger::Ledger;
use millrace_engine::partitioner::partition_of;
use millrace_engine::ports::Logic;
use millrace_engine::record::Headers;
use millrace_engine::task::Produced;
use millrace_engine::topology::{TopicId, TopicKind};

use crate::error::Error;
use crate::log::NewRecord;
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
        Self { worker, logic, batch: batch.max(1), commit_interval, clock: i64::MIN, turn: 0, pending: 0, put_out }
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
        let record = NewRecord { timestamp, key, value, headers };
        self.worker.append(topic, partition, record, self.turn, self.clock)?;
        self.turn += 1;
        self.pending += 1;
        let crossed = before != i64::MIN
            && before.div_euclid(self.commit_interval) != self.clock.div_euclid(self.commit_interval);
        if crossed || self.worker.is_full() {
            self.commit()
        } else if self.pending >= self.batch {
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

    /// Makes all deferred calls, and puts out what they give in the order of the input.
    fn flush(&mut self) -> Result<(), Error> {
        self.pending = 0;
        let mut outcomes: Vec<(usize, Produced)> = Vec::new();
        self.worker.run(self.logic, usize::MAX, |task, produced| outcomes.push((task, produced.clone())))?;
        outcomes.sort_by_key(|(task, produced)| (produced.turn, *task));
        for (_, produced) in &outcomes {
            let kind = self.worker.topology().topics.get(produced.topic.0).map(|topic| topic.kind);
            if kind != Some(TopicKind::Repartition) {
                (self.put_out)(produced)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.worker.commit().map(drop)
    }
}
