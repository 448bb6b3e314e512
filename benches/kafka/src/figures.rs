//! What is measured of a system with a number of threads.

use std::time::Duration;

use crate::system::Run;

/// All of it, as far as it has been measured.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Of what.
    pub(crate) run: Run,
    /// At a steady rate.
    pub(crate) latency: Option<Latencies>,
    /// Over a backlog.
    pub(crate) spent: Option<Spent>,
    /// From nothing but the topics.
    pub(crate) restored: Option<Restored>,
}

impl Figures {
    /// Nothing is measured yet.
    pub(crate) fn new(run: Run) -> Self {
        Self { run, latency: None, spent: None, restored: None }
    }
}

/// How long results take at a rate.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    /// Orders or records a second that really were sent.
    pub(crate) rate: f64,
    /// The topics of results.
    pub(crate) topics: Vec<Latency>,
}

/// Milliseconds from an input to a committed result being read.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    /// The topic of the results.
    pub(crate) topic: String,
    /// How many there were.
    pub(crate) results: f64,
    /// Half of the results took no longer.
    pub(crate) p50: f64,
    /// 95 of 100 took no longer.
    pub(crate) p95: f64,
    /// 99 of 100 took no longer.
    pub(crate) p99: f64,
    /// None took longer.
    pub(crate) max: f64,
}

/// What a backlog took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Input records.
    pub(crate) records: u64,
    /// From the start of the process until all input was committed, and all results that the pipeline reads again.
    pub(crate) wall: Duration,
    /// CPU of the process in that time.
    pub(crate) cpu: Duration,
    /// CPU of the broker in that time.
    pub(crate) broker_cpu: Duration,
    /// Bytes.
    pub(crate) peak_memory: u64,
    /// The second half of the input, without start-up.
    pub(crate) second_half: Option<Half>,
    /// Transactions.
    pub(crate) commits: Option<f64>,
    /// Milliseconds that half of the commits took at most.
    pub(crate) commit_p50: Option<f64>,
    /// Milliseconds that 99 of 100 commits took at most.
    pub(crate) commit_p99: Option<f64>,
}

/// A part of a backlog.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half {
    /// Input records.
    pub(crate) records: u64,
    /// How long it took.
    pub(crate) wall: Duration,
    /// CPU of the process in that time.
    pub(crate) cpu: Duration,
}

/// How state came back that was lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restored {
    /// Changelog records, as the system counts them.
    pub(crate) records: Option<f64>,
    /// Milliseconds for them, as the system counts them.
    pub(crate) millis: Option<f64>,
    /// From the start of the process until it said that it runs.
    pub(crate) until_running: Duration,
}
