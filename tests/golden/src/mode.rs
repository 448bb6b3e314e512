//! The ways in which a case is run. None may show in what comes out.

use std::fmt;

/// How a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Up to so many records at a time, and a commit at the end.
    Batch(usize),
    /// Two records at a time, and windows in the database only.
    WithoutMemory,
    /// A commit after each record.
    Commit,
    /// A commit after each record, and then tasks, guests and log are opened anew. Every so many records the database is
    /// closed before that, and opened too: it is most of what a restart costs.
    Restart {
        /// How many.
        close_every: usize,
    },
}

impl Mode {
    /// All there are, with a database that is closed every so many records.
    pub fn all(close_every: usize) -> Vec<Self> {
        vec![
            Self::Batch(1),
            Self::Batch(2),
            Self::Batch(7),
            Self::Batch(100),
            Self::WithoutMemory,
            Self::Commit,
            Self::Restart { close_every },
        ]
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(1) => write!(out, "one record at a time"),
            Self::Batch(records) => write!(out, "batches of {records}"),
            Self::WithoutMemory => write!(out, "batches of 2, windows in the database only"),
            Self::Commit => write!(out, "a commit after each record"),
            Self::Restart { .. } => write!(out, "a restart after each record"),
        }
    }
}
