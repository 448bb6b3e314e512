//! What scenarios are made of.

mod app;
mod broker;
mod expected;
mod feeder;
mod input;
mod oracles;
mod process;
mod records;
mod rules;
mod state;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use app::{App, Settings, copy_folder};
pub use broker::{options, own_broker, shared_broker};
pub use input::Shape;
pub use process::Process;
pub use records::{Kafka, Record};
pub use rules::allow;

/// How long a test waits for what must happen before it fails. Generous: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The time, in milliseconds.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Waits until something is so.
pub fn until(what: &str, so: impl FnMut() -> bool) {
    within(PATIENCE, what, so);
}

/// Waits until something is so, for so long at most.
pub fn within(patience: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !so() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
