//! Whether a worker still comes back from calls into librdkafka. Some of these have no end of their own: while a
//! coordinator moves, `send_offsets_to_transaction` has been seen to wait for ever, past the timeout it was given.
//!
//! Who is given up can't be stopped, and may come back at any time. So nothing that it does then may count:
//!
//! - on the cluster, its successor takes over its transactional id before it reads anything. That ends what the call was
//!   to do, or waits until it is done;
//! - on disk, it writes nothing any more. A worker is given up only while it is in a [`call`](Pulse::call), under the
//!   lock that the call takes when it comes back; and who comes back given up gets nothing but [`Reaction::Fail`], which
//!   ends the worker: it passes no line behind that call. What writes state stands behind calls, never in one. The thread
//!   that restores its tasks makes no such calls; it ends when it sees that its worker was given up, and until then its
//!   [leases](crate::lease) keep the successor from restoring the same.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Reaction};

/// How long a call may take that has been given 5 s.
const PATIENCE: Duration = Duration::from_secs(20);

/// The same while the process stops: it ends before it would be killed.
pub(crate) const PATIENCE_AT_STOP: Duration = Duration::from_secs(10);

/// Of one worker.
#[derive(Default)]
pub(crate) struct Pulse(Mutex<State>);

#[derive(Default)]
struct State {
    calling: Option<Instant>,
    given_up: bool,
}

impl Pulse {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call.
    ///
    /// # Errors
    /// The worker was given up meanwhile: whatever came of the call, it isn't its business any more.
    pub(crate) fn call<T>(&self, call: impl FnOnce() -> T) -> Result<T, Reaction> {
        self.state().calling = Some(Instant::now());
        let result = call();
        let mut state = self.state();
        state.calling = None;
        if state.given_up { Err(Reaction::Fail(Error::GivenUp)) } else { Ok(result) }
    }

    /// Whether the worker was given up: then its task opener writes nothing more either.
    pub(crate) fn is_given_up(&self) -> bool {
        self.state().given_up
    }

    /// Gives the worker up if it has been in a call for too long. Whether it is.
    pub(crate) fn give_up(&self, stopping: bool) -> bool {
        let patience = if stopping { PATIENCE_AT_STOP } else { PATIENCE };
        let mut state = self.state();
        state.given_up |= state.calling.is_some_and(|since| since.elapsed() > patience);
        state.given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if the call that is being made had begun long ago.
    fn hang(pulse: &Pulse) {
        pulse.state().calling = Instant::now().checked_sub(PATIENCE + Duration::from_secs(1));
    }

    #[test]
    fn who_is_given_up_in_a_call_gets_nothing_from_it_nor_from_any_other() {
        let pulse = Pulse::default();
        assert_eq!(pulse.call(|| 1).ok(), Some(1));
        let result = pulse.call(|| {
            hang(&pulse);
            assert!(pulse.give_up(false));
        });
        assert!(matches!(result, Err(Reaction::Fail(Error::GivenUp))));
        assert!(pulse.call(|| 1).is_err());
    }

    #[test]
    fn who_comes_back_before_it_is_given_up_stays_and_so_may_write() {
        let pulse = Pulse::default();
        let result = pulse.call(|| hang(&pulse));
        assert!(result.is_ok(), "however long it took");
        assert!(!pulse.give_up(false), "and between two calls nobody is given up");
    }
}
