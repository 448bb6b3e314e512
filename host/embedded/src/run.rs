//! Run: processes the log by the wall clock, until told to stop.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_engine::deployment::FloodGuard;
use millrace_engine::ledger::Ledger;
use millrace_engine::logic::Logic;
use millrace_store::Batch;

pub use crate::clock::wall_clock;
use crate::deploy::{Deployer, Ready, Rewriting, Trials};
use crate::error::Error;
use crate::inbox::Inbox;
use crate::worker::Worker;

/// Options of a run.
pub struct RunOptions {
    /// Longest time between commits. An idle input commits early.
    pub commit_interval: Duration,
    /// Whether to stop once all input is processed, instead of waiting for more.
    pub until_idle: bool,
    /// Folder in which other processes leave records for the log.
    pub inbox: PathBuf,
    /// Takes requests for deployments; none if the run takes none.
    pub deployer: Option<Deployer>,
}

/// What a run reports after each commit, and each second without one.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// The counts of this transaction, if there was one.
    pub committed: Option<&'a Ledger>,
    /// The counts since the worker was opened.
    pub total: &'a Ledger,
    /// Records in the log that are still to be processed.
    pub lag: u64,
}

/// Time between reports while nothing is committed.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How long an idle run waits before it looks for new records.
const IDLE_WAIT: Duration = Duration::from_millis(5);

/// Runs until `stop` is set, or with `until_idle` until all input is processed; commits before it returns.
///
/// # Errors
/// A task can't go on, or the log or state can't be read or written. What was committed before stays.
pub fn run(
    worker: &mut Worker,
    logic: &mut dyn Logic,
    mut options: RunOptions,
    stop: &AtomicBool,
    mut report: impl FnMut(&Progress<'_>),
) -> Result<(), Error> {
    let inbox = Inbox::open(&options.inbox)?;
    worker.update_globals(wall_clock())?;
    let (mut last_commit, mut last_report) = (Instant::now(), Instant::now());
    let (mut trials, mut rewriting) = (trials_of(worker, &options)?, Rewriting::default());
    logic.adopt(worker.plugins());
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        let now = wall_clock();
        if let Some(deployer) = &mut options.deployer {
            trials.act(worker.log(), worker.plugins(), deployer)?;
            rewriting.act(worker, deployer)?;
            if let Some(ready) = deployer.poll(worker.log())? {
                let ledger = swap(worker, logic, (deployer, &trials), &ready)?;
                trials.committed(worker.plugins(), &ledger, &logic.take_times());
                trials.swapped(worker.plugins());
                report(&Progress { committed: Some(&ledger), total: worker.ledger(), lag: worker.lag() });
                (last_commit, last_report) = (Instant::now(), Instant::now());
            }
        }
        worker.fill(now)?;
        let busy = !stopping && !trials.is_held() && step(worker, logic, now)?;
        if busy && trials.is_flooded(worker.plugins(), &worker.open_ledgers()) {
            worker.reopen()?;
            continue;
        }
        if !stopping && !trials.is_held() {
            rewriting.step(worker, logic, now)?;
        }
        let due = last_commit.elapsed() >= options.commit_interval || worker.is_full();
        if worker.is_dirty() && (due || !busy || worker.has_global_updates()) {
            flush(worker, logic, now)?;
            if trials.is_flooded(worker.plugins(), &worker.open_ledgers()) {
                worker.reopen()?;
                continue;
            }
            let ledger = worker.commit()?;
            trials.committed(worker.plugins(), &ledger, &logic.take_times());
            report(&Progress { committed: Some(&ledger), total: worker.ledger(), lag: worker.lag() });
            (last_commit, last_report) = (Instant::now(), Instant::now());
            worker.update_globals(now)?;
            continue;
        }
        if stopping {
            return end(&trials, worker, &options);
        }
        if options.until_idle && trials.is_stuck() {
            return Err(Error::Flooded);
        }
        if last_report.elapsed() >= REPORT_INTERVAL {
            report(&Progress { committed: None, total: worker.ledger(), lag: worker.lag() });
            last_report = Instant::now();
        }
        if worker.update_globals(now)? {
            continue;
        }
        let rewrites = options.deployer.is_some() && rewriting.is_under_way(worker);
        let may_end = options.until_idle && !trials.is_held() && !rewrites;
        if !busy && !inbox.import_next(worker, now)? && !wait_for_more(may_end) {
            return end(&trials, worker, &options);
        }
    }
}

