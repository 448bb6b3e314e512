//! Waiting for a condition.

use std::time::{Duration, Instant};

/// Time limit of a wait. It is long: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a condition.
pub fn until(what: &str, so: impl FnMut() -> bool) {
    within(PATIENCE, what, so);
}

/// Waits for a condition, at most this long.
pub fn within(patience: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !so() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
