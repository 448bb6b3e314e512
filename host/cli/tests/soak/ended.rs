//! How processes have ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// Last lines of a log that are told.
const LINES: usize = 3;

/// How a process has ended, and its log.
pub struct Ended {
    pub status: ExitStatus,
    pub log: String,
}

/// How a process has ended that was to die at a point.
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

    /// `host/kafka/src/faults.rs` aborts a process at its point without a word. An assertion of a library aborts it too,
    /// and so does a panic within a panic; both leave a line that is no entry of the log.
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

    /// In words, with its last lines.
    pub fn text(&self) -> String {
        let lines: Vec<_> = self.log.lines().collect();
        format!("{}: {:#?}", self.status, &lines[lines.len().saturating_sub(LINES)..])
    }
}
