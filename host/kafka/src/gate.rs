//! Who changes what all workers read waits until none of them is in a transaction: rows of global tables change between
//! transactions only, so that a transaction sees all of its records with the same rows.

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
    /// How many are inside.
    inside: usize,
    /// Whether somebody wants to be alone, or is: then nobody else goes in.
    closed: bool,
}

/// Somebody is inside, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pass(Arc<Gate>);

impl Gate {
    /// Goes in. Waits while somebody wants to be alone, or is.
    pub(crate) fn enter(self: &Arc<Self>) -> Pass {
        let open = self.changed.wait_while(self.lock(), |state| state.closed);
        open.unwrap_or_else(PoisonError::into_inner).inside += 1;
        Pass(Arc::clone(self))
    }

    /// Lets nobody in, waits until all have left, and does `work` then. `None` if that takes too long: somebody inside
    /// may hang, and those outside can't wait for it.
    pub(crate) fn alone<T>(&self, patience: Duration, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.lock();
        state.closed = true;
        let waited = self.changed.wait_timeout_while(state, patience, |state| state.inside > 0);
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
        self.0.lock().inside -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn who_is_alone_has_waited_for_all_and_lets_nobody_in() {
        let (gate, alone) = (Arc::new(Gate::default()), AtomicBool::new(false));
        let first = gate.enter();
        let second = gate.enter();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                gate.alone(Duration::from_secs(60), || {
                    alone.store(true, Ordering::SeqCst);
                    gate.lock().inside
                })
            });
            drop(first);
            assert!(!alone.load(Ordering::SeqCst), "the second is inside");
            drop(second);
            assert_eq!(writer.join().ok(), Some(Some(0)));
        });
        drop(gate.enter());
    }

    #[test]
    fn who_waits_in_vain_leaves_the_gate_open() {
        let gate = Arc::new(Gate::default());
        let inside = gate.enter();
        assert_eq!(gate.alone(Duration::ZERO, || ()), None);
        drop((gate.enter(), inside));
        assert_eq!(gate.alone(Duration::ZERO, || ()), Some(()));
    }
}
