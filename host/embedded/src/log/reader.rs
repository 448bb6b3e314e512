//! Reading a partition in order.

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::record::InputRecord;
use millrace_store::{Database, Error};

use crate::log::codec::BlockReader;
use crate::log::tail::Tail;
use crate::log::topics::Partition;
use crate::log::{LOG, LogError, LogTopicId, keys};

/// Reads a partition in order, from an offset on.
///
/// The bytes of a record are slices of its block, which stays in memory as long as any of its records. At the end of
/// the partition there is no record for now; when more are published, the same reader goes on. `arrived` and `turn` of
/// the records are 0.
pub struct Reader {
    database: Arc<Database>,
    state: Arc<Partition>,
    topic: LogTopicId,
    partition: u32,
    /// Offset of the next record.
    next: i64,
    /// The block of the next record, positioned there; `None`: it has to be looked up.
    block: Option<Block>,
}

struct Block {
    base: i64,
    records: BlockReader,
}

impl Reader {
    pub(crate) fn new(
        database: Arc<Database>,
        state: Arc<Partition>,
        topic: LogTopicId,
        partition: u32,
        offset: i64,
    ) -> Self {
        Self { database, state, topic, partition, next: offset.max(0), block: None }
    }

    /// Offset of the next record.
    pub fn offset(&self) -> i64 {
        self.next
    }

    /// Goes on from another offset.
    pub fn seek(&mut self, offset: i64) {
        self.next = offset.max(0);
        self.block = None;
    }

    /// Number of committed records from here on.
    pub fn lag(&self) -> u64 {
        self.state.end().saturating_sub(self.next).max(0) as u64
    }

    /// The next committed record; `None`: there is none yet.
    ///
    /// # Errors
    /// [`LogError::Corrupt`]: its block is damaged. [`LogError::Store`]: it can't be read.
    pub fn next_record(&mut self) -> Result<Option<InputRecord>, LogError> {
        if self.next >= self.state.end() {
            return Ok(None);
        }
        loop {
            if let Some(block) = &mut self.block {
                let base = block.base;
                if let Some(record) = block.records.next().map_err(|reason| self.corrupt(base, reason))? {
                    let offset = self.next;
                    self.next += 1;
                    return Ok(Some(record.at(offset)));
                }
            }
            self.load()?;
        }
    }

    /// The next record, committed or in the tail of this worker; `None`: there is none yet.
    ///
    /// If the transaction is aborted, [`Reader::seek`] back to where it began.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn next_with(&mut self, tail: &mut Tail) -> Result<Option<InputRecord>, LogError> {
        if let Some(record) = self.next_record()? {
            return Ok(Some(record));
        }
        let record = tail.read(self.topic, self.partition, self.next);
        if record.is_some() {
            // Once committed, the record is in another block: one that begins where the tail does.
            self.block = None;
            self.next += 1;
        }
        Ok(record)
    }

    /// Loads the block of the next record, which is committed.
    fn load(&mut self) -> Result<(), LogError> {
        let (base, bytes) = self.fetch()?.ok_or_else(|| self.corrupt(self.next, "the block of records is missing"))?;
        let mut records = BlockReader::new(bytes).map_err(|reason| self.corrupt(base, reason))?;
        for _ in base..self.next {
            if records.next().map_err(|reason| self.corrupt(base, reason))?.is_none() {
                return Err(self.corrupt(self.next, "the block of records is missing"));
            }
        }
        if records.left() == 0 {
            return Err(self.corrupt(self.next, "the block of records is missing"));
        }
        self.block = Some(Block { base, records });
        Ok(())
    }

    fn fetch(&self) -> Result<Option<(i64, Bytes)>, Error> {
        let key = keys::block(self.topic, self.partition, self.next);
        // After the end of a block, the next one begins at the next record: no search is needed.
        if let Some(block) = self.database.get(LOG, &key)? {
            return Ok(Some((self.next, block)));
        }
        let first = keys::block(self.topic, self.partition, 0);
        let found = self.database.last(LOG, &first, &key)?;
        Ok(found.and_then(|(key, block)| Some((keys::block_offset(&key)?, block))))
    }

    fn corrupt(&self, offset: i64, reason: &'static str) -> LogError {
        LogError::Corrupt { topic: self.topic, partition: self.partition, offset, reason }
    }
}

impl Iterator for Reader {
    type Item = Result<InputRecord, LogError>;

    /// [`Reader::next_record`].
    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}
