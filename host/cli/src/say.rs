//! What a command says beside its results, on standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// A line on standard error. Whoever read it may have gone, which changes nothing of what the command has done: with
/// `eprintln!` it would end in a panic, and a script that has written its records would write them again.
pub fn say(text: impl Display) {
    _ = writeln!(io::stderr().lock(), "{text}");
}

/// The beginning of a line, such as a question.
pub(crate) fn ask(text: impl Display) {
    _ = write!(io::stderr().lock(), "{text}");
}

/// A line on standard output that only tells what is done beside it.
pub(crate) fn note(text: impl Display) {
    _ = writeln!(io::stdout().lock(), "{text}");
}
