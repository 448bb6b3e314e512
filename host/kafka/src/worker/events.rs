//! Events that workers publish to the instance.

use std::time::Duration;

use millrace_engine::ledger::Ledger;
use millrace_engine::topology::TopicId;

use super::Lag;

/// An event of a worker.
#[derive(Debug)]
pub(crate) enum Event {
    /// The worker has begun to restore so many changelog records.
    Restoring { worker: usize, records: u64 },
    /// The worker has restored some.
    Restored { records: u64 },
    /// All tasks of the worker are open.
    Running { worker: usize },
    /// The worker has committed.
    Committed(Box<Commit>),
    /// Whether the worker has nothing left to do: all inputs are processed to their ends, and committed.
    Idle { worker: usize, idle: bool },
    /// The worker's lag.
    Lag { worker: usize, lag: Lag },
    /// The worker has ended, with so many windows open that are to have a final result.
    OpenWindows(u64),
    /// The instance can't run the active versions of its plugins, and has to leave its tasks to other processes.
    Held { reason: String },
    /// It can run them again.
    Released,
    /// A transaction has failed, and the worker goes on from what is committed.
    Recovering { worker: usize, reason: String },
}

/// A commit.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) ledger: Ledger,
    /// How long it took from the last record until the state was written.
    pub(crate) took: Duration,
    /// Committed offsets of repartition topics: records before them may be deleted.
    pub(crate) purgeable: Vec<(TopicId, u32, i64)>,
}
