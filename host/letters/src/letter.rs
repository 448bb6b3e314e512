//! A dead letter.

use std::fmt::{self, Display};
use std::str::FromStr;

use bytes::Bytes;
use millrace_engine::record::{Headers, Timestamp};
use serde::{Deserialize, Serialize};

/// The place of a letter in its topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    /// Name of the dead-letter topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: i64,
}

/// The system that wrote a letter, by its headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Millrace: `millrace-*`.
    Millrace,
    /// Kafka Streams: `__streams.errors.*` (KIP-1034).
    KafkaStreams,
    /// Spring for Apache Kafka: `kafka_dlt-*`.
    Spring,
    /// Kafka Connect: `__connect.errors.*` (KIP-298).
    Connect,
    /// A share group: `__dlq.errors.*` (KIP-1191).
    ShareGroup,
    /// None of these: the record has no headers about a failure.
    #[default]
    Unknown,
}

/// The place that a record failed at: a record of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: Option<i32>,
    /// Offset.
    pub offset: Option<i64>,
}

/// A dead letter. What its headers don't say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// Where it lies.
    pub id: LetterId,
    /// The system that wrote it.
    pub format: Format,
    /// The original record's key.
    pub key: Option<Bytes>,
    /// The original record's value.
    pub value: Option<Bytes>,
    /// The original record's headers.
    pub headers: Headers,
    /// The original record's time, if the letter has it.
    pub timestamp: Option<Timestamp>,
    /// When the record failed; otherwise the time of the letter.
    pub failed_at: Timestamp,
    /// Where the record is from.
    pub source: Option<Source>,
    /// The step, or what a foreign letter has in its place: a stage, a listener, a group.
    pub step: String,
    /// The plugin.
    pub plugin: String,
    /// Digest of its component.
    pub digest: String,
    /// `permanent` or `transient`.
    pub class: String,
    /// The code of the failure; of a foreign letter the name of the exception.
    pub code: String,
    /// The reason, for people.
    pub text: String,
    /// How often the record was tried.
    pub attempts: Option<u64>,
    /// Parts of the original that the letter lacks, as it was too large, with their numbers of bytes.
    pub omitted: Vec<(String, u64)>,
}

impl Default for LetterId {
    fn default() -> Self {
        Self { topic: String::new(), partition: 0, offset: -1 }
    }
}

impl Format {
    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Millrace => "millrace",
            Self::KafkaStreams => "kafka-streams",
            Self::Spring => "spring",
            Self::Connect => "connect",
            Self::ShareGroup => "share-group",
            Self::Unknown => "unknown",
        }
    }
}

impl Letter {
    /// Whether the letter has a place instead of the record itself: share groups write such by default. A tombstone that
    /// failed looks the same.
    pub fn is_pointer(&self) -> bool {
        self.format == Format::ShareGroup && self.key.is_none() && self.value.is_none()
    }
}

impl Display for LetterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("`{text}` is no id of a letter: expected `topic:partition:offset`, such as `orders-dlq:3:17`");
        let (rest, offset) = text.rsplit_once(':').ok_or_else(wrong)?;
        let (topic, partition) = rest.rsplit_once(':').ok_or_else(wrong)?;
        let (partition, offset) = partition.parse().ok().zip(offset.parse().ok()).ok_or_else(wrong)?;
        if topic.is_empty() {
            return Err(wrong());
        }
        Ok(Self { topic: topic.into(), partition, offset })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for text in ["orders-dlq:3:17", "a.b_c:0:0"] {
            assert_eq!(text.parse::<LetterId>().unwrap().to_string(), text);
        }
        for text in ["", "orders-dlq", "orders-dlq:3", ":3:17", "orders-dlq:x:17", "orders-dlq:3:", "orders-dlq:-1:17"]
        {
            let error = text.parse::<LetterId>().unwrap_err();
            assert!(error.contains("expected `topic:partition:offset`"), "{error}");
        }
    }
}
