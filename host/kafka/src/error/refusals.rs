//! Records that brokers have refused, as the producer's delivery reports tell them.

use std::sync::Arc;

use millrace_engine::refused::Fingerprint;

use super::Error;

/// Records of a transaction that brokers have refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    pub(crate) too_large: Vec<TooLarge>,
    pub(crate) records: Vec<RefusedRecord>,
}

/// A record that a broker refuses for another reason than its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedRecord {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) record: Fingerprint,
    /// The reason, as far as the broker's code gives it.
    pub(crate) reason: Arc<str>,
    /// Whether the broker means this record, and not one that was sent with it.
    pub(crate) is_told_apart: bool,
    /// Of a dead letter: the place of the record that it is about.
    pub(crate) origin: Option<String>,
}

impl Refusals {
    /// Why the process can't go on, where a topic of its own refuses records.
    pub(crate) fn of_own_topic(&self, topic: &str) -> Error {
        let too_large = self.too_large.first().map(|TooLarge { bytes, .. }| {
            format!("topic `{topic}` doesn't take a record of {bytes} bytes: raise its `max.message.bytes`")
        });
        Error::Setup(too_large.or_else(|| self.records.first().map(describe_refusal)).unwrap_or_default())
    }
}

/// A record that a broker refused for its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) topic: String,
    /// Bytes of its key, value and headers.
    pub(crate) bytes: usize,
}

/// Which topic refuses a record, and why.
pub(crate) fn describe_refusal(RefusedRecord { topic, partition, reason, .. }: &RefusedRecord) -> String {
    format!("topic `{topic}`, partition {partition} refuses a record: {reason}")
}
