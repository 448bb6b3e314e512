//! Topics, and the ends of their partitions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use millrace_engine::ports::Scan;
use millrace_store::{Batch, Database, Durability};

use crate::log::codec::BlockReader;
use crate::log::{LOG, Log, LogError, TOPICS, keys};

/// Longest name of a topic in bytes, as in Kafka.
const NAME_LIMIT_BYTES: usize = 249;

/// The number of a topic in a log. It never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogTopicId(pub u32);

/// All topics of a log.
#[derive(Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, LogTopicId>,
    partitions: BTreeMap<LogTopicId, Vec<Arc<Partition>>>,
}

/// The end of a partition: the offset after its last committed record.
pub(crate) struct Partition {
    end: AtomicI64,
}

impl Partition {
    pub(crate) fn end(&self) -> i64 {
        self.end.load(Ordering::Acquire)
    }

    pub(crate) fn set_end(&self, end: i64) {
        self.end.store(end, Ordering::Release);
    }
}

impl Topics {
    pub(crate) fn load(database: &Database) -> Result<Self, LogError> {
        let mut entries = Vec::new();
        database.scan(TOPICS, &[], None, &mut |name, value| {
            entries.push((String::from_utf8_lossy(name).into_owned(), Bytes::copy_from_slice(value)));
            Scan::Continue
        })?;
        let mut topics = Self::default();
        for (name, value) in entries {
            let Some((id, count)) = decode(&value) else { return Err(LogError::CorruptTopic { topic: name }) };
            let partitions = (0..count).map(|partition| {
                let end = find_end(database, id, partition)?;
                Ok(Arc::new(Partition { end: AtomicI64::new(end) }))
            });
            topics.partitions.insert(id, partitions.collect::<Result<_, LogError>>()?);
            topics.by_name.insert(name, id);
        }
        Ok(topics)
    }

    pub(crate) fn partition(&self, topic: LogTopicId, partition: u32) -> Option<Arc<Partition>> {
        self.partitions.get(&topic)?.get(partition as usize).cloned()
    }

    fn count(&self, topic: LogTopicId) -> u32 {
        self.partitions.get(&topic).map_or(0, |partitions| partitions.len() as u32)
    }
}

impl Log {
    /// Creates a topic, durably. A topic that exists with the same number of partitions stays as it is.
    ///
    /// # Errors
    /// [`LogError::PartitionCount`]: the topic exists with another number of partitions. [`LogError::Invalid`]: no
    /// name, one of more than 249 bytes, or no partitions.
    pub fn create_topic(&self, name: &str, partitions: u32) -> Result<LogTopicId, LogError> {
        let invalid = |reason| Err(LogError::Invalid { topic: name.into(), reason });
        if name.is_empty() || name.len() > NAME_LIMIT_BYTES {
            return invalid("a name has 1 to 249 bytes");
        }
        if partitions == 0 || i32::try_from(partitions).is_err() {
            return invalid("a topic has at least one partition");
        }
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = topics.by_name.get(name) {
            return match topics.count(id) {
                has if has == partitions => Ok(id),
                has => Err(LogError::PartitionCount { topic: name.into(), has, wanted: partitions }),
            };
        }
        let id = LogTopicId(topics.partitions.keys().next_back().map_or(0, |last| last.0 + 1));
        let mut batch = Batch::new(&self.database);
        batch.put(TOPICS, name.as_bytes(), &encode(id, partitions))?;
        self.database.write(batch, Durability::Synced)?;
        let new = || Arc::new(Partition { end: AtomicI64::new(0) });
        topics.partitions.insert(id, std::iter::repeat_with(new).take(partitions as usize).collect());
        topics.by_name.insert(name.into(), id);
        Ok(id)
    }

    /// All topics with their names and numbers of partitions, by name.
    pub fn topics(&self) -> Vec<(String, LogTopicId, u32)> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.by_name.iter().map(|(name, &id)| (name.clone(), id, topics.count(id))).collect()
    }

    /// A topic by its name.
    pub fn topic(&self, name: &str) -> Option<LogTopicId> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).copied()
    }

    /// The number of a topic's partitions; 0 if there is no such topic.
    pub fn partitions(&self, topic: LogTopicId) -> u32 {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).count(topic)
    }

    /// The offset after the last committed record of a partition.
    ///
    /// # Errors
    /// [`LogError::UnknownPartition`]: there is none.
    pub fn end_offset(&self, topic: LogTopicId, partition: u32) -> Result<i64, LogError> {
        Ok(self.partition(topic, partition)?.end())
    }
}

fn encode(id: LogTopicId, partitions: u32) -> Vec<u8> {
    [id.0.to_be_bytes(), partitions.to_be_bytes()].concat()
}

fn decode(value: &[u8]) -> Option<(LogTopicId, u32)> {
    let (id, rest) = value.split_first_chunk()?;
    Some((LogTopicId(u32::from_be_bytes(*id)), u32::from_be_bytes(rest.try_into().ok()?)))
}

fn find_end(database: &Database, topic: LogTopicId, partition: u32) -> Result<i64, LogError> {
    let (first, last) = (keys::block(topic, partition, 0), keys::block(topic, partition, i64::MAX));
    let Some((key, block)) = database.last(LOG, &first, &last)? else { return Ok(0) };
    let offset = keys::block_offset(&key).unwrap_or_default();
    let corrupt = |reason| LogError::Corrupt { topic, partition, offset, reason };
    let count = BlockReader::new(block).map_err(corrupt)?.left();
    i64::try_from(count).ok().and_then(|count| offset.checked_add(count)).ok_or_else(|| corrupt("impossible count"))
}
