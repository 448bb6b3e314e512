//! The ends of processes.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// Number of the last log lines that are printed.
const LINES: usize = 3;

/// The exit status of a process, and its log.
pub struct Ended {
    pub status: ExitStatus,
    pub log: String,
}

/// The end of a process that was to die at a point.
#[derive(Debug, PartialEq, Eq)]
pub enum AtPoint {
    Reached,
    /// It lived on until it was killed.
    NotReached,
    /// It ended by itself, in another way.
    Otherwise,
}

impl Ended {
    /// Whether this signal has ended it.
    pub fn is_by(&self, signal: Signal) -> bool {
        self.status.signal() == Some(signal as i32)
    }

    /// `host/kafka/src/faults.rs` aborts a process at its point without a message. A failed assertion of a library or a
    /// panic within a panic also aborts it, but leaves a line that is no log entry.
    pub fn at_point(&self) -> AtPoint {
        let is_entry = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        if self.is_by(Signal::SIGKILL) {
            AtPoint::NotReached
        } else if self.is_by(Signal::SIGABRT) && self.log.lines().all(is_entry) {
            AtPoint::Reached
        } else {
            AtPoint::Otherwise
        }
    }

    /// The end as text, with the last log lines.
    pub fn text(&self) -> String {
        let lines: Vec<_> = self.log.lines().collect();
        format!("{}: {:#?}", self.status, &lines[lines.len().saturating_sub(LINES)..])
    }
}
