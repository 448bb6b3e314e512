//! What can go wrong, by what the caller does about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no cluster, or why it didn't do as it was told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine lacks what Kafka runs with. Nothing is wrong with what was to be tested.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// There can't be such a cluster. Says why.
    #[error("{0}")]
    Options(&'static str),
    /// Maven didn't bring the jars. Holds what it said.
    #[error("Maven can't fetch Kafka from Maven Central (is there a network? a mirror in ~/.m2/settings.xml?):\n{0}")]
    Download(String),
    /// Another process listens where a broker was to listen.
    #[error("port {0} is in use by another process: choose another one")]
    PortTaken(u16),
    /// No free port was found in the range that clusters use.
    #[error("no free port between {from} and {to} on loopback", from = .0.start, to = .0.end)]
    NoPort(std::ops::Range<u16>),
    /// A process of Kafka ended by itself. Holds the end of its log.
    #[error("{what} ended with {status}; its log ends with:\n{log}")]
    Ended {
        /// Which process.
        what: String,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// A process of Kafka didn't do in time what it should have done. Holds the end of its log.
    #[error("{what} within {seconds} s; the log ends with:\n{log}")]
    TooLate {
        /// Who didn't do what.
        what: String,
        /// How long it had, in seconds.
        seconds: u64,
        /// The last lines of its log.
        log: String,
    },
    /// There is no node of this number, or it is in the wrong state: a running one was to be started, or a node that
    /// doesn't run was to be killed, stopped, paused or asked.
    #[error("node {node} {state}")]
    Node {
        /// Number of the node, from 0.
        node: usize,
        /// What is with it.
        state: &'static str,
    },
    /// The broker refused a request.
    #[error("the broker refused to {what}: error {code} of the protocol{message}")]
    Refused {
        /// What was asked of it.
        what: String,
        /// Kafka's number of the error.
        code: i16,
        /// What it said about it, after a colon; or nothing.
        message: String,
    },
    /// A file, process or socket of this machine.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: says what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }
}

/// What has to be on a machine before Kafka runs there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Missing {
    /// No Java.
    #[error("no Java at `{}`; install one (Debian: apt-get install default-jre-headless)", .0.display())]
    Java(PathBuf),
    /// A Java that Kafka doesn't run on.
    #[error("Java {have} at `{}`, but Kafka needs {want} or later", .java.display())]
    JavaTooOld {
        /// Where it is.
        java: PathBuf,
        /// Its major version.
        have: u32,
        /// The lowest that will do.
        want: u32,
    },
    /// No Maven, and the jars aren't here yet.
    #[error("no Maven on the PATH, which is needed once to fetch Kafka; install it (Debian: apt-get install maven)")]
    Maven,
}
