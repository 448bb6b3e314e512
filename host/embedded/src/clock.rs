//! The driver's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch. Only a driver reads a clock; the engine gets time as an argument.
pub fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
