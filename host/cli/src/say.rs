//! Messages of a command beside its results.

use std::fmt::Display;
use std::io::{self, Write};

use jiff::Timestamp;

/// Prints a line on standard error, or nothing if it is closed. `eprintln!` would panic then, and a script that sees
/// the command fail after its records were written would write them again.
pub fn say(text: impl Display) {
    _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints the beginning of a line on standard error, such as a question.
pub(crate) fn ask(text: impl Display) {
    _ = write!(io::stderr().lock(), "{text}");
}

/// Prints a line about what the command does on standard output, or nothing if it is closed.
pub(crate) fn note(text: impl Display) {
    _ = writeln!(io::stdout().lock(), "{text}");
}

/// A time for people, to the second, from milliseconds since the epoch.
pub(crate) fn time_of(milliseconds: i64) -> String {
    let time = Timestamp::from_millisecond(milliseconds);
    time.map_or_else(|_| milliseconds.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
