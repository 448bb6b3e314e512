//! Timers of a process function.

use std::time::Duration;

use crate::host;

pub use crate::bindings::process::millrace::plugin::timers::Clock;

/// Sets and cancels timers, as an argument of a process function or of its `on_timer` function. A timer belongs to the
/// key of the record or timer at hand, and has a clock and a name of at most 255 bytes; setting it anew replaces it. When
/// it is due, the host calls the function that `on_timer` names, once.
///
/// Timers are kept like stores: they outlive restarts, and what a record or timer has set is undone if it fails.
///
/// A timer of the stream clock is due after the record with which the step's stream time, the highest timestamp that has
/// come to it, reaches the timer's time; without records nothing moves that clock. One of the wall clock is due when the
/// driver's clock reaches it, whether records come or not. A clock that jumps fires each timer once; what a timer sets for
/// a time that has come already waits for the next record, or for the next millisecond.
#[derive(Clone, Copy, Debug)]
pub struct Timers(());

impl Timers {
    #[doc(hidden)]
    pub fn new() -> Self {
        Self(())
    }

    /// Sets a timer for an instant, in milliseconds since the epoch. If it has come already, the timer is due at once.
    pub fn set_at(&self, name: &str, time: i64, clock: Clock) {
        host::timers::set_at(name, time, clock);
    }

    /// Sets a timer for some time from now on that clock; parts of a millisecond don't count.
    pub fn set_after(&self, name: &str, delay: Duration, clock: Clock) {
        host::timers::set_after(name, u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), clock);
    }

    /// Takes a timer back, if it is set.
    pub fn cancel(&self, name: &str, clock: Clock) {
        host::timers::cancel(name, clock);
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::new()
    }
}

/// The timer that is due, as an argument of an `on_timer` function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The name it was set under.
    pub name: String,
    /// The time it was set for, in milliseconds since the epoch.
    pub time: i64,
    /// The clock it was set on.
    pub clock: Clock,
}
