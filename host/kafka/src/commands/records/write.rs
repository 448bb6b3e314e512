//! Records to topics, each once, with word of every one that didn't arrive.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use millrace_engine::record::{Headers, Timestamp};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::statistics::Statistics;

use super::{Connection, client};
use crate::client::context;
use crate::client::native::{self, Returned, Sender};
use crate::error::{Error, code};

/// How long a record may take to arrive.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes in flight above which the next record waits.
const QUEUE_LIMIT_BYTES: usize = 32 << 20;

/// Bytes of a batch: the broker's limit for the records of a topic is on batches, and librdkafka doesn't part one that
/// is refused.
const BATCH_BYTES: usize = 16 << 10;

/// How long to wait for delivery reports at a time.
const POLL_WAIT: Duration = Duration::from_millis(10);

/// Writes records with all replicas' acknowledgement, without duplicates.
pub struct Writer {
    // Dropped before the client that it belongs to.
    sender: Sender,
    client: BaseProducer<Reports>,
    /// Numbers of the topics that the sender knows.
    topics: BTreeMap<String, usize>,
}

/// A record to write.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition; must be there.
    pub partition: u32,
    /// Key; `None` is Kafka's null.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is Kafka's null.
    pub value: Option<&'a [u8]>,
    /// Event time.
    pub timestamp: Timestamp,
    /// Headers.
    pub headers: &'a Headers,
}

/// A record that wasn't acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The caller's name for it.
    pub tag: usize,
    /// Why not.
    pub reason: String,
    /// Whether it may have arrived all the same: it was sent, and no answer came.
    pub unknown: bool,
}

impl Connection {
    /// A writer to this cluster.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn writer(&self) -> Result<Writer, Error> {
        let mut config = self.settings.admin();
        config.remove("isolation.level");
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        self.default(&mut config, "message.max.bytes", self.settings.record_bytes());
        self.default(&mut config, "message.timeout.ms", DELIVERY_TIMEOUT.as_millis());
        self.default(&mut config, "batch.size", BATCH_BYTES);
        self.default(&mut config, "linger.ms", 5);
        self.default(&mut config, "queue.buffering.max.kbytes", QUEUE_LIMIT_BYTES >> 10);
        let client: BaseProducer<Reports> = client(&config)?;
        let sender = Sender::new(&client, std::iter::empty()).map_err(|code| Error::Setup(reason(code)))?;
        Ok(Writer { sender, client, topics: BTreeMap::new() })
    }
}

impl Writer {
    /// Sends a record; waits while too much is in flight. [`failed`](Self::failed) and
    /// [`finish`](Self::finish) give its outcome, by `tag`.
    ///
    /// # Errors
    /// [`Error::Setup`]: it can't be a record on Kafka, and wasn't sent.
    pub fn send(&mut self, record: &Outgoing<'_>, tag: usize) -> Result<(), Error> {
        record.check()?;
        let topic = self.topic(record.topic).map_err(|code| Error::Setup(reason(code)))?;
        let Outgoing { partition, key, value, timestamp, headers, .. } = *record;
        let record = native::OutgoingRecord { partition, key, value, timestamp, headers };
        loop {
            match self.sender.send(&self.client, topic, &record, tag) {
                Ok(()) => {
                    self.client.poll(Duration::ZERO);
                    return Ok(());
                }
                // Where nothing waits, the record alone is more than the queue takes.
                Err(RDKafkaErrorCode::QueueFull) if self.client.in_flight_count() > 0 => {
                    self.client.poll(POLL_WAIT);
                }
                Err(code) => return Err(Error::Setup(reason(code))),
            }
        }
    }

    /// The number of a topic.
    fn topic(&mut self, name: &str) -> Result<usize, RDKafkaErrorCode> {
        if let Some(number) = self.topics.get(name) {
            return Ok(*number);
        }
        let number = self.sender.add(&self.client, name)?;
        self.topics.insert(name.to_owned(), number);
        Ok(number)
    }

    /// Whether a record is known not to have arrived.
    pub fn failed(&self) -> bool {
        !self.client.context().undelivered().is_empty()
    }

    /// Waits until it is known of every record whether it has arrived, and tells which haven't, in order of their tags.
    pub fn finish(self) -> Vec<Undelivered> {
        // Each has a time limit of its own, so this comes to an end.
        while self.client.in_flight_count() > 0 {
            self.client.poll(POLL_WAIT);
        }
        let mut undelivered = std::mem::take(&mut *self.client.context().undelivered());
        undelivered.sort_by_key(|record| record.tag);
        undelivered
    }
}

impl Outgoing<'_> {
    /// Whether it can be a record on Kafka. What librdkafka would change without a word can't: it takes a timestamp of
    /// 0 for the time of sending.
    ///
    /// # Errors
    /// [`Error::Setup`]: it can't, and why.
    pub fn check(&self) -> Result<(), Error> {
        if self.timestamp < 1 {
            let timestamp = self.timestamp;
            return Err(Error::Setup(format!("timestamp {timestamp}: on Kafka a timestamp is a number from 1 on")));
        }
        Ok(())
    }
}

/// Keeps the records that didn't arrive.
#[derive(Default)]
struct Reports(Mutex<Vec<Undelivered>>);

impl Reports {
    fn undelivered(&self) -> std::sync::MutexGuard<'_, Vec<Undelivered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        context::log_error(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        if let Err((error, message)) = result {
            let unknown = code(error).is_none_or(may_have_arrived) && Returned::new(message).may_be_stored();
            let reason = code(error).map_or_else(|| error.to_string(), reason);
            self.undelivered().push(Undelivered { tag, reason, unknown });
        }
    }
}

/// Whether it is unknown after this error if the broker has written the record.
fn may_have_arrived(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        BrokerTransportFailure, Fatal, MessageTimedOut, NetworkException, NotEnoughReplicasAfterAppend,
        OperationTimedOut, PurgeInflight, RequestTimedOut,
    };
    matches!(
        code,
        BrokerTransportFailure
            | Fatal
            | MessageTimedOut
            | NetworkException
            | NotEnoughReplicasAfterAppend
            | OperationTimedOut
            | PurgeInflight
            | RequestTimedOut
    )
}

fn reason(code: RDKafkaErrorCode) -> String {
    use RDKafkaErrorCode::{
        InvalidRecord, InvalidTimestamp, MessageSizeTooLarge, MessageTimedOut, TopicAuthorizationFailed,
    };
    match code {
        MessageSizeTooLarge => "it is larger than the topic takes (max.message.bytes)".into(),
        InvalidTimestamp => {
            "its timestamp is too far from the broker's clock (message.timestamp.before.max.ms, ...after.max.ms)".into()
        }
        InvalidRecord => "the broker refuses it; a compacted topic takes no records without a key".into(),
        MessageTimedOut => "no broker has acknowledged it in time".into(),
        TopicAuthorizationFailed => "writing to the topic isn't allowed".into(),
        code => code.to_string(),
    }
}
