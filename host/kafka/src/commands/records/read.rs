//! Reading the committed records of a topic.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use millrace_engine::record::InputRecord;
use rdkafka::consumer::BaseConsumer;
use rdkafka::{Offset, TopicPartitionList};

use super::{Connection, client};
use crate::client::context::TroubleContext;
use crate::client::fetch_failure::FetchFailure;
use crate::client::native::{Fetched, Fetcher};
use crate::error::Error;

/// How long a partition may give nothing, not even its end, before it is an error. A broker that is away for a moment
/// is waited for, and librdkafka passes over the records of aborted transactions without a word.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for records at a time.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// The committed records of a topic up to where it ended when the reading began.
///
/// A transaction that is open holds back all that comes behind its first record: see
/// [`uncommitted`](Self::uncommitted).
pub struct Reading {
    topic: String,
    fetcher: Fetcher,
    partitions: BTreeMap<u32, Extent>,
}

/// The offsets of a partition when the reading began.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Its first offset.
    low: i64,
    /// Everything before this offset is decided: Kafka's last stable offset.
    stable: i64,
    /// The offset behind its last record.
    high: i64,
}

impl Connection {
    /// Begins to read a topic that is there.
    ///
    /// # Errors
    /// A broker doesn't answer, or doesn't let us read.
    pub fn read(&self, topic: &str) -> Result<Reading, Error> {
        let mut config = self.settings.fetcher("reader");
        // A command reads much at once.
        self.default(&mut config, "queued.min.messages", 10_000);
        let fetcher = Fetcher::new(&config)?;
        // A client that reads committed records gets the last stable offset as the end.
        let committed: BaseConsumer<TroubleContext> =
            client(self.settings.admin().set("isolation.level", "read_committed"))?;
        let stable = self.offsets(&committed, &[topic], Offset::End)?;
        let ranges = self.ranges(&[topic])?.into_iter();
        let extents = ranges
            .filter_map(|(place, (low, high))| Some((place.1, Extent { low, stable: *stable.get(&place)?, high })));
        Ok(Reading { topic: topic.into(), fetcher, partitions: extents.collect() })
    }
}

impl Reading {
    /// Hands over the committed records of a partition from an offset on, or from where its log begins if that is
    /// later, until there are no more or `visit` has had enough.
    ///
    /// # Errors
    /// The partition can't be read.
    pub fn partition(
        &mut self,
        partition: u32,
        from: i64,
        visit: &mut dyn FnMut(InputRecord) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let Some(Extent { low, stable, .. }) = self.partitions.get(&partition).copied() else { return Ok(()) };
        let from = from.max(low);
        if from >= stable {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition as i32, Offset::Offset(from))?;
        self.fetcher.assign(&list)?;
        let (partition, buffer) = (partition as i32, BytesMut::new());
        let mut state = PartitionReading { partition, stable, visit, buffer, done: false, failed: None };
        let mut heard = Instant::now();
        while !state.done {
            if self.fetcher.poll(POLL_WAIT, |_, partition, fetched| state.take(partition, fetched)) > 0 {
                heard = Instant::now();
            }
            if let Some(reason) = state.failed.take() {
                return Err(Error::Setup(format!("topic `{}`, partition {partition}: {reason}", self.topic)));
            }
            if heard.elapsed() > SILENCE_TIMEOUT {
                let (topic, seconds) = (&self.topic, SILENCE_TIMEOUT.as_secs());
                return Err(Error::Setup(format!(
                    "topic `{topic}`, partition {partition}: the broker has sent nothing for {seconds} s"
                )));
            }
        }
        Ok(())
    }

    /// How many offsets are behind the last one that can be read, in one partition or in all: those of transactions
    /// that were open, and of all that was written after them.
    pub fn uncommitted(&self, partition: Option<u32>) -> i64 {
        let extents = self.partitions.iter().filter(|(number, _)| partition.is_none_or(|wanted| wanted == **number));
        extents.map(|(_, extent)| extent.high - extent.stable).sum()
    }
}

/// A partition while it is read.
struct PartitionReading<'v> {
    partition: i32,
    stable: i64,
    visit: &'v mut dyn FnMut(InputRecord) -> ControlFlow<()>,
    /// Where records are copied to.
    buffer: BytesMut,
    done: bool,
    failed: Option<String>,
}

impl PartitionReading<'_> {
    fn take(&mut self, partition: i32, fetched: Fetched<'_>) {
        if self.done || self.failed.is_some() || partition != self.partition {
            return;
        }
        match fetched {
            Fetched::Record(message) if message.offset() >= self.stable => self.done = true,
            Fetched::Record(message) => {
                // After the last record there may be markers of transactions: then the end comes by itself.
                let last = message.offset() + 1 == self.stable;
                let record = message.record(&mut self.buffer, 0);
                let arrived = record.timestamp;
                self.done = (self.visit)(InputRecord { arrived, ..record }).is_break() || last;
            }
            Fetched::End(offset) => self.done = offset >= self.stable,
            Fetched::Failed(code, text) => self.failed = FetchFailure::of(code).is_lasting().then_some(text),
        }
    }
}
