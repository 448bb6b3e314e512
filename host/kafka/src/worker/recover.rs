//! Recovery after a failure: the worker goes on from what is committed.

use std::time::{Duration, Instant};

use super::transactions::WorkerTransactions;
use super::{Event, IDLE_WAIT, Worker};
use crate::error::Reaction;
use crate::error::refusals::Refusals;

/// Pauses between attempts to go on after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl Worker {
    /// Does what follows from a failure.
    pub(super) fn recover(&mut self, reaction: Reaction) -> Result<(), Reaction> {
        self.shared.trials.aborted(self.number);
        // After a refusal, the next attempt differs: it needn't wait.
        let patient = !matches!(reaction, Reaction::Refused(_));
        if !matches!(reaction, Reaction::Fail(_) | Reaction::Stop(_)) {
            // Committed changes needn't be restored again.
            self.write_all_postponed()?;
        }
        if let Reaction::CutOff(step) = &reaction {
            return self.abort_cut_off(step);
        }
        if let Reaction::Unwritten(reason) = &reaction
            && self.tasks.is_any_dirty()
        {
            return self.isolate_dirty_tasks(reason.clone());
        }
        // A task that was too slow for its transaction begins with one record again.
        self.paces.clear();
        let reason = match reaction {
            Reaction::Abort(reason) | Reaction::Unwritten(reason) => {
                self.abort()?;
                reason
            }
            Reaction::Rebuild(reason) => {
                self.rebuild();
                reason
            }
            Reaction::Refused(refused) => {
                self.rebuild();
                self.learn(&refused)?
            }
            reaction => return Err(reaction),
        };
        self.go_on_from_what_is_committed(reason);
        if patient {
            self.back_off();
        }
        Ok(())
    }

    /// A record couldn't be written. The tasks that have a part in the transaction begin anew, each for itself, and the
    /// others go on: none of them waits for the next attempt.
    fn isolate_dirty_tasks(&mut self, reason: String) -> Result<(), Reaction> {
        let tasks: Vec<_> = self.tasks.iter().filter(|active| active.dirty).map(|active| active.id).collect();
        let began = self.transactions.begun.unwrap_or_else(Instant::now);
        self.paces.retain(|(task, _), _| !tasks.contains(task));
        self.transactions.discard();
        self.tasks.drop_dirty();
        self.transactions.abort()?;
        self.isolated.note_failure(&tasks, began.elapsed(), Instant::now());
        self.go_on_from_what_is_committed(reason);
        Ok(())
    }

    fn go_on_from_what_is_committed(&mut self, reason: String) {
        self.phase.reopen();
        tracing::warn!(worker = self.number, reason, "a transaction failed: going on from what is committed");
        self.publisher.publish(Event::Recovering { worker: self.number, reason });
    }

    /// A run took so long that its transaction could have become too old: its records come again, in smaller runs.
    fn abort_cut_off(&mut self, step: &str) -> Result<(), Reaction> {
        self.abort()?;
        self.phase.reopen();
        let worker = self.number;
        tracing::info!(worker, step, "a run took too long and was cut off: its records are processed one by one");
        Ok(())
    }

    /// Learns from the records that brokers have refused.
    pub(super) fn learn(&mut self, refused: &Refusals) -> Result<String, Reaction> {
        let Self { shared, transactions: WorkerTransactions { limits, unclear, .. }, .. } = self;
        let reason = shared.learned.learn(&shared.topology, limits, unclear, refused)?;
        limits.alone = !unclear.is_empty();
        Ok(reason)
    }

    /// Drops the tasks and what their transaction changed.
    pub(super) fn abort(&mut self) -> Result<(), Reaction> {
        self.transactions.discard();
        self.tasks.clear();
        self.transactions.abort()
    }

    /// Drops the tasks, what their transaction changed, and the producer: the next one fences it.
    fn rebuild(&mut self) {
        self.transactions.discard();
        self.tasks.clear();
        self.transactions.producer = None;
    }

    /// Waits before the next attempt, longer each time, unless a command comes.
    fn back_off(&mut self) {
        let wait = BACKOFF.0.saturating_mul(1 << self.failures.min(16)).min(BACKOFF.1);
        self.failures = self.failures.saturating_add(1);
        let until = Instant::now() + wait;
        while Instant::now() < until && self.may_go_on() {
            std::thread::park_timeout(IDLE_WAIT);
        }
    }
}
