//! Records that the broker of a topic has refused, and would refuse again.
//!
//! A broker refuses a record when the producer sends it, long after the step that made it. So the driver notes refused
//! records when it aborts a transaction, and opens the tasks of the next one with them: the record then fails at its
//! step like any other, and the dead letter shows its origin. Without refused records, no comparison is made.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use crate::record::{Record, Timestamp, length};
use crate::topology::TopicId;

/// The earliest time of a sent record: drivers send records with earlier times with this time.
const EARLIEST: Timestamp = 1;

/// Identifies a record that is emitted again, by key, value and time. Headers don't count, because no broker checks
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    shape: Shape,
    digest: u64,
}

/// Compared before the bytes of a record are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    timestamp: Timestamp,
    key: Option<usize>,
    value: Option<usize>,
}

/// Digests of records with the same shape, each with the reason.
type Alike = Vec<(u64, Arc<str>)>;

impl Fingerprint {
    /// The fingerprint of a record with this key, value and time.
    pub fn of(key: Option<&[u8]>, value: Option<&[u8]>, timestamp: Timestamp) -> Self {
        let mut hasher = DefaultHasher::new();
        for part in [key, value] {
            hasher.write(part.unwrap_or_default());
        }
        let (key, value) = (key.map(<[u8]>::len), value.map(<[u8]>::len));
        Self { shape: Shape { timestamp: timestamp.max(EARLIEST), key, value }, digest: hasher.finish() }
    }
}

/// Refused records with the reasons, and topics that refuse all records without a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    records: BTreeMap<TopicId, BTreeMap<Shape, Alike>>,
    keyed: BTreeMap<TopicId, Arc<str>>,
}

impl Refused {
    /// Adds a record. Returns false if it was known.
    pub fn learn(&mut self, topic: TopicId, record: Fingerprint, reason: Arc<str>) -> bool {
        let alike = self.records.entry(topic).or_default().entry(record.shape).or_default();
        let is_new = alike.iter().all(|(digest, _)| *digest != record.digest);
        if is_new {
            alike.push((record.digest, reason));
        }
        is_new
    }

    /// Adds a topic that refuses every record without a key.
    pub fn require_keys(&mut self, topic: TopicId, reason: Arc<str>) {
        self.keyed.insert(topic, reason);
    }

    /// Why a topic has refused this record, if it has.
    pub fn reason(&self, topic: TopicId, record: Fingerprint) -> Option<&Arc<str>> {
        let alike = self.records.get(&topic)?.get(&record.shape)?;
        alike.iter().find_map(|(digest, reason)| (*digest == record.digest).then_some(reason))
    }

    /// Why a topic would refuse a record, if that is known. Reads the record's bytes only if one with the same shape
    /// was refused.
    pub(crate) fn verdict(&self, topic: TopicId, record: &Record) -> Option<&Arc<str>> {
        if let (None, Some(reason)) = (&record.key, self.keyed.get(&topic)) {
            return Some(reason);
        }
        let some = |part: &Option<bytes::Bytes>| part.as_ref().map(|_| length(part));
        let shape =
            Shape { timestamp: record.timestamp.max(EARLIEST), key: some(&record.key), value: some(&record.value) };
        self.records.get(&topic)?.get(&shape)?;
        self.reason(topic, Fingerprint::of(record.key.as_deref(), record.value.as_deref(), record.timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Headers;

    const TOPIC: TopicId = TopicId(3);

    #[test]
    fn a_refused_record_is_identified_by_topic_key_value_and_time() {
        let record = |key: &'static [u8], value: &'static [u8], time| Fingerprint::of(Some(key), Some(value), time);
        let mut refused = Refused::default();
        assert!(refused.learn(TOPIC, record(b"k", b"v", 7), "too far ahead".into()));
        assert!(!refused.learn(TOPIC, record(b"k", b"v", 7), "again".into()));
        assert_eq!(refused.reason(TOPIC, record(b"k", b"v", 7)).map(AsRef::as_ref), Some("too far ahead"));
        for other in [record(b"k", b"v", 8), record(b"l", b"v", 7), record(b"k", b"w", 7), record(b"", b"kv", 7)] {
            assert_eq!(refused.reason(TOPIC, other), None);
        }
        assert_eq!(refused.reason(TopicId(4), record(b"k", b"v", 7)), None);
    }

    #[test]
    fn null_differs_from_empty_and_times_before_the_earliest_are_equal() {
        let mut refused = Refused::default();
        refused.learn(TOPIC, Fingerprint::of(None, Some(b""), -5), "no key".into());
        assert!(refused.reason(TOPIC, Fingerprint::of(None, Some(b""), 1)).is_some());
        assert!(refused.reason(TOPIC, Fingerprint::of(Some(b""), Some(b""), 1)).is_none());
        assert!(refused.reason(TOPIC, Fingerprint::of(None, None, 1)).is_none());
    }
    #[test]
    fn a_topic_may_refuse_every_record_without_a_key() {
        let mut refused = Refused::default();
        refused.require_keys(TOPIC, "compacted".into());
        let record = |key: Option<&'static [u8]>| {
            let key = key.map(bytes::Bytes::from_static);
            Record { key, value: None, timestamp: 1, headers: Headers::EMPTY, window: None }
        };
        assert_eq!(refused.verdict(TOPIC, &record(None)).map(AsRef::as_ref), Some("compacted"));
        assert_eq!(refused.verdict(TOPIC, &record(Some(b""))), None);
        assert_eq!(refused.verdict(TopicId(4), &record(None)), None);
    }
}
