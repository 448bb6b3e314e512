//! What a worker has appended and not committed yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::record::InputRecord;

use crate::log::record::NewRecord;
use crate::log::topics::Partition;
use crate::log::{Log, LogError, TopicId};

/// What a worker has appended in its open transaction: in memory, and to be read by nobody else.
pub struct Tail {
    log: Arc<Log>,
    pub(crate) parts: BTreeMap<(TopicId, u32), Part>,
    bytes: usize,
}

/// The tail of one partition.
pub(crate) struct Part {
    pub(crate) state: Arc<Partition>,
    /// Offset of the first record, if nobody else appends in the meantime.
    pub(crate) base: i64,
    pub(crate) records: Vec<NewRecord>,
    /// Whether a record was read: then `base` can't change any more.
    pub(crate) read: bool,
}

impl Part {
    fn end(&self) -> i64 {
        self.base + self.records.len() as i64
    }
}

impl Tail {
    /// An empty tail.
    pub fn new(log: &Arc<Log>) -> Self {
        Self { log: Arc::clone(log), parts: BTreeMap::new(), bytes: 0 }
    }

    /// Appends a record, and says which offset it gets unless another worker commits to the same partition first.
    ///
    /// # Errors
    /// [`LogError::UnknownPartition`]: there is none.
    pub fn append(&mut self, topic: TopicId, partition: u32, record: NewRecord) -> Result<i64, LogError> {
        let part = match self.parts.entry((topic, partition)) {
            std::collections::btree_map::Entry::Occupied(part) => part.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let state = self.log.partition(topic, partition)?;
                let base = state.end();
                vacant.insert(Part { state, base, records: Vec::new(), read: false })
            }
        };
        // Kept from one transaction to the next, it begins where the partition ends by now.
        if part.records.is_empty() {
            part.base = part.state.end();
        }
        let offset = part.end();
        self.bytes += record.cost();
        part.records.push(record);
        Ok(offset)
    }

    /// The offset behind the last record of a partition, this tail included.
    ///
    /// # Errors
    /// [`LogError::UnknownPartition`]: there is none.
    pub fn end_offset(&self, topic: TopicId, partition: u32) -> Result<i64, LogError> {
        match self.parts.get(&(topic, partition)) {
            Some(part) if !part.records.is_empty() => Ok(part.end()),
            _ => self.log.end_offset(topic, partition),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.parts.values().all(|part| part.records.is_empty())
    }

    /// Bytes of memory, roughly: a reason to commit early.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops everything: the transaction is aborted. Readers that have read from it seek back.
    pub fn clear(&mut self) {
        for part in self.parts.values_mut() {
            part.records.clear();
            part.read = false;
        }
        self.bytes = 0;
    }

    pub(crate) fn read(&mut self, topic: TopicId, partition: u32, offset: i64) -> Option<InputRecord> {
        let part = self.parts.get_mut(&(topic, partition))?;
        let index = usize::try_from(offset.checked_sub(part.base)?).ok()?;
        let record = part.records.get(index)?.clone();
        part.read = true;
        Some(record.at(offset))
    }
}
