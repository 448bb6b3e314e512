//! What workers tell the instance.

use std::time::Duration;

use millrace_engine::ledger::Ledger;
use millrace_engine::topology::TopicId;

use super::Lag;

/// What a worker tells the instance.
#[derive(Debug)]
pub(crate) enum Event {
    /// It has begun to restore state: so many changelog records.
    Restoring { worker: usize, records: u64 },
    /// It has restored some.
    Restored { records: u64 },
    /// All its tasks are open.
    Running { worker: usize },
    /// It has committed.
    Committed(Box<Commit>),
    /// Nothing is left to do: all inputs are read up to these ends, and committed.
    Idle { worker: usize, idle: bool },
    /// How far it is behind.
    Lag { worker: usize, lag: Lag },
    /// It has ended, and left so many windows open that are to have a final result.
    OpenWindows(u64),
    /// The instance can't run a task that it was assigned: it has to leave it to others.
    Held { reason: String },
    /// Something failed, and it goes on from what is committed.
    Recovering { worker: usize, reason: String },
}

/// A commit.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) ledger: Ledger,
    /// How long it took from the last record to the acknowledgement and the write of the state.
    pub(crate) took: Duration,
    /// Acknowledged offsets of repartition topics: what is before may be deleted.
    pub(crate) purgeable: Vec<(TopicId, u32, i64)>,
}
