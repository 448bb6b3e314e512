//! The topics of a cluster, from outside an app.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use millrace_engine::manifest::KeyCodec;
use millrace_engine::partitioner::partition_of;
use millrace_engine::record::InputRecord;
use millrace_pipeline::nearest;
use millrace_topics as port;
use millrace_topics::{NewTopic, OutgoingRecord, Receipt, Selection, TopicInfo, Topics};

use crate::commands::records::{ByPartition, Connection, Outgoing, Undelivered, Writer};
use crate::error::Error;

/// Topics that belong to Kafka itself begin like this.
const INTERNAL_PREFIX: &str = "__";

/// The topics of the cluster of a connection.
pub struct ClusterTopics<'a> {
    connection: &'a mut Connection,
}

impl<'a> ClusterTopics<'a> {
    /// The topics of this cluster.
    pub fn new(connection: &'a mut Connection) -> Self {
        Self { connection }
    }
}

/// The number of partitions of a topic.
fn find(topics: &BTreeMap<String, u32>, name: &str) -> Result<u32, Error> {
    topics.get(name).copied().ok_or_else(|| {
        let names = topics.keys().map(String::as_str).filter(|name| !name.starts_with(INTERNAL_PREFIX));
        Error::Setup(match nearest(name, names) {
            Some(meant) => format!("there is no topic `{name}`; did you mean `{meant}`?"),
            None => {
                format!("there is no topic `{name}`; `topic list` shows those that are there, `topic create` makes one")
            }
        })
    })
}

fn check_partition(topic: &str, partition: u32, count: u32) -> Result<(), Error> {
    match partition < count {
        true => Ok(()),
        false => {
            let last = count.saturating_sub(1);
            Err(Error::Setup(format!("topic `{topic}` has no partition {partition}: its last one is {last}")))
        }
    }
}

impl Topics for ClusterTopics<'_> {
    type Error = Error;

    fn list(&mut self) -> Result<Vec<TopicInfo>, Error> {
        let topics = self.connection.topics().iter().filter(|(name, _)| !name.starts_with(INTERNAL_PREFIX));
        let topics: Vec<_> = topics.map(|(name, partitions)| (name.as_str(), *partitions)).collect();
        let names: Vec<_> = topics.iter().map(|(name, _)| *name).collect();
        let ranges: ByPartition<(i64, i64)> = self.connection.ranges(&names)?;
        let infos = topics.into_iter().map(|(name, partitions)| {
            let ranges = (0..partitions).filter_map(|number| ranges.get(&(name.to_owned(), number)));
            let records = ranges.map(|(low, high)| high - low).sum();
            TopicInfo { name: name.to_owned(), partitions, records }
        });
        Ok(infos.collect())
    }

    fn partitions(&mut self, topic: &str) -> Result<u32, Error> {
        find(self.connection.topics(), topic)
    }

    fn key_codecs(&mut self) -> Result<Option<BTreeMap<String, Option<KeyCodec>>>, Error> {
        Ok(None)
    }

    fn create(&mut self, new: &NewTopic<'_>) -> Result<(), Error> {
        self.connection.create(new.name, (new.partitions.unwrap_or(1), new.replication_factor), new.config)
    }

    fn read(
        &mut self,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(u32, InputRecord) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        let Selection { topic, partition, from, limit } = *selection;
        let count = self.partitions(topic)?;
        partition.map_or(Ok(()), |partition| check_partition(topic, partition, count))?;
        let mut reading = self.connection.read(topic)?;
        let (mut left, mut stopped) = (limit, limit == 0);
        for number in partition.map_or(0..count, |partition| partition..partition + 1) {
            if stopped {
                break;
            }
            reading.partition(number, from, &mut |record| {
                left -= 1;
                stopped = visit(number, record).is_break() || left == 0;
                if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(if stopped { 0 } else { u64::try_from(reading.uncommitted(partition)).unwrap_or(0) })
    }

    fn writer(&mut self) -> Result<Box<dyn port::Writer<Error = Error> + '_>, Error> {
        let writer = self.connection.writer()?;
        let (keyless, receipt) = (BTreeMap::new(), Receipt::default());
        Ok(Box::new(ClusterWriter { topics: self.connection.topics(), writer, batch: Vec::new(), keyless, receipt }))
    }
}

/// Sends records, each acknowledged by all replicas.
struct ClusterWriter<'a> {
    topics: &'a BTreeMap<String, u32>,
    writer: Writer,
    /// Records with their partitions.
    batch: Vec<(u32, OutgoingRecord)>,
    /// How many records without a key each topic got: they go to its partitions in turn.
    keyless: BTreeMap<String, i64>,
    receipt: Receipt,
}

impl ClusterWriter<'_> {
    fn partition_of(&mut self, record: &OutgoingRecord) -> Result<u32, Error> {
        let count = find(self.topics, &record.topic)?;
        if let Some(partition) = record.partition {
            return check_partition(&record.topic, partition, count).map(|()| partition);
        }
        let sequence = match record.key {
            Some(_) => 0,
            None => {
                let next = self.keyless.entry(record.topic.clone()).or_default();
                *next += 1;
                *next - 1
            }
        };
        Ok(partition_of(record.key.as_deref(), sequence, count))
    }
}

impl port::Writer for ClusterWriter<'_> {
    type Error = Error;

    fn add(&mut self, mut record: OutgoingRecord) -> Result<(), Error> {
        let partition = self.partition_of(&record)?;
        if record.timestamp == 0 {
            record.timestamp = 1;
            self.receipt.timestamps_moved += 1;
        }
        outgoing(partition, &record).check()?;
        self.batch.push((partition, record));
        Ok(())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        for (partition, record) in self.batch.drain(..) {
            if self.writer.failed() {
                return Ok(ControlFlow::Break(()));
            }
            // A tag stands for its line: `finish` takes it back.
            let tag = usize::try_from(record.line).unwrap_or(usize::MAX);
            let sent = self.writer.send(&outgoing(partition, &record), tag);
            sent.map_err(|error| Error::Setup(format!("line {}: {error}", record.line)))?;
            self.receipt.sent += 1;
            self.receipt.last_line = record.line;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self: Box<Self>) -> Receipt {
        let undelivered = self.writer.finish().into_iter();
        let undelivered = undelivered.map(|Undelivered { tag, reason, unknown }| {
            let line = tag as u64;
            port::Undelivered { line, reason, unknown }
        });
        Receipt { undelivered: undelivered.collect(), ..self.receipt }
    }
}

fn outgoing(partition: u32, record: &OutgoingRecord) -> Outgoing<'_> {
    Outgoing {
        topic: &record.topic,
        partition,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        timestamp: record.timestamp,
        headers: &record.headers,
    }
}
