//! Swapping plugins: between two transactions, all tasks of a worker go on with the versions that are active now.
//!
//! A record that was begun is finished first, so that none is judged by two versions. Each commit notes with the offsets
//! which generations of which plugins have processed the records. A process that gets a task later waits until it has
//! these, so no partition goes back to an older version.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_engine::deployment::ActivePlugins;

use super::Worker;
use super::active_task::ActiveTask;
use super::commit::CommitScope;
use super::opener::Opened;
use crate::error::Reaction;
use crate::faults::{self, Point};
use crate::tasks::TaskId;

/// How often it is logged that tasks wait for a deployment.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Tasks that are ready to be opened, and were run by newer versions of their plugins than this process has.
#[derive(Default)]
pub(super) struct EarlyTasks {
    tasks: Vec<Opened>,
    /// Generations of plugins that were found in the state, and not with the offsets.
    found: BTreeMap<TaskId, (String, u32)>,
    /// When the first one came, or was logged last.
    since: Option<Instant>,
}

impl EarlyTasks {
    /// Parts opened tasks, and those that have waited, into those that can go on with these plugins, and the others.
    pub(super) fn sort(&mut self, opened: Vec<Opened>, plugins: &ActivePlugins) -> Vec<Opened> {
        let all = std::mem::take(&mut self.tasks).into_iter().chain(opened);
        let found = &self.found;
        let is_early = |opened: &Opened| {
            let task = opened.task();
            let generations = plugins.generations_of(task.subtopology);
            let is_older = |(plugin, found): &(String, u32)| generations.get(plugin).is_some_and(|it| it < found);
            let by_offsets = match opened {
                Opened::Stayed(_) => false,
                Opened::Restored(_, beginning) => beginning.is_ahead_of(&generations),
            };
            by_offsets || found.get(&task).is_some_and(is_older)
        };
        let (early, ready) = all.partition(is_early);
        self.tasks = early;
        self.log();
        ready
    }

    /// A task waits because its state was written by this generation of a plugin.
    pub(super) fn wait_for(&mut self, opened: Opened, plugin: String, generation: u32) {
        self.found.insert(opened.task(), (plugin, generation));
        self.tasks.push(opened);
    }

    fn log(&mut self) {
        let Some(first) = self.tasks.first() else {
            self.since = None;
            return;
        };
        if self.since.get_or_insert_with(Instant::now).elapsed() > LOG_INTERVAL {
            self.since = Some(Instant::now());
            let (task, tasks) = (first.task(), self.tasks.len());
            tracing::warn!(
                %task,
                tasks,
                "tasks wait until this process has loaded the newer version of a plugin that has processed their records \
                 before"
            );
        }
    }
}

fn in_ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

impl Worker {
    /// Goes on with the plugins that are active now, unless work is left that only the ones before may finish: then the
    /// next round does.
    pub(super) fn swap_plugins(&mut self) -> Result<(), Reaction> {
        let (began, (version, plugins)) = (Instant::now(), self.shared.plugins.get());
        faults::hit(Point::SwapBegun);
        for number in 0..self.tasks.len() {
            while self.tasks.get(number).is_some_and(|active| active.task.is_unfinished()) {
                if !self.may_go_on() || !self.process_records(number)? {
                    return Ok(());
                }
                if self.must_commit() {
                    self.commit(CommitScope::All)?;
                }
            }
        }
        self.commit(CommitScope::All)?;
        let may_swap = |active: &ActiveTask| !active.dirty && !active.task.is_unfinished();
        if !self.tasks.iter().chain(&self.awaited.stayed).all(may_swap) {
            return Ok(());
        }
        let committed = Instant::now();
        faults::hit(Point::SwapCommitted);
        for active in self.tasks.iter_mut().chain(&mut self.awaited.stayed) {
            active.swap(&plugins)?;
        }
        self.logic.retire(&plugins.deployments);
        (self.version, self.plugins) = (version, plugins);
        self.shared.plugins.adopt(self.number, version);
        let (worker, tasks) = (self.number, self.tasks.len());
        let (commit_ms, swap_us) = (in_ms(committed - began), in_ms(committed.elapsed()) * 1_000.0);
        tracing::info!(worker, tasks, commit_ms, swap_us, "swapped");
        faults::hit(Point::Swapped);
        Ok(())
    }
}
