//! Who changes what all workers read waits until none of them is in a transaction: rows of global tables change between
//! transactions only, so that a transaction sees all of its records with the same rows.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A gate that many pass at a time, or one alone.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The workers that are inside, by the numbers of their passes.
    inside: BTreeMap<u64, usize>,
    next: u64,
    /// Whether somebody wants to be alone, or is: then nobody else goes in.
    closed: bool,
}

/// A worker is inside, until it is dropped or the worker evicted.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    number: u64,
}

impl Gate {
    /// A worker goes in. Waits while somebody wants to be alone, or is.
    pub(crate) fn enter(self: &Arc<Self>, worker: usize) -> Pass {
        let open = self.changed.wait_while(self.lock(), |state| state.closed);
        let mut state = open.unwrap_or_else(PoisonError::into_inner);
        let number = state.next;
        state.next += 1;
        state.inside.insert(number, worker);
        Pass { gate: Arc::clone(self), number }
    }

    /// Whether somebody waits to be alone: who is inside should come to an end.
    pub(crate) fn is_wanted(&self) -> bool {
        self.lock().closed
    }

    /// A worker that will never come back is inside no more.
    pub(crate) fn evict(&self, worker: usize) {
        self.lock().inside.retain(|_, inside| *inside != worker);
        self.changed.notify_all();
    }

    /// Lets nobody in, waits until all have left, and does `work` then. `None` if that takes too long: somebody inside
    /// may hang, and those outside can't wait for it.
    pub(crate) fn alone<T>(&self, patience: Duration, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.lock();
        state.closed = true;
        let waited = self.changed.wait_timeout_while(state, patience, |state| !state.inside.is_empty());
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(state);
        let result = (!timeout.timed_out()).then(work);
        self.lock().closed = false;
        self.changed.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.lock().inside.remove(&self.number);
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn who_is_alone_has_waited_for_all_and_lets_nobody_in() {
        let (gate, alone) = (Arc::new(Gate::default()), AtomicBool::new(false));
        let first = gate.enter(0);
        let second = gate.enter(1);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                gate.alone(Duration::from_secs(60), || {
                    alone.store(true, Ordering::SeqCst);
                    gate.lock().inside.len()
                })
            });
            while !gate.is_wanted() {
                std::thread::yield_now();
            }
            drop(first);
            assert!(!alone.load(Ordering::SeqCst), "the second is inside");
            drop(second);
            assert_eq!(writer.join().ok(), Some(Some(0)));
        });
        drop(gate.enter(0));
    }

    #[test]
    fn who_waits_in_vain_leaves_the_gate_open() {
        let gate = Arc::new(Gate::default());
        let inside = gate.enter(0);
        assert_eq!(gate.alone(Duration::ZERO, || ()), None);
        drop((gate.enter(1), inside));
        assert_eq!(gate.alone(Duration::ZERO, || ()), Some(()));
    }

    #[test]
    fn who_never_comes_back_is_waited_for_no_more_and_does_no_harm_if_it_does() {
        let gate = Arc::new(Gate::default());
        let hangs = gate.enter(3);
        gate.evict(3);
        assert_eq!(gate.alone(Duration::ZERO, || ()), Some(()));
        let successor = gate.enter(3);
        drop(hangs);
        assert_eq!(gate.alone(Duration::ZERO, || ()), None, "the successor is inside");
        drop(successor);
    }
}
