//! A commit in three phases: prepare all tasks, write once, then tell.

use millrace_engine::ledger::Ledger;
use millrace_engine::task::{Prepared, Task};
use millrace_store::Batch;

use super::Worker;
use crate::error::Error;

impl Worker {
    /// Commits log, offsets and state in one batch. Returns what became of the records since the last commit.
    ///
    /// # Errors
    /// Nothing was committed: open the worker anew.
    pub fn commit(&mut self) -> Result<Ledger, Error> {
        let batch = Batch::new(&self.database);
        self.commit_with(batch)
    }

    /// The same, together with what the caller has put into the batch.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_with(&mut self, batch: Batch) -> Result<Ledger, Error> {
        self.write(batch, Task::prepare)
    }

    /// Writes down what there is in the middle of a transaction: nothing has been flushed, and what waits for the commit goes
    /// on waiting. For who begins all anew if it doesn't come to its end.
    pub(crate) fn relieve(&mut self) -> Result<Ledger, Error> {
        let batch = Batch::new(&self.database);
        self.write(batch, Task::prepare_part)
    }

    fn write(&mut self, mut batch: Batch, take: fn(&mut Task) -> Prepared) -> Result<Ledger, Error> {
        let ledger = self.prepare(&mut batch, take)?;
        let appended = self.log.prepare(&mut self.tail, &mut batch)?;
        if !batch.is_empty() {
            self.database.write(batch, self.options.durability)?;
        }
        appended.publish();
        self.dirty = false;
        self.ledger.add(&ledger);
        Ok(ledger)
    }

    /// Puts all that the tasks have changed into the batch.
    fn prepare(&mut self, batch: &mut Batch, take: fn(&mut Task) -> Prepared) -> Result<Ledger, Error> {
        let mut ledger = Ledger::default();
        for seat in &mut self.seats {
            let prepared = take(&mut seat.task);
            for changes in &prepared.changes {
                batch.apply(changes, seat.task.partition())?;
            }
            for position in prepared.offsets {
                if let (Some(next), Some(topic)) = (position.next, self.topics.get(position.topic.0)) {
                    self.log.commit_offset(batch, &self.topology.app, *topic, seat.task.partition(), next)?;
                }
            }
            ledger.add(&prepared.ledger);
            ledger.logs.extend(prepared.ledger.logs);
        }
        Ok(ledger)
    }
}
