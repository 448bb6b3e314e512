//! What pipelines cost on Kafka, beside Kafka Streams: `just bench-kafka`.
//!
//! Starts a broker, and measures both systems one after the other, in processes of their own, for each pipeline and
//! number of threads: how long a result takes at a steady rate, what a backlog costs, and how fast lost state is
//! restored. Prints tables in Markdown on standard output, and its progress on standard error.

mod backlog;
mod failure;
mod figures;
mod goal;
mod latency;
mod latency_table;
mod options;
mod pipeline;
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
use crate::pipeline::{Compared, Pipeline};
use crate::results::Results;
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
    let measured = options.wants(Part::Latency) || options.compared().next().is_some();
    let mut runs: Vec<Figures> = options.runs().map(Figures::new).filter(|_| measured).collect();
    if runs.is_empty() {
        return Err(Failure::Nothing);
    }
    let setup = Setup::start(options)?;
    setup.warm_up()?;
    if setup.options.wants(Part::Latency) {
        for figures in &mut runs {
            figures.latency = Some(latency::measure(&setup, figures.run)?);
        }
    }
    let mut sections = Vec::new();
    for (pipeline, compared) in setup.options.compared() {
        let results = backlogs(&setup, pipeline, compared, &mut runs)?;
        sections.push(format!("{}\n{results}\n", table::tables(&setup.options, pipeline, compared, &runs)));
    }
    println!("{conditions}\n");
    sections.extend(latency_table::tables(&setup.options, &runs));
    println!("{}", sections.join("\n"));
    Ok(())
}

/// All runs of a pipeline over the same input.
fn backlogs(setup: &Setup, pipeline: Pipeline, compared: Compared, runs: &mut [Figures]) -> Result<Results, Failure> {
    let backlog = Backlog::load(setup, pipeline)?;
    let mut results = Results::new(compared, setup.options.records());
    for figures in runs.iter_mut().filter(|figures| figures.run.pipeline == pipeline) {
        let run = figures.run;
        let state = setup.folder.path().join("state");
        let spent = backlog.work_off(run, &state)?;
        if setup.options.wants(Part::Throughput) {
            figures.spent = Some(spent);
        }
        results.read(setup, run)?;
        if setup.options.wants(Part::Restore) {
            figures.restored = Some(backlog.restore(run, &state)?);
        }
        setup::remove(&state)?;
    }
    Ok(results)
}

/// Prints the next measurement, and the load of the machine: other processes change every figure.
fn tell(what: &str) {
    eprintln!("bench-kafka: {what} (load {})", usage::load());
}
