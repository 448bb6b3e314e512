//! From a tail to the log: records get their offsets, are written as blocks, and become visible.

use std::sync::MutexGuard;

use millrace_store::Batch;

use crate::log::codec::BlockWriter;
use crate::log::tail::{PartitionTail, Tail};
use crate::log::{LOG, Log, LogError, LogTopicId, keys};

/// A tail whose records are in a batch. While this exists, no other thread can append.
///
/// Write the batch, then call [`PreparedAppend::publish`]. If this is dropped instead, nothing was appended, and the
/// tail is unchanged.
#[must_use = "no reader sees the records until they are published"]
pub struct PreparedAppend<'a> {
    tail: &'a mut Tail,
    _appending: MutexGuard<'a, ()>,
}

impl Log {
    /// Puts the records of the tail into the batch, with their final offsets.
    ///
    /// # Errors
    /// [`LogError::Conflict`]: another worker has appended to a partition that was read ahead of this commit.
    /// The tail is unchanged; the batch must not be written.
    pub fn prepare<'a>(&'a self, tail: &'a mut Tail, batch: &mut Batch) -> Result<PreparedAppend<'a>, LogError> {
        let appending = self.lock();
        let mut writer = BlockWriter::default();
        let mut block = Vec::new();
        for (&(topic, partition), part) in &mut tail.partitions {
            if part.records.is_empty() {
                continue;
            }
            let end = part.state.end();
            if part.read && part.base != end {
                return Err(LogError::Conflict { topic, partition });
            }
            part.base = end;
            write_part(topic, partition, part, &mut writer, &mut block, batch)?;
        }
        Ok(PreparedAppend { tail, _appending: appending })
    }
}

fn write_part(
    topic: LogTopicId,
    partition: u32,
    part: &PartitionTail,
    writer: &mut BlockWriter,
    block: &mut Vec<u8>,
    batch: &mut Batch,
) -> Result<(), LogError> {
    let mut base = part.base;
    let mut records = part.records.iter().peekable();
    while let Some(record) = records.next() {
        writer.push(record);
        if writer.is_full() || records.peek().is_none() {
            let count = writer.count();
            writer.finish(block);
            batch.put(LOG, &keys::block(topic, partition, base), block)?;
            base += count as i64;
        }
    }
    Ok(())
}

impl PreparedAppend<'_> {
    /// Shows the records to all readers, and empties the tail. Call it after the batch is written.
    pub fn publish(self) {
        for part in self.tail.partitions.values() {
            if !part.records.is_empty() {
                part.state.set_end(part.base + part.records.len() as i64);
            }
        }
        self.tail.clear();
    }
}
