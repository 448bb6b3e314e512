//! A commit in three phases: prepare all tasks, write one batch, then publish what was appended.

use millrace_engine::ledger::Ledger;
use millrace_engine::task::{Prepared, Task};
use millrace_store::Batch;

use super::Worker;
use crate::error::Error;

impl Worker {
    /// Commits log, offsets and state in one batch. Returns the counts since the last commit.
    ///
    /// # Errors
    /// Nothing was committed: open a new worker.
    pub fn commit(&mut self) -> Result<Ledger, Error> {
        let batch = Batch::new(&self.database);
        self.commit_with(batch)
    }

    /// The same with a batch in which the caller has put something already.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_with(&mut self, batch: Batch) -> Result<Ledger, Error> {
        self.write(batch, Task::prepare)
    }

    /// Writes uncommitted changes to disk in the middle of a transaction. Results that wait for the commit go on
    /// waiting. Only for a caller that starts from the beginning if it is interrupted.
    pub(crate) fn spill(&mut self) -> Result<Ledger, Error> {
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

    /// Puts the changes and offsets of all tasks into the batch.
    fn prepare(&mut self, batch: &mut Batch, take: fn(&mut Task) -> Prepared) -> Result<Ledger, Error> {
        let mut ledger = Ledger::default();
        for active in &mut self.tasks {
            let prepared = take(&mut active.task);
            for changes in &prepared.changes {
                batch.apply(changes, active.task.partition())?;
            }
            for position in prepared.offsets {
                if let (Some(next), Some(topic)) = (position.next, self.topics.get(position.topic.0)) {
                    self.log.commit_offset(batch, &self.topology.app, *topic, active.task.partition(), next)?;
                }
            }
            ledger.add(&prepared.ledger);
            ledger.logs.extend(prepared.ledger.logs);
        }
        Ok(ledger)
    }
}
