//! The place of a task in a partition of the log.

use millrace_engine::record::InputRecord;

use crate::error::Error;
use crate::log::{Log, LogTopicId, Reader};

/// A place in a partition: the task has all records before it.
pub(super) struct Cursor {
    topic: LogTopicId,
    partition: u32,
    next: i64,
    /// `None`: the topic has no such partition.
    reader: Option<Reader>,
}

impl Cursor {
    /// A cursor at the committed offset, or at 0 if there is none.
    pub(super) fn open(log: &Log, app: &str, topic: LogTopicId, partition: Option<u32>) -> Result<Self, Error> {
        let Some(partition) = partition else { return Ok(Self { topic, partition: 0, next: i64::MAX, reader: None }) };
        let next = log.committed(app, topic, partition)?.unwrap_or(0);
        Ok(Self { topic, partition, next, reader: Some(log.reader(topic, partition, next)?) })
    }

    pub(super) fn topic(&self) -> LogTopicId {
        self.topic
    }

    pub(super) fn partition(&self) -> u32 {
        self.partition
    }

    /// Offset of the next record.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// Number of committed records from here on.
    pub(super) fn lag(&self) -> u64 {
        self.reader.as_ref().map_or(0, Reader::lag)
    }

    /// Whether the record at this offset is the next one. If it is, the cursor moves behind it.
    pub(super) fn take(&mut self, offset: i64) -> bool {
        let is_next = offset == self.next;
        if is_next {
            self.next += 1;
        }
        is_next
    }

    /// Passes committed records to `visit`: at most `records`, and none after `bytes` bytes.
    pub(super) fn read(
        &mut self,
        records: usize,
        bytes: usize,
        now: i64,
        mut visit: impl FnMut(InputRecord),
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
            visit(InputRecord { arrived: now, ..record });
        }
        Ok(())
    }
}
