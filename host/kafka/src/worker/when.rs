//! When a worker begins a transaction, and when it commits one.

use std::time::Duration;

use super::Worker;
use super::seat::Seat;

/// How long the coordinator of transactions has to finish one before the next begins, where that makes it no later for
/// much. If a transaction's first record comes before, librdkafka waits for 20 ms (`CONCURRENT_TRANSACTIONS` in its
/// rdkafka_txnmgr.c): without this rest, that took 1 to 5 of 100 transactions.
const REST: Duration = Duration::from_millis(3);

impl Worker {
    /// Whether everything that was done is to be committed.
    pub(super) fn is_due(&self) -> bool {
        let wanted = self.shared.gate.as_ref().is_some_and(|gate| gate.is_wanted());
        wanted || self.until_due().is_zero()
    }

    /// How long until everything that was done is to be committed.
    pub(super) fn until_due(&self) -> Duration {
        self.shared.topology.settings.commit_interval.saturating_sub(self.last_commit.elapsed())
    }

    /// How long to wait before a transaction begins. Who has a backlog doesn't wait, nor who is in the middle of one.
    pub(super) fn rest(&self) -> Option<Duration> {
        let left = REST.saturating_sub(self.ended.elapsed());
        let wait = !left.is_zero() && !self.has_results() && self.is_caught_up();
        wait.then_some(left)
    }

    /// Whether there is no backlog.
    pub(super) fn is_caught_up(&self) -> bool {
        self.seats.iter().all(Seat::is_caught_up)
    }

    /// Whether anything was put out that isn't committed.
    pub(super) fn has_results(&self) -> bool {
        self.seats.iter().any(|seat| seat.sent)
    }

    /// Whether the open transaction takes too much memory.
    pub(super) fn is_full(&self) -> bool {
        let bytes: usize = self.seats.iter().map(|seat| seat.task.transaction_bytes()).sum();
        bytes > self.shared.options.transaction_bytes
    }
}

/// Runs of about a tenth of a second: where rules are slow, fewer records at a time, so that commits and rebalances
/// don't wait. What comes out is the same.
pub(super) fn pace(limit: usize, most: usize, took: Duration) -> usize {
    match took.as_millis() {
        0..=50 => (limit * 2).min(most),
        51..=100 => limit,
        _ => (limit / 2).max(1),
    }
}
