//! `millrace run --kafka`: runs an instance, and logs its reports.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Result;
use millrace_engine::ledger::{CounterKind, Ledger};
use millrace_kafka::{Options, Report, State, WorkerOptions};

use super::losses::Losses;
use super::pace::Pace;
use super::summary::{self, Commits};
use crate::data;
use crate::load::Loaded;
use crate::progress::Bar;

/// Runs until `stop` is set.
pub(super) fn run(loaded: &Loaded, bootstrap: &str, data: PathBuf, until_idle: bool, stop: &AtomicBool) -> Result<()> {
    data::check_ours(&data)?;
    let app = loaded.topology.app.clone();
    tracing::info!(app, data = %data.display(), kafka = bootstrap, "starting");
    let options = Options { bootstrap: bootstrap.into(), data, worker: WorkerOptions::default(), until_idle };
    let mut log = InstanceLog::new()?;
    let result = millrace_kafka::run(&loaded.on_kafka(), &options, stop, &mut |report| log.take(&report));
    log.finish(&app);
    Ok(result?)
}

/// What the instance has reported so far.
struct InstanceLog {
    ledger: Ledger,
    commits: Commits,
    losses: Losses,
    pace: Pace,
    open_windows: u64,
    restore: RestoreProgress,
}

/// The progress of a restore.
#[derive(Default)]
struct RestoreProgress {
    bar: Option<Bar>,
    began: Option<Instant>,
    records: u64,
    left: u64,
    took: Duration,
}

impl InstanceLog {
    fn new() -> Result<Self> {
        let (ledger, commits) = (Ledger::default(), Commits::new()?);
        let (losses, pace) = (Losses::new(Instant::now()), Pace::new(Instant::now())?);
        Ok(Self { ledger, commits, losses, pace, open_windows: 0, restore: RestoreProgress::default() })
    }

    fn take(&mut self, report: &Report<'_>) {
        match report {
            Report::Restoring(records) => self.restore.begin(*records),
            Report::Restored(records) => self.restore.advance(*records),
            Report::State(State::Running) => {
                self.restore.end();
                tracing::info!("running");
            }
            Report::State(State::Degraded) => self.restore.end(),
            Report::Committed(ledger, took) => {
                super::log_lines(ledger);
                self.ledger.add(ledger);
                self.losses.log(&self.ledger, Instant::now());
                self.commits.add(*took);
                self.pace.committed(*took);
            }
            Report::Lag(lag) => {
                self.losses.log(&self.ledger, Instant::now());
                self.pace.log(&self.ledger, *lag, Instant::now());
            }
            Report::OpenWindows(windows) => self.open_windows += windows,
            _ => {}
        }
    }

    fn finish(&mut self, app: &str) {
        self.restore.end();
        summary::log_open_windows(self.open_windows);
        summary::log_counts(&self.ledger);
        tracing::info!(
            app,
            consumed = self.ledger.consumed,
            produced = self.ledger.produced,
            dropped = self.ledger.total(CounterKind::Dropped),
            skipped = self.ledger.total(CounterKind::Skipped),
            dead_lettered = self.ledger.total(CounterKind::DeadLettered),
            commits = self.commits.count(),
            commit_p50_ms = self.commits.quantile(0.5),
            commit_p99_ms = self.commits.quantile(0.99),
            restored = self.restore.records,
            restore_ms = self.restore.took.as_millis() as u64,
            "stopped"
        );
    }
}

impl RestoreProgress {
    fn begin(&mut self, records: u64) {
        tracing::info!(records, "restoring");
        self.began.get_or_insert_with(Instant::now);
        self.left += records;
        self.bar.get_or_insert_with(|| Bar::new("restoring", records));
    }

    fn advance(&mut self, records: u64) {
        self.records += records;
        self.left = self.left.saturating_sub(records);
        if let Some(bar) = &self.bar {
            bar.advance(records, self.left);
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
        if let Some(began) = self.began.take() {
            self.took += began.elapsed();
            self.left = 0;
            tracing::info!(records = self.records, ms = self.took.as_millis() as u64, "restored");
        }
    }
}
