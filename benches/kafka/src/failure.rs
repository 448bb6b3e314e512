//! Why there is no measurement. All of it ends the program; a reader must be able to tell whose fault it was.

use std::io;

use thiserror::Error;

/// What went wrong.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// No broker.
    #[error("the broker: {0}")]
    Broker(#[from] millrace_broker::Error),
    /// A file or a process of this machine.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// What is to be run isn't there.
    #[error("{0}")]
    NotBuilt(String),
    /// It doesn't run where the repository is.
    #[error("no {0} here: run it in the top folder of a checkout, as `just bench-kafka` does")]
    Elsewhere(&'static str),
    /// The options leave nothing to measure.
    #[error(
        "nothing to measure: Kafka Streams runs orders and fraud, and of the others only Millrace's latency is measured"
    )]
    Nothing,
    /// A process ended by itself.
    #[error("{name} ended with {status}; its log ends with:\n{log}")]
    Ended { name: String, status: String, log: String },
    /// A process lives and gets nowhere.
    #[error("{name} {what} for {seconds} s; its log ends with:\n{log}")]
    Stalled { name: String, what: &'static str, seconds: u64, log: String },
    /// A process answered with something else.
    #[error("{name} didn't say `{field}`, but: {line}")]
    Odd { name: String, field: &'static str, line: String },
    /// Results that are wrong: then it doesn't matter how fast they came.
    #[error("the results of {run} are wrong: {what}")]
    Wrong { run: String, what: String },
}

impl Failure {
    /// For `map_err`: says what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }
}
