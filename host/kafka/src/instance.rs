//! An instance: a process that runs its share of an app's tasks.
//!
//! Uses all other rooms but [`commands`](crate::commands).

mod announce;
mod followers;
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

use millrace_engine::deployment::{Author, Candidate, PluginLoader};
use millrace_engine::ledger::Ledger;
use millrace_engine::shadow::ShadowReports;
use millrace_engine::topology::Topology;

use crate::error::Error;
use crate::worker::{Lag, WorkerOptions};
pub use lifecycle::State;
pub use pool::Guests;
use running::Instance;
use start::Prepared;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bootstrap servers of the cluster.
    pub bootstrap: String,
    /// Folder of the instance.
    pub data: PathBuf,
    /// Options of its workers.
    pub worker: WorkerOptions,
    /// Whether to stop when no process of the app has anything left to do, and no record has come for a second.
    pub until_idle: bool,
}

/// The app of an instance.
pub struct App {
    /// Its pipeline, with the plugins of its files.
    pub topology: Arc<Topology>,
    /// The plugins of its files, in the order of the topology.
    pub candidates: Vec<Candidate>,
    /// Loads other versions of plugins.
    pub loader: Arc<dyn PluginLoader>,
    /// Makes the guest calls of a worker.
    pub guests: Arc<Guests>,
    /// The user that starts it.
    pub author: Author,
    /// Name of the host, for people.
    pub host: String,
    /// The reports of the shadows that the guest calls have.
    pub shadows: Arc<ShadowReports>,
}

/// A report of a running instance.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report<'a> {
    /// Its state has changed.
    State(State),
    /// It has begun to restore so many more changelog records.
    Restoring(u64),
    /// It has restored so many.
    Restored(u64),
    /// It has committed: the outcomes of the records, and how long the commit took.
    Committed(&'a Ledger, Duration),
    /// Its lag, about once a second.
    Lag(Lag),
    /// A worker has ended because nothing is left to do, and so many windows are open that are to have a final result.
    OpenWindows(u64),
    /// A transaction failed, and goes on from what is committed.
    Recovering(&'a str),
}

/// Runs an instance until `stop` is set; then commits, and leaves the group. It waits for brokers that are away, and
/// for external topics that are missing.
///
/// # Errors
/// It can't start, or can't go on. What was committed stays.
pub fn run(app: &App, options: &Options, stop: &AtomicBool, report: &mut dyn FnMut(Report<'_>)) -> Result<(), Error> {
    let Some(Prepared { shared, globals, deployments }) = start::prepare(app, options, stop)? else {
        report(Report::State(State::Stopped));
        return Ok(());
    };
    announce::instance(&shared);
    let shared = Arc::new(shared);
    let (guests, until_idle) = (Arc::clone(&app.guests), options.until_idle);
    let mut instance = Instance::join(Arc::clone(&shared), guests, until_idle, report)?;
    let loader = Arc::clone(&app.loader);
    let followed = instance.follow(globals, deployments, loader);
    let result = followed.and_then(|()| instance.run(stop));
    let result = instance.drain(result);
    instance.transition(if result.is_ok() { State::Stopped } else { State::Failed });
    result
}
