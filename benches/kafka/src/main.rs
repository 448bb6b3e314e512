//! What the orders pipeline costs on Kafka, beside Kafka Streams: `just bench-kafka`.
//!
//! Starts a broker, and measures both systems one after the other, in processes of their own, for each number of
//! threads: how long a result takes at a steady rate, what a backlog costs, and how fast lost state is restored. Prints
//! tables in Markdown on standard output, and what it is doing on standard error.

mod backlog;
mod failure;
mod figures;
mod latency;
mod options;
mod process;
mod results;
mod setup;
mod system;
mod table;
mod tools;
mod usage;

use std::process::ExitCode;

use clap::Parser;

use crate::backlog::Backlog;
use crate::failure::Failure;
use crate::figures::Figures;
use crate::options::{Options, Part};
use crate::results::Digests;
use crate::setup::Setup;

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let conditions = table::conditions(&options);
    let setup = Setup::start(options)?;
    setup.warm_up()?;
    let mut runs: Vec<Figures> = setup.runs().map(Figures::new).collect();
    if setup.options.wants(Part::Latency) {
        for figures in &mut runs {
            figures.latency = Some(latency::measure(&setup, figures.run)?);
        }
    }
    let mut agreed = None;
    if setup.options.wants(Part::Throughput) || setup.options.wants(Part::Restore) {
        agreed = Some(backlogs(&setup, &mut runs)?);
    }
    println!("{conditions}");
    table::print(&setup.options, &runs);
    if let Some(digests) = agreed {
        println!("{digests}");
    }
    Ok(())
}

/// All runs over the same input.
fn backlogs(setup: &Setup, runs: &mut [Figures]) -> Result<Digests, Failure> {
    let backlog = Backlog::load(setup)?;
    let mut digests = Digests::new(setup.options.pairs());
    for figures in runs {
        let run = figures.run;
        let state = setup.folder.path().join("state");
        let spent = backlog.work_off(run, &state)?;
        if setup.options.wants(Part::Throughput) {
            figures.spent = Some(spent);
        }
        digests.read(setup, &run.to_string())?;
        if setup.options.wants(Part::Restore) {
            figures.restored = Some(backlog.restore(run, &state)?);
        }
        setup::remove(&state)?;
    }
    Ok(digests)
}

/// Says what is being done.
fn tell(what: &str) {
    eprintln!("bench-kafka: {what}");
}
