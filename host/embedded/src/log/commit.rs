//! From a tail to the log: offsets, blocks, and the moment at which others see them.

use std::sync::MutexGuard;

use millrace_store::Batch;

use crate::log::codec::BlockWriter;
use crate::log::tail::{Part, Tail};
use crate::log::{LOG, Log, LogError, TopicId, keys};

/// A tail that is in a batch. Nobody else can append as long as it exists.
///
/// Write the batch, then [`Prepared::publish`]. Dropped instead, nothing has happened, and the tail is as it was.
#[must_use = "what is appended isn't seen until it is published"]
pub struct Prepared<'a> {
    tail: &'a mut Tail,
    _appending: MutexGuard<'a, ()>,
}

impl Log {
    /// Puts what is in the tail into the batch, with its final offsets.
    ///
    /// # Errors
    /// [`LogError::Conflict`]: another worker has appended to a partition that was read ahead of this commit.
    /// The tail is as it was; the batch must not be written.
    pub fn prepare<'a>(&'a self, tail: &'a mut Tail, batch: &mut Batch) -> Result<Prepared<'a>, LogError> {
        let appending = self.lock();
        let mut writer = BlockWriter::default();
        let mut block = Vec::new();
        for (&(topic, partition), part) in &mut tail.parts {
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
        Ok(Prepared { tail, _appending: appending })
    }
}

fn write_part(
    topic: TopicId,
    partition: u32,
    part: &Part,
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

impl Prepared<'_> {
    /// Shows what was appended to all readers, and empties the tail. Only after the batch is written.
    pub fn publish(self) {
        for part in self.tail.parts.values() {
            if !part.records.is_empty() {
                part.state.set_end(part.base + part.records.len() as i64);
            }
        }
        self.tail.clear();
    }
}
