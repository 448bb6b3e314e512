//! Records that a worker has appended and not committed yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::record::InputRecord;

use crate::log::record::NewRecord;
use crate::log::topics::Partition;
use crate::log::{Log, LogError, LogTopicId};

/// Records that a worker has appended in its open transaction: in memory, and visible to no other worker.
pub struct Tail {
    log: Arc<Log>,
    pub(crate) partitions: BTreeMap<(LogTopicId, u32), PartitionTail>,
    bytes: usize,
}

/// The tail of one partition.
pub(crate) struct PartitionTail {
    pub(crate) state: Arc<Partition>,
    /// Offset of the first record, unless another worker appends in the meantime.
    pub(crate) base: i64,
    pub(crate) records: Vec<NewRecord>,
    /// Whether a record was read with its offset: then `base` can't change any more.
    pub(crate) read: bool,
}

impl PartitionTail {
    fn end(&self) -> i64 {
        self.base + self.records.len() as i64
    }
}

impl Tail {
    /// An empty tail.
    pub fn new(log: &Arc<Log>) -> Self {
        Self { log: Arc::clone(log), partitions: BTreeMap::new(), bytes: 0 }
    }

    /// Appends a record, and returns the offset that it gets unless another worker commits to the same partition first.
    ///
    /// # Errors
    /// [`LogError::UnknownPartition`]: there is none.
    pub fn append(&mut self, topic: LogTopicId, partition: u32, record: NewRecord) -> Result<i64, LogError> {
        let part = match self.partitions.entry((topic, partition)) {
            std::collections::btree_map::Entry::Occupied(part) => part.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let state = self.log.partition(topic, partition)?;
                let base = state.end();
                vacant.insert(PartitionTail { state, base, records: Vec::new(), read: false })
            }
        };
        // An entry of an earlier transaction begins where the partition ends by now.
        if part.records.is_empty() {
            part.base = part.state.end();
        }
        let offset = part.end();
        self.bytes += record.held();
        part.records.push(record);
        Ok(offset)
    }

    /// The offset behind the last record of a partition, this tail included.
    ///
    /// # Errors
    /// [`LogError::UnknownPartition`]: there is none.
    pub fn end_offset(&self, topic: LogTopicId, partition: u32) -> Result<i64, LogError> {
        match self.partitions.get(&(topic, partition)) {
            Some(part) if !part.records.is_empty() => Ok(part.end()),
            _ => self.log.end_offset(topic, partition),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.partitions.values().all(|part| part.records.is_empty())
    }

    /// Bytes of memory, roughly: a reason to commit early.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops all records, when the transaction is aborted. Readers that have read some must seek back.
    pub fn clear(&mut self) {
        for part in self.partitions.values_mut() {
            part.records.clear();
            part.read = false;
        }
        self.bytes = 0;
    }

    pub(crate) fn read(&mut self, topic: LogTopicId, partition: u32, offset: i64) -> Option<InputRecord> {
        let part = self.partitions.get_mut(&(topic, partition))?;
        let index = usize::try_from(offset.checked_sub(part.base)?).ok()?;
        let record = part.records.get(index)?.clone();
        part.read = true;
        Some(record.at(offset))
    }
}