/// Writes the last reports of trials down.
fn end(trials: &Trials, worker: &Worker, options: &RunOptions) -> Result<(), Error> {
    options.deployer.as_ref().map_or(Ok(()), |deployer| trials.report(worker.log(), deployer))
}

fn trials_of(worker: &Worker, options: &RunOptions) -> Result<Trials, Error> {
    let deployer = options.deployer.as_ref();
    let limits = worker.topology().settings.flood_guard.filter(|_| deployer.is_some());
    let deployments = deployer.map(|deployer| deployer.deployments(worker.log())).transpose()?.unwrap_or_default();
    let new = deployer.map_or(u32::MAX, Deployer::new_generation);
    let is_watched = |generation| deployments.is_watched(generation, new, wall_clock());
    Ok(Trials::new(FloodGuard::new(limits, worker.plugins(), &is_watched), worker.plugins()))
}

/// Goes on with other plugins. The commit that ends the work of the ones before writes the deployment down, too.
fn swap(
    worker: &mut Worker,
    logic: &mut dyn Logic,
    (deployer, trials): (&Deployer, &Trials),
    ready: &Ready,
) -> Result<Ledger, Error> {
    flush(worker, logic, wall_clock())?;
    // No record is judged by two versions. The rest of a run may leave results that wait for a commit.
    while ready.plugins.is_some() && worker.finish_runs(logic)? {
        flush(worker, logic, wall_clock())?;
    }
    let mut batch = Batch::new(worker.log().database());
    deployer.put(worker.log(), &mut batch, ready)?;
    let ledger = worker.commit_with(batch)?;
    if let Some(plugins) = &ready.plugins {
        worker.swap(plugins)?;
        // A shadow that ends leaves its report.
        drop(logic.take_times());
        trials.report(worker.log(), deployer)?;
        logic.adopt(plugins);
    }
    deployer.done(worker.log(), ready)?;
    Ok(ledger)
}

/// Fires the timers that are due, and runs the tasks. Returns whether there was anything to do.
fn step(worker: &mut Worker, logic: &mut dyn Logic, now: i64) -> Result<bool, Error> {
    let mut outputs = Vec::new();
    let any = worker.next_tick().is_some_and(|next| next <= now);
    worker.tick(logic, now, 0, |_, produced| outputs.push(produced))?;
    outputs.into_iter().try_for_each(|record| worker.append_produced(record))?;
    Ok(worker.run(logic)? || any)
}

/// Makes the tasks put out the results that must come with this commit. Tasks that read these results process them in
/// the same transaction if there is room, so that their own results come with this commit, too.
fn flush(worker: &mut Worker, logic: &mut dyn Logic, now: i64) -> Result<(), Error> {
    loop {
        let mut any = false;
        for task in 0..worker.task_count() {
            while !worker.may_commit(task)
                && let Some(outputs) = worker.flush_task(task, logic, now, 0)?
            {
                any = true;
                outputs.into_iter().try_for_each(|record| worker.append_produced(record))?;
            }
        }
        if !any {
            return Ok(());
        }
        while worker.run(logic)? {}
    }
}

fn wait_for_more(until_idle: bool) -> bool {
    if !until_idle {
        std::thread::park_timeout(IDLE_WAIT);
    }
    !until_idle
}

/// The inbox of this data folder.
pub fn inbox_of(data: &Path) -> PathBuf {
    data.join("inbox")
}
