//! Timers of a process function.

use std::time::Duration;

use crate::host;

pub use crate::bindings::process::millrace::plugin::timers::Clock;

/// Sets and cancels timers, as an argument of a process function or of its `on_timer` function. A timer belongs to the
/// key of the current record or timer, and has a clock and a name of at most 255 bytes; setting it again replaces it.
/// When the timer is due, the host calls the `on_timer` function once.
///
/// Timers are kept like stores: they survive restarts, and if a record or timer fails, its changes to timers are
/// undone.
///
/// The stream clock is the step's stream time, the highest timestamp that the step has seen. Its timers are due after
/// the record that reaches their time; without records this clock stands still. Timers of the wall clock are due when
/// the driver's clock reaches them, with or without records. A clock that jumps fires each timer once. If a timer sets
/// one for a time that has already come, that one waits for the next record, or for the next millisecond.
#[derive(Clone, Copy, Debug)]
pub struct Timers(());

impl Timers {
    #[doc(hidden)]
    pub fn new() -> Self {
        Self(())
    }

    /// Sets a timer for an instant, in milliseconds since the epoch. If that has already come, the timer is due at
    /// once.
    pub fn set_at(&self, name: &str, time: i64, clock: Clock) {
        host::timers::set_at(name, time, clock);
    }

    /// Sets a timer for some time from now on that clock; fractions of a millisecond are ignored.
    pub fn set_after(&self, name: &str, delay: Duration, clock: Clock) {
        host::timers::set_after(name, u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), clock);
    }

    /// Cancels a timer, if it is set.
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
    /// Its name.
    pub name: String,
    /// The time that it was set for, in milliseconds since the epoch.
    pub time: i64,
    /// Its clock.
    pub clock: Clock,
}
