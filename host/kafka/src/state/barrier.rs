//! Who changes what all workers read waits until none of them is in a transaction: rows of global tables change between
//! transactions only, so that a transaction sees all of its records with the same rows.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a worker that waits at the gate looks whether it is to do something else.
const INTERRUPT_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// A gate that many pass at a time, or one alone.
#[derive(Debug, Default)]
pub(crate) struct TransactionBarrier {
    state: Mutex<BarrierState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct BarrierState {
    /// Passes of the workers that are in a transaction.
    inside: BTreeSet<u64>,
    next: u64,
    /// Whether somebody wants to be alone, or is: then nobody else goes in.
    closed: bool,
    /// Until when it stays open: it was closed in vain.
    open_until: Option<Instant>,
}

/// A worker is inside, until it is dropped.
#[derive(Debug)]
pub(crate) struct TransactionPermit {
    barrier: Arc<TransactionBarrier>,
    number: u64,
}

impl TransactionBarrier {
    /// A worker goes in. Waits while the gate is closed, as long as `go_on` says so; `None` when it doesn't: a worker that
    /// waits here must not keep anybody waiting in its turn, such as a rebalance.
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

    /// Whether somebody waits to be alone: who is inside should come to an end.
    pub(crate) fn is_wanted(&self) -> bool {
        self.lock().closed
    }

    /// Lets nobody in, waits until all have left, and does `work` then. `None` if that takes too long: somebody inside
    /// may hang, and those outside can't wait for it. After that the gate stays open for as long as it was closed, and who
    /// wants to be alone gets `None` at once: one worker that hangs takes no more than half of the others' time.
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
    fn a_worker_that_waits_at_the_closed_gate_turns_back_when_it_is_called() {
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
    fn who_is_alone_has_waited_for_all_and_lets_nobody_in() {
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
    fn who_waits_in_vain_leaves_the_gate_open() {
        let barrier = Arc::new(TransactionBarrier::default());
        let inside = enter(&barrier);
        assert_eq!(barrier.alone(Duration::ZERO, || ()), None);
        drop((enter(&barrier), inside));
        assert_eq!(barrier.alone(Duration::ZERO, || ()), Some(()));
    }

    #[test]
    fn after_a_wait_in_vain_the_workers_have_the_gate_for_as_long() {
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
