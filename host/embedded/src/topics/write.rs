//! Records to the topics of a data folder.

use std::ops::ControlFlow;
use std::path::Path;

use millrace_engine::partitioner::partition_of;
use millrace_store::{Batch, Durability};
use millrace_topics::{Receipt, Writer};

use super::{FolderTopics, find, selected};
use crate::error::Error;
use crate::inbox::{InboxRecord, leave_records};
use crate::log::{NewRecord, Tail};
use crate::run::wall_clock;

/// Writes each batch at once: to the log in one transaction, or to the app's inbox as one file.
pub(super) struct FolderWriter<'a> {
    topics: &'a FolderTopics,
    batch: Vec<InboxRecord>,
    /// Line of the last record in the batch.
    line: u64,
    /// Number of records that were added: those without a key go to the partitions in turn.
    added: i64,
    /// Number of batches that were handed to the app.
    files: u32,
    receipt: Receipt,
}

impl<'a> FolderWriter<'a> {
    pub(super) fn new(topics: &'a FolderTopics) -> Self {
        let receipt = Receipt { handed_over: topics.inbox.is_some(), ..Receipt::default() };
        Self { topics, batch: Vec::new(), line: 0, added: 0, files: 0, receipt }
    }

    /// Appends the batch to the log, which survives a power failure then.
    fn append(&self, batch: Vec<InboxRecord>) -> Result<(), Error> {
        let FolderTopics { database, log, .. } = self.topics;
        let mut tail = Tail::new(log);
        for InboxRecord { topic, partition, record } in batch {
            tail.append(find(log, &topic)?, partition, record)?;
        }
        let mut batch = Batch::new(database);
        let appended = log.prepare(&mut tail, &mut batch)?;
        database.write(batch, Durability::Synced)?;
        appended.publish();
        Ok(())
    }

    /// Writes the batch to the inbox.
    fn hand_over(&mut self, inbox: &Path, batch: &[InboxRecord]) -> Result<(), Error> {
        // The app takes files by name: in order of time.
        let name = format!("{:020}-{:010}-{:06}", wall_clock(), std::process::id(), self.files);
        self.files += 1;
        leave_records(inbox, &name, batch)
    }
}

impl Writer for FolderWriter<'_> {
    type Error = Error;

    fn add(&mut self, record: millrace_topics::OutgoingRecord) -> Result<(), Error> {
        let millrace_topics::OutgoingRecord { line, topic, partition, key, value, timestamp, headers } = record;
        let log = &self.topics.log;
        let id = find(log, &topic)?;
        let partition = match partition {
            Some(number) => selected(log, id, &topic, Some(number))?.start,
            None => partition_of(key.as_deref(), self.added, log.partitions(id)),
        };
        let record = NewRecord { timestamp, key, value, headers };
        self.batch.push(InboxRecord { topic, partition, record });
        self.added += 1;
        self.line = line;
        Ok(())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        let batch = std::mem::take(&mut self.batch);
        let count = batch.len() as u64;
        let written = match &self.topics.inbox {
            Some(inbox) => self.hand_over(inbox, &batch),
            None => self.append(batch),
        };
        self.receipt.in_doubt = written.is_err();
        written?;
        self.receipt.sent += count;
        self.receipt.last_line = self.line;
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self: Box<Self>) -> Receipt {
        self.receipt
    }
}
