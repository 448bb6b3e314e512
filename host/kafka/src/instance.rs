//! An instance: a process that runs its share of an app's tasks.
//!
//! Uses all other rooms but [`commands`](crate::commands).

mod announce;
mod idle;
mod lifecycle;
mod pool;
mod purge;
mod running;
mod start;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use millrace_engine::deployment::Candidate;
use millrace_engine::ledger::Ledger;
use millrace_engine::topology::Topology;

use crate::error::Error;
use crate::worker::{Lag, WorkerOptions};
pub use lifecycle::State;
pub use pool::Guests;
use running::Instance;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bootstrap servers of the cluster.
    pub bootstrap: String,
    /// Folder of the instance.
    pub data: PathBuf,
    /// What its workers are opened with.
    pub worker: WorkerOptions,
    /// Whether to stop when nothing is left to do, for any process of the app, and nothing has come for a second.
    pub until_idle: bool,
}

/// What an instance tells as it goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report<'a> {
    /// It does something else now.
    State(State),
    /// It has begun to restore so many changelog records, beside what it restores already.
    Restoring(u64),
    /// It has restored so many.
    Restored(u64),
    /// It has committed: what became of the records, and how long it took to commit.
    Committed(&'a Ledger, Duration),
    /// So far it is behind. Told about once a second.
    Lag(Lag),
    /// A worker has ended because nothing is left to do, and so many windows are open that are to have a final result.
    OpenWindows(u64),
    /// A transaction failed, and goes on from what is committed.
    Recovering(&'a str),
}

/// Runs an instance until `stop` is set; then commits, and leaves the group. Brokers that are away are waited for, and so
/// are topics of others that aren't there yet.
///
/// # Errors
/// It can't start, or can't go on. What was committed stays.
pub fn run(
    topology: Arc<Topology>,
    candidates: &[Candidate],
    guests: Arc<Guests>,
    options: &Options,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Report<'_>),
) -> Result<(), Error> {
    let Some((shared, globals)) = start::prepare(topology, candidates, options, stop)? else {
        tell(Report::State(State::Stopped));
        return Ok(());
    };
    announce::instance(&shared);
    let shared = Arc::new(shared);
    let mut instance = Instance::join(Arc::clone(&shared), guests, options.until_idle, tell)?;
    let result = instance.follow(globals).and_then(|()| instance.run(stop));
    let result = instance.drain(result);
    instance.become_(if result.is_ok() { State::Stopped } else { State::Failed });
    result
}
