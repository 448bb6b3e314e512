//! When a worker begins a transaction, and when it commits one.

use std::time::Duration;

use super::Worker;
use super::active_task::ActiveTask;
use super::isolation::Isolation;
use super::processing::WorkKind;
use super::step_plan::Uncommitted;

/// The pause between two transactions, in which the coordinator finishes the first, where it delays no backlog. If a
/// transaction's first record comes before, librdkafka waits for 20 ms (`CONCURRENT_TRANSACTIONS` in its
/// rdkafka_txnmgr.c): without this pause, that happened in 1 to 5 of 100 transactions.
const TRANSACTION_PAUSE: Duration = Duration::from_millis(3);

impl Worker {
    /// Whether all uncommitted work is to be committed.
    pub(super) fn is_commit_due(&self) -> bool {
        let wanted = self.shared.barrier.as_ref().is_some_and(|barrier| barrier.is_wanted());
        wanted || self.is_transaction_old() || self.until_commit().is_zero()
    }

    /// How long until all uncommitted work is to be committed.
    pub(super) fn until_commit(&self) -> Duration {
        self.shared.topology.settings.commit_interval.saturating_sub(self.transactions.since_commit())
    }

    /// How long to wait before a transaction begins. A worker with a backlog doesn't wait, nor one with results that
    /// aren't committed.
    pub(super) fn pause(&self) -> Option<Duration> {
        let left = TRANSACTION_PAUSE.saturating_sub(self.transactions.since_end());
        let wait = !left.is_zero() && !self.tasks.has_results() && self.is_caught_up();
        wait.then_some(left)
    }

    /// Whether no task has a backlog.
    pub(super) fn is_caught_up(&self) -> bool {
        self.tasks.is_caught_up(&self.isolated)
    }

    /// How old a transaction may become before it is committed, how long a run may take, and how long a commit may work
    /// on the results that wait for it: together three quarters of the time after which the broker ends the
    /// transaction.
    pub(super) fn run_time(&self) -> Duration {
        self.shared.settings.transaction_timeout() / 4
    }

    /// The kind of work that isn't committed.
    pub(super) fn uncommitted(&self) -> Uncommitted {
        match self.transactions.is_open() {
            true => Uncommitted::Transaction,
            false if self.tasks.is_any_dirty() => Uncommitted::Changes,
            false => Uncommitted::Nothing,
        }
    }

    /// Whether all uncommitted work has to be committed before anything else is done, however large the backlog is.
    pub(super) fn must_commit(&self) -> bool {
        let share = |active: &ActiveTask| {
            self.paces.get(&(active.id, WorkKind::Records)).map_or(0.0, |pace| pace.share(active.taken + active.fired))
        };
        // Of all tasks: the results that they leave for the commit come out in the same transaction.
        let enough = || self.tasks.iter().filter(|active| active.dirty).map(share).sum::<f32>() >= 1.0;
        self.is_transaction_old() || self.is_transaction_full() || enough()
    }

    /// Whether the task's work is committed for itself.
    pub(super) fn is_on_trial(&self, number: usize) -> bool {
        self.tasks.get(number).is_some_and(|active| self.isolated.of(active.id) == Isolation::OnTrial)
    }

    /// Whether the uncommitted work began so long ago that its transaction has to end.
    fn is_transaction_old(&self) -> bool {
        self.transactions.is_older_than(self.run_time())
    }

    /// Whether the open transaction takes too much memory.
    pub(super) fn is_transaction_full(&self) -> bool {
        self.tasks.transaction_bytes() > self.shared.options.transaction_bytes
    }
}
