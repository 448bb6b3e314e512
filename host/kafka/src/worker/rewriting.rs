//! Rewriting entries of older state versions: a part in each round of the worker.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use millrace_engine::deployment::{RewriteCounts, RewritePace};
use millrace_engine::task::{RewriteStep, Walk};

use super::Worker;
use super::active_task::ActiveTask;
use super::commit::CommitScope;
use crate::clock::wall_clock;
use crate::control::WorkerRewrites;
use crate::error::Reaction;
use crate::tasks::TaskId;

/// How long the rewriting of a round may take: records and commands wait meanwhile.
const ROUND_TIME: Duration = Duration::from_millis(20);

/// Most entries of a part.
const MOST_IN_PART: usize = 500;

/// How often a worker notes how far it is.
const NOTE_INTERVAL: Duration = Duration::from_millis(100);

/// The rewriting of a worker.
#[derive(Default)]
pub(super) struct Rewriting {
    pace: RewritePace,
    noted: Option<Instant>,
    /// The walk of each task at its last commit: a task that is opened anew after a failure goes on from there.
    walks: HashMap<TaskId, Walk>,
}

impl Rewriting {
    /// The worker may get other tasks. A process with an older version may have one meanwhile.
    pub(super) fn forget_walks(&mut self) {
        self.walks.clear();
    }
}

impl Worker {
    /// Rewrites as many entries as the rate allows. A task that gets to the end of its stores commits that, be it that
    /// it has rewritten nothing: the offsets note its generation.
    pub(super) fn rewrite_state(&mut self) -> Result<(), Reaction> {
        if self.plugins.rewriting().next().is_none() {
            return Ok(());
        }
        self.note_rewrites();
        let workers = self.shared.rewrites.open_workers();
        let mut left = self.rewriting.pace.allowed(&self.plugins, workers, wall_clock());
        let began = Instant::now();
        for number in 0..self.tasks.len() {
            while left > 0
                && began.elapsed() < ROUND_TIME
                && self.tasks.get(number).is_some_and(|active| self.may_rewrite(active))
                && !self.is_transaction_full()
                && self.transactions.producer.is_some()
            {
                let cost = self.rewrite_task(number, left.min(MOST_IN_PART))?;
                self.rewriting.pace.spent(cost);
                left = left.saturating_sub(cost.max(1));
            }
        }
        Ok(())
    }

    /// Whether a task may rewrite entries now.
    fn may_rewrite(&self, active: &ActiveTask) -> bool {
        let is_ready = active.version == self.version && !active.task.is_unfinished() && !active.task.has_rewritten();
        is_ready && !self.isolated.is_waiting(active.id)
    }

    fn rewrite_task(&mut self, number: usize, limit: usize) -> Result<usize, Reaction> {
        if !self.is_on_trial(number) {
            return self.rewrite_together(number, limit);
        }
        // A task that perhaps can't write has its transactions to itself.
        self.commit(CommitScope::All)?;
        let cost = self.rewrite_together(number, limit)?;
        self.commit(CommitScope::All)?;
        Ok(cost)
    }

    fn rewrite_together(&mut self, number: usize, limit: usize) -> Result<usize, Reaction> {
        let step = self.rewrite_part(number, limit, Some(ROUND_TIME))?;
        if !step.is_stuck {
            return Ok(step.cost);
        }
        // A value that takes long has no open transaction beside it, which the broker would end.
        self.commit(CommitScope::All)?;
        if self.transactions.producer.is_none() {
            return Ok(step.cost);
        }
        Ok(step.cost + self.rewrite_part(number, 1, None)?.cost)
    }

    fn rewrite_part(&mut self, number: usize, limit: usize, time: Option<Duration>) -> Result<RewriteStep, Reaction> {
        let began = Instant::now();
        let Some(active) = self.tasks.get_mut(number) else { return Ok(RewriteStep::default()) };
        self.logic.limit_time(time);
        let step = active.task.rewrite(self.logic.as_mut(), limit).map_err(|error| active.reaction(error))?;
        if step.rewritten > 0 || active.task.has_rewritten() {
            active.dirty = true;
            self.transactions.begun.get_or_insert(began);
        }
        Ok(step)
    }

    /// A task that was opened anew goes on with its walk.
    pub(super) fn resume_walk(&self, active: &mut ActiveTask) {
        if let Some(walk) = self.rewriting.walks.get(&active.id) {
            active.task.resume_walk(walk.clone());
        }
    }

    /// Notes which tasks are done, for the thread that follows the deployments.
    fn note_rewrites(&mut self) {
        if self.rewriting.noted.is_some_and(|at| at.elapsed() < NOTE_INTERVAL) {
            return;
        }
        self.rewriting.noted = Some(Instant::now());
        // A task with the versions before has a walk of before.
        let own = || self.tasks.iter().filter(|active| active.version == self.version);
        let committed = || own().filter(|active| !active.dirty);
        let done = committed().filter(|active| active.task.has_rewritten()).map(|active| active.id).collect();
        let counts = RewriteCounts::sums(own().flat_map(|active| active.task.rewrite_counts()));
        let is_open = own().any(|active| !active.task.has_rewritten());
        let walks: Vec<_> = committed().map(|active| (active.id, active.task.walk().clone())).collect();
        self.rewriting.walks.extend(walks);
        self.shared.rewrites.note(self.number, WorkerRewrites { version: self.version, is_open, done, counts });
    }
}
