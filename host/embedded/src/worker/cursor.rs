//! Where a task stands in a partition of the log.

use millrace_engine::record::InputRecord;

use crate::error::Error;
use crate::log::{Log, Reader, TopicId};

/// A place in a partition: all before it has been handed to the task.
pub(super) struct Cursor {
    topic: TopicId,
    partition: u32,
    next: i64,
    /// None where the topic has no partition of this number.
    reader: Option<Reader>,
}

impl Cursor {
    /// At the committed offset, or at the start.
    pub(super) fn open(log: &Log, app: &str, topic: TopicId, partition: Option<u32>) -> Result<Self, Error> {
        let Some(partition) = partition else { return Ok(Self { topic, partition: 0, next: i64::MAX, reader: None }) };
        let next = log.committed(app, topic, partition)?.unwrap_or(0);
        Ok(Self { topic, partition, next, reader: Some(log.reader(topic, partition, next)?) })
    }

    pub(super) fn topic(&self) -> TopicId {
        self.topic
    }

    pub(super) fn partition(&self) -> u32 {
        self.partition
    }

    /// Offset of the next record to hand over.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// Committed records that are left to hand over.
    pub(super) fn left(&self) -> u64 {
        self.reader.as_ref().map_or(0, Reader::left)
    }

    /// Whether the record at this offset is the next one; if so it counts as handed over.
    pub(super) fn take(&mut self, offset: i64) -> bool {
        let is_next = offset == self.next;
        if is_next {
            self.next += 1;
        }
        is_next
    }

    /// Hands over committed records: up to `records` of them, and until they have `bytes` bytes.
    pub(super) fn read(
        &mut self,
        records: usize,
        bytes: usize,
        now: i64,
        mut hand: impl FnMut(InputRecord),
    ) -> Result<(), Error> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        if reader.offset() != self.next {
            reader.seek(self.next);
        }
        let (mut count, mut size) = (0, 0);
        while count < records
            && size < bytes
            && let Some(record) = reader.next_record()?
        {
            self.next = reader.offset();
            count += 1;
            size += record.held();
            hand(InputRecord { arrived: now, ..record });
        }
        Ok(())
    }
}
