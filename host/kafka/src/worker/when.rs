//! When a worker begins a transaction, and when it commits one.

use std::time::Duration;

use super::Worker;
use super::apart::Isolation;
use super::plan::Uncommitted;
use super::run::WorkKind;
use super::seat::ActiveTask;
use crate::client::producer::Transactions;

/// How long the coordinator of transactions has to finish one before the next begins, where that makes it no later for
/// much. If a transaction's first record comes before, librdkafka waits for 20 ms (`CONCURRENT_TRANSACTIONS` in its
/// rdkafka_txnmgr.c): without this rest, that took 1 to 5 of 100 transactions.
const TRANSACTION_PAUSE: Duration = Duration::from_millis(3);

impl Worker {
    /// Whether everything that was done is to be committed.
    pub(super) fn is_due(&self) -> bool {
        let wanted = self.shared.barrier.as_ref().is_some_and(|barrier| barrier.is_wanted());
        wanted || self.is_old() || self.until_due().is_zero()
    }

    /// How long until everything that was done is to be committed.
    pub(super) fn until_due(&self) -> Duration {
        self.shared.topology.settings.commit_interval.saturating_sub(self.last_commit.elapsed())
    }

    /// How long to wait before a transaction begins. Who has a backlog doesn't wait, nor who is in the middle of one.
    pub(super) fn rest(&self) -> Option<Duration> {
        let left = TRANSACTION_PAUSE.saturating_sub(self.ended.elapsed());
        let wait = !left.is_zero() && !self.has_results() && self.is_caught_up();
        wait.then_some(left)
    }

    /// Whether there is no backlog.
    pub(super) fn is_caught_up(&self) -> bool {
        self.seats.iter().all(|seat| seat.is_caught_up() || self.apart.is_waiting(seat.id))
    }

    /// Whether anything was put out that isn't committed.
    pub(super) fn has_results(&self) -> bool {
        self.seats.iter().any(|seat| seat.sent)
    }

    /// How old a transaction may become before it is committed, how long a run may take, and how long what waits for a commit
    /// may take at it: together three quarters of the time after which the broker ends it.
    pub(super) fn run_time(&self) -> Duration {
        self.shared.settings.transaction_timeout() / 4
    }

    /// What isn't committed.
    pub(super) fn uncommitted(&self) -> Uncommitted {
        match self.producer.as_ref().is_some_and(Transactions::is_open) {
            true => Uncommitted::Transaction,
            false if self.seats.iter().any(|seat| seat.dirty) => Uncommitted::Changes,
            false => Uncommitted::Nothing,
        }
    }

    /// Whether what was done has to be committed before anything else is done, however much there is to do.
    pub(super) fn must_commit(&self) -> bool {
        let share = |seat: &ActiveTask| {
            self.paces.get(&(seat.id, WorkKind::Records)).map_or(0.0, |pace| pace.share(seat.taken + seat.fired))
        };
        // Of all tasks: what each of them leaves for the commit comes out in the same transaction.
        let enough = || self.seats.iter().filter(|seat| seat.dirty).map(share).sum::<f32>() >= 1.0;
        self.is_old() || self.is_full() || enough()
    }

    /// Whether what the task does is committed for itself.
    pub(super) fn is_on_trial(&self, seat: usize) -> bool {
        self.seats.get(seat).is_some_and(|seat| self.apart.standing(seat.id) == Isolation::OnTrial)
    }

    /// Whether the first of what isn't committed was done so long ago that its transaction has to end.
    fn is_old(&self) -> bool {
        self.begun.is_some_and(|begun| begun.elapsed() >= self.run_time())
    }

    /// Whether the open transaction takes too much memory.
    pub(super) fn is_full(&self) -> bool {
        let bytes: usize = self.seats.iter().map(|seat| seat.task.transaction_bytes()).sum();
        bytes > self.shared.options.transaction_bytes
    }
}
