//! `millrace run`: runs a pipeline until it is told to stop.

mod kafka;
mod losses;
mod pace;
mod signals;
mod summary;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Result;
use millrace_embedded::run::{self, Progress, RunOptions};
use millrace_engine::ledger::{CounterKind, Ledger};

use crate::args;
use crate::data;
use crate::load::{Loaded, load};
use crate::progress::Bar;
use losses::Losses;
pub(super) use summary::log_lines;

/// Runs a pipeline, on Kafka or on the embedded driver.
///
/// # Errors
/// The pipeline, the data folder or the cluster is wrong, or the app had to stop.
pub fn run(arguments: &args::Run) -> Result<()> {
    // First of all: compiling a plugin takes seconds, in which a signal may come.
    let stop = signals::stop_on_signal()?;
    let loaded = load(&arguments.pipeline)?;
    let data = arguments.data.clone().unwrap_or_else(|| data::default_of(&loaded.topology.app));
    match &arguments.kafka {
        Some(bootstrap) => kafka::run(&loaded, bootstrap, data, arguments.until_idle, &stop),
        None => run_embedded(arguments, &loaded, data, &stop),
    }
}

fn run_embedded(arguments: &args::Run, loaded: &Loaded, data: PathBuf, stop: &AtomicBool) -> Result<()> {
    let app = &loaded.topology.app;
    // No warning for a file that sets it: the same file may run on Kafka.
    if arguments.pipeline.sets("threads") {
        tracing::warn!("`--set threads` has no effect without --kafka: the embedded driver has one thread");
    }
    let (mut worker, deployer) = data::open_to_run(loaded, &data)?;
    let mut guests = loaded.guests();
    let options = RunOptions {
        commit_interval: loaded.topology.settings.commit_interval,
        until_idle: arguments.until_idle,
        inbox: run::inbox_of(&data),
        deployer: Some(deployer),
    };
    tracing::info!(app, data = %data.display(), lag = worker.lag(), "running");
    let bar = Bar::new("processing", worker.lag());
    let mut losses = Losses::new(Instant::now());
    run::run(&mut worker, &mut guests, options, stop, |progress| {
        show(&bar, progress);
        losses.log(progress.total, Instant::now());
    })?;
    bar.finish();
    if arguments.until_idle {
        summary::log_open_windows(worker.open_windows()?);
    }
    report(app, worker.ledger());
    Ok(())
}

fn show(bar: &Bar, progress: &Progress<'_>) {
    let Some(ledger) = progress.committed else { return };
    bar.advance(ledger.consumed, progress.lag);
    log_lines(ledger);
}

fn report(app: &str, ledger: &Ledger) {
    summary::log_counts(ledger);
    tracing::info!(
        app,
        consumed = ledger.consumed,
        produced = ledger.produced,
        dropped = ledger.total(CounterKind::Dropped),
        skipped = ledger.total(CounterKind::Skipped),
        dead_lettered = ledger.total(CounterKind::DeadLettered),
        "stopped"
    );
}
