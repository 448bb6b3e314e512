//! The barrier between transactions and the rows of global tables: the thread that writes rows waits until no worker is
//! in a transaction, so that all records of a transaction see the same rows.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a worker that waits at the barrier looks whether it is interrupted.
const INTERRUPT_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// A barrier that lets in many workers, or one writer.
#[derive(Debug, Default)]
pub(crate) struct TransactionBarrier {
    state: Mutex<BarrierState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct BarrierState {
    /// Permits of the workers that are in a transaction.
    inside: BTreeSet<u64>,
    next: u64,
    /// Whether a writer waits or writes: then no worker gets a permit.
    closed: bool,
    /// Until when it stays open, after a writer has waited in vain.
    open_until: Option<Instant>,
}

/// A worker may be in a transaction until this is dropped.
#[derive(Debug)]
pub(crate) struct TransactionPermit {
    barrier: Arc<TransactionBarrier>,
    number: u64,
}

impl TransactionBarrier {
    /// Gives a worker a permit. Waits while the barrier is closed, as long as `go_on` allows; `None` when it doesn't: a
    /// worker that waits here must not hold up a rebalance.
    pub(crate) fn enter(self: &Arc<Self>, go_on: &dyn Fn() -> bool) -> Option<TransactionPermit> {
        let mut state = self.lock();
        while state.closed {
            if !go_on() {
                return None;
            }
            let waited = self.changed.wait_timeout(state, INTERRUPT_CHECK_INTERVAL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let number = state.next;
        state.next += 1;
        state.inside.insert(number);
        Some(TransactionPermit { barrier: Arc::clone(self), number })
    }

    /// Whether a writer waits: workers should commit.
    pub(crate) fn is_wanted(&self) -> bool {
        self.lock().closed
    }

    /// Gives out no permits, waits until all are back, and does `work` then. `None` if that takes too long: one worker
    /// may hang, and the others can't wait for it. After that the barrier stays open for as long as it was closed, and
    /// a writer gets `None` at once: a worker that hangs takes no more than half of the others' time.
    pub(crate) fn alone<T>(&self, patience: Duration, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.lock();
        if state.open_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        state.closed = true;
        let waited = self.changed.wait_timeout_while(state, patience, |state| !state.inside.is_empty());
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(state);
        let result = (!timeout.timed_out()).then(work);
        let mut state = self.lock();
        state.closed = false;
        state.open_until = result.is_none().then(|| Instant::now() + patience);
        drop(state);
        self.changed.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, BarrierState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TransactionPermit {
    fn drop(&mut self) {
        self.barrier.lock().inside.remove(&self.number);
        self.barrier.changed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn enter(barrier: &Arc<TransactionBarrier>) -> TransactionPermit {
        barrier.enter(&|| true).unwrap()
    }

    #[test]
    fn a_worker_that_waits_at_the_closed_barrier_gives_up_when_it_is_interrupted() {
        let barrier = Arc::new(TransactionBarrier::default());
        let called = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let inside = enter(&barrier);
            let writer = scope.spawn(|| barrier.alone(Duration::from_secs(60), || ()));
            while !barrier.is_wanted() {
                std::thread::yield_now();
            }
            let waiting = scope.spawn(|| barrier.enter(&|| !called.load(Ordering::SeqCst)).is_none());
            called.store(true, Ordering::SeqCst);
            assert_eq!(waiting.join().ok(), Some(true), "with the first one still inside");
            drop(inside);
            assert_eq!(writer.join().ok(), Some(Some(())));
        });
    }

    #[test]
    fn a_writer_waits_for_all_workers_and_lets_none_in() {
        let (barrier, alone) = (Arc::new(TransactionBarrier::default()), AtomicBool::new(false));
        let first = enter(&barrier);
        let second = enter(&barrier);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                barrier.alone(Duration::from_secs(60), || {
                    alone.store(true, Ordering::SeqCst);
                    barrier.lock().inside.len()
                })
            });
            while !barrier.is_wanted() {
                std::thread::yield_now();
            }
            drop(first);
            assert!(!alone.load(Ordering::SeqCst), "the second is inside");
            drop(second);
            assert_eq!(writer.join().ok(), Some(Some(0)));
        });
        drop(enter(&barrier));
    }

    #[test]
    fn a_writer_that_waits_in_vain_leaves_the_barrier_open() {
        let barrier = Arc::new(TransactionBarrier::default());
        let inside = enter(&barrier);
        assert_eq!(barrier.alone(Duration::ZERO, || ()), None);
        drop((enter(&barrier), inside));
        assert_eq!(barrier.alone(Duration::ZERO, || ()), Some(()));
    }

    #[test]
    fn after_a_wait_in_vain_workers_get_permits_for_as_long() {
        let barrier = Arc::new(TransactionBarrier::default());
        let hour = Duration::from_secs(3600);
        let inside = enter(&barrier);
        assert_eq!(barrier.alone(Duration::ZERO, || ()), None);
        let waited = barrier.lock().open_until.is_some();
        assert!(waited);
        barrier.lock().open_until = Some(Instant::now() + hour);
        // It would wait for an hour.
        assert_eq!(barrier.alone(hour, || ()), None);
        drop((enter(&barrier), inside));
        assert_eq!(barrier.alone(hour, || ()), None, "also when it could be alone by now");
        barrier.lock().open_until = None;
        assert_eq!(barrier.alone(hour, || ()), Some(()));
    }
}
