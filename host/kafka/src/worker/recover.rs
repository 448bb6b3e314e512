//! Going on after a failure: from what is committed.

use std::time::{Duration, Instant};

use super::seat::ActiveTask;
use super::{Event, IDLE_WAIT, Phase, Worker};
use crate::error::Reaction;
use crate::error::refusals::Refusals;

/// Pauses between attempts to go on after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl Worker {
    /// Does what a failure asks for.
    pub(super) fn recover(&mut self, reaction: Reaction) -> Result<(), Reaction> {
        // What was learned from a refusal doesn't happen again.
        let patient = !matches!(reaction, Reaction::Refused(_));
        if !matches!(reaction, Reaction::Fail(_) | Reaction::Stop(_)) {
            // What is committed needn't be read again.
            self.write_all_postponed()?;
        }
        if let Reaction::CutOff(step) = &reaction {
            return self.cut_off(step);
        }
        if let Reaction::Unwritten(reason) = &reaction
            && self.seats.iter().any(|seat| seat.dirty)
        {
            return self.set_apart(reason.clone());
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

    /// A record couldn't be written. The tasks that have a part in the transaction begin anew, each for itself, and the others
    /// go on: none of them waits for the next attempt.
    fn set_apart(&mut self, reason: String) -> Result<(), Reaction> {
        let tasks: Vec<_> = self.seats.iter().filter(|seat| seat.dirty).map(|seat| seat.id).collect();
        let began = self.begun.unwrap_or_else(Instant::now);
        self.paces.retain(|(task, _), _| !tasks.contains(task));
        self.drop_transaction(|seat| seat.dirty);
        self.end_transaction()?;
        self.apart.failed(&tasks, began.elapsed(), Instant::now());
        self.go_on_from_what_is_committed(reason);
        Ok(())
    }

    fn go_on_from_what_is_committed(&mut self, reason: String) {
        if self.phase == Phase::Running {
            self.phase = Phase::Opening;
        }
        tracing::warn!(worker = self.number, reason, "a transaction failed: going on from what is committed");
        self.tell(Event::Recovering { worker: self.number, reason });
    }

    /// A run took so long that its transaction could have become too old: its records come again, in smaller runs.
    fn cut_off(&mut self, step: &str) -> Result<(), Reaction> {
        self.abort()?;
        if self.phase == Phase::Running {
            self.phase = Phase::Opening;
        }
        let worker = self.number;
        tracing::info!(worker, step, "a run took too long and was cut off: its records are processed one by one");
        Ok(())
    }

    /// Takes note of what brokers have refused.
    pub(super) fn learn(&mut self, refused: &Refusals) -> Result<String, Reaction> {
        let Self { shared, limits, unclear, .. } = self;
        let reason = shared.learned.learn(&shared.topology, limits, unclear, refused)?;
        limits.alone = !unclear.is_empty();
        Ok(reason)
    }

    /// Drops the tasks and what their transaction changed.
    pub(super) fn abort(&mut self) -> Result<(), Reaction> {
        self.drop_transaction(|_| true);
        self.end_transaction()
    }

    fn end_transaction(&mut self) -> Result<(), Reaction> {
        let Some(producer) = &mut self.producer else { return Ok(()) };
        if let Err(reaction) = producer.abort() {
            self.producer = None;
            if let Reaction::Stop(_) | Reaction::Fail(_) = reaction {
                return Err(reaction);
            }
        }
        Ok(())
    }

    fn rebuild(&mut self) {
        self.drop_transaction(|_| true);
        self.producer = None;
    }

    /// Drops the tasks of which it is so, with what the transaction has changed in them.
    fn drop_transaction(&mut self, of: impl Fn(&ActiveTask) -> bool) {
        self.pass = None;
        self.begun = None;
        self.unclear.aborted();
        self.seats.retain(|seat| !of(seat));
    }

    /// Waits before the next attempt, longer each time, unless it is called.
    fn back_off(&mut self) {
        let wait = BACKOFF.0.saturating_mul(1 << self.failures.min(16)).min(BACKOFF.1);
        self.failures = self.failures.saturating_add(1);
        let until = Instant::now() + wait;
        while Instant::now() < until && self.may_go_on() {
            std::thread::park_timeout(IDLE_WAIT);
        }
    }
}
