//! Rewriting entries of older state versions while an app runs: a part between any two runs of its tasks. When all tasks
//! are done and have committed it, the app notes that the older versions are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use millrace_engine::deployment::{Act, RewriteCounts, RewritePace};
use millrace_engine::logic::Logic;
use millrace_store::{Batch, Durability};

use super::running::Deployer;
use super::{holds_any, noted_contents};
use crate::error::Error;
use crate::log::Log;
use crate::worker::Worker;

/// How often it is written down how far it is.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Key of how far it is, by plugin.
const REWRITES: &[u8] = b"rewrites";

/// The rewriting of a run.
#[derive(Default)]
pub(crate) struct Rewriting {
    pace: RewritePace,
    reported: Option<Instant>,
}

impl Rewriting {
    /// Rewrites as many entries as the rate allows.
    ///
    /// # Errors
    /// A task can't go on.
    pub(crate) fn step(&mut self, worker: &mut Worker, logic: &mut dyn Logic, now: i64) -> Result<(), Error> {
        let allowed = self.pace.allowed(worker.plugins(), 1, now);
        if allowed > 0 {
            self.pace.spent(worker.rewrite(logic, allowed)?);
        }
        Ok(())
    }

    /// Whether tasks have entries to rewrite, or the app hasn't noted yet that they have none.
    pub(crate) fn is_under_way(&self, worker: &Worker) -> bool {
        worker.plugins().rewriting().next().is_some()
    }

    /// Has the deployer note that a plugin's older state versions are gone, once all tasks are done.
    ///
    /// # Errors
    /// The deployments can't be read, or a report can't be written.
    pub(crate) fn act(&mut self, worker: &Worker, deployer: &mut Deployer) -> Result<(), Error> {
        if !self.is_under_way(worker) || deployer.is_busy() {
            return Ok(());
        }
        let counts = worker.rewrite_counts();
        if self.reported.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL) {
            self.reported = Some(Instant::now());
            report(worker.log(), &counts)?;
        }
        // Until the commit, the last entries may still be dropped.
        if !worker.has_rewritten() || worker.is_dirty() {
            return Ok(());
        }
        let plugins = worker.plugins();
        for plugin in plugins.rewriting() {
            let Some(active) = deployer.deployments(worker.log())?.active(plugin).map(|it| it.generation) else {
                continue;
            };
            let stores = plugins.rewritten_stores(plugin).unwrap_or_default();
            let present = worker.topology().stores.iter().map(|store| store.name.clone()).collect();
            let stores: BTreeSet<_> = stores.into_iter().map(|(_, _, name)| name).collect();
            let mut counts = counts.get(plugin).cloned().unwrap_or_default();
            let known = noted_contents(worker.log())?;
            counts.keep_versions(&stores, &present, &known, &mut |name| holds_any(worker.log(), name))?;
            let act = Act::Rewritten { plugin: plugin.to_owned(), generation: active, stores, counts };
            if deployer.change(worker.log(), act, String::new())? {
                break;
            }
        }
        Ok(())
    }
}

fn report(log: &Log, counts: &BTreeMap<String, RewriteCounts>) -> Result<(), Error> {
    let mut batch = Batch::new(log.database());
    log.put_control(&mut batch, REWRITES, &serde_json::to_vec(counts).unwrap_or_default())?;
    Ok(log.database().write(batch, Durability::Buffered)?)
}

/// How far the rewriting of each plugin's state is, as the app has last written it down.
///
/// # Errors
/// It can't be read.
pub fn rewrite_counts(log: &Log) -> Result<BTreeMap<String, RewriteCounts>, Error> {
    Ok(log.control(REWRITES)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}
