//! A task while it runs.

use std::collections::BTreeSet;

use millrace_engine::task::Task;
use millrace_engine::topology::TopicId;

use super::Cursor;
use crate::error::Error;
use crate::log::Tail;

/// A task with its cursors in the log, one for each input.
pub(super) struct ActiveTask {
    pub(super) task: Task,
    pub(super) cursors: Vec<Cursor>,
}

/// An input whose queue has this many bytes is read no further.
const QUEUE_LIMIT_BYTES: usize = 4 << 20;

impl ActiveTask {
    /// Fills the queue of each input from the log, up to `batch` records.
    pub(super) fn fill(&mut self, batch: usize, now: i64) -> Result<(), Error> {
        for (input, cursor) in self.cursors.iter_mut().enumerate() {
            let bytes = QUEUE_LIMIT_BYTES.saturating_sub(self.task.queued_bytes(input));
            let records = batch.saturating_sub(self.task.queued(input));
            cursor.read(records, bytes, now, |record| self.task.offer(input, record))?;
        }
        Ok(())
    }

    /// Tells the task which inputs expect more records: those with more in the log or the tail, and those that a busy
    /// task writes. Returns whether the task has work, or will have.
    pub(super) fn update_expectations(&mut self, tail: &Tail, busy: &BTreeSet<TopicId>) -> Result<bool, Error> {
        let mut has_work = false;
        let topics = self.task.inputs().to_vec();
        for ((input, cursor), topic) in self.cursors.iter().enumerate().zip(topics) {
            let more = cursor.next() < tail.end_offset(cursor.topic(), cursor.partition())? || busy.contains(&topic);
            self.task.expect_more(input, more);
            has_work |= more || self.task.queued(input) > 0 || self.task.ready();
        }
        Ok(has_work)
    }
}
