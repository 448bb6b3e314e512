//! Whether a worker still comes back from calls into librdkafka. Some of these have no end of their own: while a
//! coordinator moves, `send_offsets_to_transaction` has been seen to wait for ever, past the timeout it was given.
//!
//! Who is given up can't be stopped. So it is fenced: by its successor, which takes over its transactional id, and by the
//! lock here, without which it writes no state.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a call may take that has been given 5 s.
const PATIENCE: Duration = Duration::from_secs(20);

/// Of one worker.
#[derive(Default)]
pub(crate) struct Pulse(Mutex<State>);

#[derive(Default)]
struct State {
    calling: Option<Instant>,
    given_up: bool,
}

/// While it is held, the worker isn't given up.
pub(crate) struct Held<'p>(#[expect(dead_code, reason = "holding it is its use")] MutexGuard<'p, State>);

impl Pulse {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call. `None` if the worker was given up meanwhile: whatever came of the call, it isn't its business any more.
    pub(crate) fn call<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        self.state().calling = Some(Instant::now());
        let result = call();
        let mut state = self.state();
        state.calling = None;
        (!state.given_up).then_some(result)
    }

    /// Keeps the worker from being given up; `None` if it is.
    pub(crate) fn hold(&self) -> Option<Held<'_>> {
        let state = self.state();
        (!state.given_up).then_some(Held(state))
    }

    /// Gives the worker up if it has been in a call for too long. Whether it is.
    pub(crate) fn give_up(&self) -> bool {
        let mut state = self.state();
        state.given_up |= state.calling.is_some_and(|since| since.elapsed() > PATIENCE);
        state.given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_given_up_in_a_call_gets_nothing_from_it_and_writes_nothing() {
        let pulse = Pulse::default();
        assert_eq!(pulse.call(|| 1), Some(1));
        assert!(!pulse.give_up() && pulse.hold().is_some());
        let result = pulse.call(|| {
            pulse.state().calling = Instant::now().checked_sub(PATIENCE + Duration::from_secs(1));
            assert!(pulse.give_up());
        });
        assert_eq!(result, None);
        assert!(pulse.hold().is_none());
    }
}
