//! Swapping plugins: between two transactions, all tasks of a worker go on with the versions that are active now.
//!
//! A record that was begun is finished first, so that none is judged by two versions. Each commit notes with the offsets
//! which generations of which plugins have processed the records. A process that gets a task later waits until it has
//! these, so no partition goes back to an older version.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_engine::deployment::ActivePlugins;

use super::active_task::ActiveTask;
use super::commit::CommitScope;
use super::opener::Opened;
use super::{IDLE_WAIT, Worker};
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

/// Results that wait for a commit may begin a run of their own, whose end may leave others: so often is that tried at a
/// time.
const ATTEMPTS: usize = 4;

impl Worker {
    /// Goes on with the plugins that are active now. A task whose work only the versions before may finish, and that
    /// can't finish it now, follows in a later round; others don't wait for it.
    pub(super) fn swap_plugins(&mut self) -> Result<(), Reaction> {
        let began = Instant::now();
        let (version, plugins) = self.shared.plugins.get();
        if version != self.version {
            faults::hit(Point::SwapBegun);
            (self.version, self.plugins, self.swapping) = (version, plugins, true);
        }
        for _ in 0..ATTEMPTS {
            if !self.finish_older()? || self.swap_ready()? {
                break;
            }
        }
        self.swap_ready()?;
        let version = self.version;
        if self.tasks.iter().chain(&self.awaited.stayed).any(|active| active.version != version) {
            return Ok(());
        }
        self.swapping = false;
        self.logic.adopt(&self.plugins);
        self.shared.plugins.adopt(self.number, version);
        let (worker, tasks) = (self.number, self.tasks.len());
        let ms = began.elapsed().as_secs_f64() * 1_000.0;
        tracing::info!(worker, tasks, ms, "swapped");
        faults::hit(Point::Swapped);
        Ok(())
    }

    /// Whether the input waits, because too many records fail since a deployment. The worker drops its open transaction then,
    /// as the one that has noticed it does. It also waits for a swap: once the input goes on, no worker may go on with the
    /// version that fails.
    pub(super) fn is_held(&mut self) -> Result<bool, Reaction> {
        if !self.shared.trials.is_held() {
            return Ok(self.has_next_plugins());
        }
        if self.tasks.is_any_dirty() {
            return Err(Reaction::Abort("a deployment is about to be turned back".into()));
        }
        std::thread::park_timeout(IDLE_WAIT);
        Ok(true)
    }

    /// Whether other plugins are active than those that its tasks run, or are about to.
    pub(super) fn has_next_plugins(&self) -> bool {
        self.shared.plugins.version() != self.version
    }

    /// Finishes the work of tasks that run older versions, and commits it. False if a command waits, or no task is
    /// assigned.
    fn finish_older(&mut self) -> Result<bool, Reaction> {
        if !self.phase.is_running() {
            return Ok(false);
        }
        let version = self.version;
        for number in 0..self.tasks.len() {
            let is_older = |active: &ActiveTask| active.version != version && active.task.is_unfinished();
            while self.tasks.get(number).is_some_and(is_older) {
                if !self.may_go_on() {
                    return Ok(false);
                }
                // A task that may be at fault waits for its turn.
                if !self.process_records(number)? {
                    break;
                }
                if self.must_commit() {
                    self.commit(CommitScope::All)?;
                }
            }
        }
        if self.tasks.iter().any(|active| active.version != version && active.dirty) {
            self.commit(CommitScope::All)?;
        }
        faults::hit(Point::SwapCommitted);
        Ok(self.phase.is_running())
    }

    /// Swaps the plugins of the tasks that have nothing uncommitted and nothing unfinished. Whether that were all.
    fn swap_ready(&mut self) -> Result<bool, Reaction> {
        let (version, mut all) = (self.version, true);
        for active in self.tasks.iter_mut().chain(&mut self.awaited.stayed) {
            if active.version == version {
                continue;
            }
            if active.dirty || active.task.is_unfinished() {
                all = false;
                continue;
            }
            active.swap(&self.plugins, version)?;
        }
        Ok(all)
    }
}
