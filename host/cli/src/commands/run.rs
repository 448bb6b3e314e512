//! `millrace run`: until told to stop.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use millrace_embedded::WorkerOptions;
use millrace_embedded::run::{self, Progress, RunOptions};
use millrace_engine::ledger::{Ledger, What};

use crate::args;
use crate::data;
use crate::load::load;
use crate::progress::Bar;

/// Runs a pipeline on the embedded driver.
///
/// # Errors
/// The pipeline or the data folder is wrong, or the app had to stop.
pub fn run(arguments: &args::Run) -> Result<()> {
    if arguments.kafka.is_some() {
        bail!("--kafka isn't supported yet; without it the log is embedded, in the data folder");
    }
    let loaded = load(&arguments.pipeline)?;
    let app = &loaded.topology.app;
    let data = arguments.data.clone().unwrap_or_else(|| PathBuf::from(".millrace").join(app));
    let (mut worker, mut guests) = data::open_worker(&loaded, &data, WorkerOptions::default())?;
    let stop = stop_on_signal()?;
    let options = RunOptions {
        commit_interval: loaded.topology.settings.commit_interval,
        until_idle: arguments.until_idle,
        inbox: run::inbox_of(&data),
    };
    tracing::info!(app, data = %data.display(), lag = worker.lag(), "running");
    let bar = Bar::new("processing", worker.lag());
    let mut warned = BTreeSet::new();
    run::run(&mut worker, &mut guests, &options, &stop, |progress| {
        tell(&bar, progress);
        warn_of_dead_letters(progress.ledger, &mut warned);
    })?;
    bar.finish();
    report(app, worker.ledger());
    Ok(())
}

/// A flag that is set on SIGTERM, SIGHUP or Ctrl-C.
fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let runner = std::thread::current();
    ctrlc::set_handler(move || {
        flag.store(true, Ordering::Relaxed);
        runner.unpark();
    })?;
    Ok(stop)
}

fn tell(bar: &Bar, progress: &Progress<'_>) {
    bar.advance(progress.ledger.consumed, progress.lag);
    for line in &progress.ledger.logs {
        match line.level {
            "error" => tracing::error!(step = line.step, "{}", line.text),
            "warn" => tracing::warn!(step = line.step, "{}", line.text),
            "info" => tracing::info!(step = line.step, "{}", line.text),
            _ => tracing::debug!(step = line.step, "{}", line.text),
        }
    }
}

/// The first time that a step has dead letters with a code; how many there were is in the report at the end.
fn warn_of_dead_letters(ledger: &Ledger, warned: &mut BTreeSet<(String, String)>) {
    for (step, what, code) in ledger.counts.keys() {
        if *what == What::DeadLettered && warned.insert((step.clone(), code.clone())) {
            tracing::warn!(
                step,
                code,
                "records fail: they go to the dead-letter queue, with the reason in their headers"
            );
        }
    }
}

fn report(app: &str, ledger: &Ledger) {
    tracing::info!(
        app,
        consumed = ledger.consumed,
        produced = ledger.produced,
        dropped = ledger.total(What::Dropped),
        skipped = ledger.total(What::Skipped),
        dead_lettered = ledger.total(What::DeadLettered),
        "stopped"
    );
}
