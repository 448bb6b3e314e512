//! Lines of input to topics of a Kafka cluster.

use std::collections::BTreeMap;
use std::io::BufRead;

use anyhow::{Context, Result};
use bytes::Bytes;
use millrace_embedded::run::wall_clock;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::partitioner::partition_of;
use millrace_engine::record::{Headers, Timestamp};
use millrace_kafka::records::{Connection, Outgoing, Writer};

use super::super::{CHUNK, check_topic};
use super::outcome::Outcome;
use super::{check_partition, find};
use crate::lines::{KeyCodecs, Line, Reader};

/// Bytes of the records that are read before they are sent.
const CHUNK_BYTES: usize = 16 << 20;

/// What was written.
pub(in crate::commands) struct Written {
    /// How many records.
    pub(in crate::commands) records: u64,
    /// How many of them had the timestamp 0, and have 1 on Kafka: the client takes 0 for the time of sending.
    pub(in crate::commands) moved: u64,
}

/// Writes all records; otherwise tells which of the lines are in the topics and which aren't.
pub(in crate::commands) fn write(
    connection: &Connection,
    topic: Option<&str>,
    reader: Reader<impl BufRead>,
    key: Option<KeyCodec>,
) -> Result<Written> {
    topic.map_or(Ok(0), |topic| find(connection, topic))?;
    let codecs = KeyCodecs::same(key).with_default_topic(topic);
    let mut lines = Lines { connection, reader, codecs, topic, keyless: BTreeMap::new(), moved: 0 };
    let mut writer = connection.writer()?;
    let mut outcome = Outcome::default();
    let stopped = send_all(&mut lines, &mut writer, &mut outcome);
    outcome.undelivered = writer.finish();
    Ok(Written { records: outcome.tell(stopped)?, moved: lines.moved })
}

/// Sends records until the input ends, or one is wrong, or one is known not to have arrived.
fn send_all(lines: &mut Lines<'_, impl BufRead>, writer: &mut Writer, outcome: &mut Outcome) -> Result<()> {
    loop {
        let records = lines.chunk()?;
        if records.is_empty() {
            return Ok(());
        }
        for record in records {
            if writer.failed() {
                return Ok(());
            }
            writer.send(&record.outgoing(), record.line).with_context(|| format!("line {}", record.line))?;
            outcome.sent += 1;
            outcome.last_line = record.line;
        }
    }
}

/// Lines of input as records to partitions.
struct Lines<'a, R> {
    connection: &'a Connection,
    reader: Reader<R>,
    codecs: KeyCodecs,
    topic: Option<&'a str>,
    /// How many records without a key each topic has got: they go round.
    keyless: BTreeMap<String, i64>,
    moved: u64,
}

/// A record of a line.
struct Record {
    line: usize,
    topic: String,
    partition: u32,
    key: Option<Bytes>,
    value: Option<Bytes>,
    timestamp: Timestamp,
    headers: Headers,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next records; none at the end.
    fn chunk(&mut self) -> Result<Vec<Record>> {
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some(line) = self.reader.read(&self.codecs)? else { break };
            let line = Line { topic: line.topic.into_owned().into(), ..line };
            let number = self.reader.number();
            let record = self.record(line, number).with_context(|| self.reader.place())?;
            bytes += record.held();
            records.push(record);
        }
        Ok(records)
    }

    fn record(&mut self, line: Line<'static>, number: u64) -> Result<Record> {
        let headers = line.all_headers();
        let Line { topic, partition, key, value, timestamp, .. } = line;
        check_topic(&topic, self.topic)?;
        let topic = topic.into_owned();
        let count = find(self.connection, &topic)?;
        let partition = match partition {
            Some(partition) => {
                check_partition(&topic, partition, count)?;
                partition
            }
            None => partition_of(key.as_deref(), self.sequence(&topic, key.is_none()), count),
        };
        let (line, timestamp) = (usize::try_from(number)?, self.timestamp(timestamp));
        let record = Record { line, topic, partition, key, value, timestamp, headers };
        Outgoing::check(&record.outgoing())?;
        Ok(record)
    }

    fn timestamp(&mut self, given: Option<Timestamp>) -> Timestamp {
        self.moved += u64::from(given == Some(0));
        given.map_or_else(wall_clock, |timestamp| if timestamp == 0 { 1 } else { timestamp })
    }

    /// Which of a topic's records without a key it is.
    fn sequence(&mut self, topic: &str, keyless: bool) -> i64 {
        if !keyless {
            return 0;
        }
        let next = self.keyless.entry(topic.to_owned()).or_default();
        *next += 1;
        *next - 1
    }
}

impl Record {
    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            topic: &self.topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            timestamp: self.timestamp,
            headers: &self.headers,
        }
    }

    /// Bytes of memory that it holds.
    fn held(&self) -> usize {
        let own = size_of::<Self>() + self.topic.len() + self.headers.held();
        own + self.key.as_ref().map_or(0, Bytes::len) + self.value.as_ref().map_or(0, Bytes::len)
    }
}
