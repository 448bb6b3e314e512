//! Rewriting entries of older state versions: a part in each round of the worker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_engine::deployment::{RewriteCounts, RewritePace};

use super::Worker;
use super::active_task::ActiveTask;
use crate::clock::wall_clock;
use crate::control::WorkerRewrites;
use crate::error::Reaction;

/// Most entries that a round rewrites: records wait meanwhile.
const MOST_IN_ROUND: usize = 2_000;

/// How often a worker notes how far it is.
const NOTE_INTERVAL: Duration = Duration::from_millis(100);

/// The rewriting of a worker.
#[derive(Default)]
pub(super) struct Rewriting {
    pace: RewritePace,
    noted: Option<Instant>,
}

impl Worker {
    /// Rewrites as many entries as the rate allows. A task that gets to the end of its stores commits that, be it that
    /// it has rewritten nothing: the offsets note its generation.
    pub(super) fn rewrite_state(&mut self) -> Result<(), Reaction> {
        if self.plugins.rewriting().next().is_none() {
            return Ok(());
        }
        self.note_rewrites();
        let workers = self.shared.topology.settings.threads;
        let mut left = self.rewriting.pace.allowed(&self.plugins, workers, wall_clock()).min(MOST_IN_ROUND);
        for number in 0..self.tasks.len() {
            let may_go_on = |active: &ActiveTask| {
                let is_ready = active.version == self.version && !active.task.is_unfinished();
                is_ready && !active.task.has_rewritten() && !self.isolated.is_waiting(active.id)
            };
            if left == 0 || self.is_transaction_full() {
                break;
            }
            if self.tasks.get(number).is_some_and(may_go_on) && self.transactions.producer.is_some() {
                if !self.acquire_permit() {
                    break;
                }
                let cost = self.rewrite_task(number, left)?;
                self.rewriting.pace.spent(cost);
                left = left.saturating_sub(cost);
            }
        }
        Ok(())
    }

    fn rewrite_task(&mut self, number: usize, limit: usize) -> Result<usize, Reaction> {
        let (began, run_time) = (Instant::now(), self.run_time());
        let Some(active) = self.tasks.get_mut(number) else { return Ok(0) };
        self.logic.limit_time(Some(run_time));
        let step = active.task.rewrite(self.logic.as_mut(), limit).map_err(|error| active.reaction(error))?;
        if step.rewritten > 0 || active.task.has_rewritten() {
            active.dirty = true;
            self.transactions.begun.get_or_insert(began);
        }
        Ok(step.cost)
    }

    /// Whether no open task has entries to rewrite.
    pub(super) fn has_rewritten(&self) -> bool {
        self.tasks.iter().all(|active| active.task.has_rewritten())
    }

    /// Notes which tasks are done, for the thread that follows the deployments.
    fn note_rewrites(&mut self) {
        if self.rewriting.noted.is_some_and(|at| at.elapsed() < NOTE_INTERVAL) {
            return;
        }
        self.rewriting.noted = Some(Instant::now());
        let is_done = |active: &&ActiveTask| active.task.has_rewritten() && !active.dirty;
        let done = self.tasks.iter().filter(is_done).map(|active| active.id).collect();
        let mut counts: BTreeMap<String, RewriteCounts> = BTreeMap::new();
        for (plugin, of) in self.tasks.iter().flat_map(|active| active.task.rewrite_counts()) {
            counts.entry(plugin.clone()).or_default().add(of);
        }
        self.shared.rewrites.note(self.number, WorkerRewrites { version: self.version, done, counts });
    }
}
