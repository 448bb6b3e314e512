//! Run: the tasks over the log, in real time, until told to stop.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_engine::ledger::Ledger;
use millrace_engine::logic::Logic;

use crate::error::Error;
use crate::inbox::Inbox;
use crate::worker::Worker;

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Longest time between commits. An idle input commits early.
    pub commit_interval: Duration,
    /// Whether to stop once all input is processed, instead of waiting for more.
    pub until_idle: bool,
    /// Folder in which other processes leave records for the log.
    pub inbox: PathBuf,
}

/// What a run tells after each commit, and each second without one.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// What became of the records of this transaction, if there was one.
    pub committed: Option<&'a Ledger>,
    /// What became of all records since the worker was opened.
    pub total: &'a Ledger,
    /// Records in the log that are still to be processed.
    pub lag: u64,
}

/// How long nothing is told while nothing is committed.
const SILENCE: Duration = Duration::from_secs(1);

/// How long an idle run waits before it looks for new records.
const IDLE_WAIT: Duration = Duration::from_millis(5);

/// Runs until `stop` is set, or until there is nothing to do if that is wanted; commits before it returns.
///
/// # Errors
/// A task can't go on, or the log or state can't be read or written. What was committed before stays.
pub fn run(
    worker: &mut Worker,
    logic: &mut dyn Logic,
    options: &RunOptions,
    stop: &AtomicBool,
    mut tell: impl FnMut(&Progress<'_>),
) -> Result<(), Error> {
    let inbox = Inbox::open(&options.inbox)?;
    worker.learn(wall_clock())?;
    let (mut last_commit, mut told) = (Instant::now(), Instant::now());
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        let now = wall_clock();
        worker.fill(now)?;
        let busy = !stopping && step(worker, logic, now)?;
        let due = last_commit.elapsed() >= options.commit_interval || worker.is_full();
        if worker.is_dirty() && (due || !busy || worker.has_news()) {
            flush(worker, logic, now)?;
            let ledger = worker.commit()?;
            tell(&Progress { committed: Some(&ledger), total: worker.ledger(), lag: worker.lag() });
            (last_commit, told) = (Instant::now(), Instant::now());
            worker.learn(now)?;
            continue;
        }
        if stopping {
            return Ok(());
        }
        if told.elapsed() >= SILENCE {
            tell(&Progress { committed: None, total: worker.ledger(), lag: worker.lag() });
            told = Instant::now();
        }
        if worker.learn(now)? {
            continue;
        }
        if !busy && !inbox.take_into(worker, now)? && !wait_for_more(options.until_idle) {
            return Ok(());
        }
    }
}

/// Fires the timers that are due, and runs the tasks. Whether there was anything to do.
fn step(worker: &mut Worker, logic: &mut dyn Logic, now: i64) -> Result<bool, Error> {
    let mut outputs = Vec::new();
    let any = worker.next_tick().is_some_and(|next| next <= now);
    worker.tick(logic, now, 0, |_, produced| outputs.push(produced))?;
    outputs.into_iter().try_for_each(|record| worker.append_produced(record))?;
    Ok(worker.run(logic)? || any)
}

/// Puts out what waits for the commit, as far as that can't wait for another one. What reads it does so in the same
/// transaction where there is room, so that results which wait in their turn come with this commit.
fn flush(worker: &mut Worker, logic: &mut dyn Logic, now: i64) -> Result<(), Error> {
    loop {
        let mut any = false;
        for task in 0..worker.tasks() {
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

/// Milliseconds since the epoch. Only a driver has a clock; the engine is told.
pub fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The inbox of the database in this folder.
pub fn inbox_of(data: &Path) -> PathBuf {
    data.join("inbox")
}
