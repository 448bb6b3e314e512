//! What orders cost on the embedded driver: `just bench`.
//!
//! Loads pairs of payment and stock decisions into a log, runs the orders pipeline over it in a process of its own with
//! one worker, and prints records/s, CPU of the whole process for each input record, and the peak of its memory; then
//! what a call of the rule costs in the guest and natively.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement stops where something is wrong"
)]

mod load;
mod measure;
mod rule;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;

/// As in the `millrace` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the orders pipeline on the embedded driver.
#[derive(Parser)]
struct Arguments {
    /// Pairs of records to run through the pipeline
    #[arg(long, default_value_t = 1_000_000)]
    pairs: u64,
    /// Partitions of each topic
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// Where the log and the state go for the time of the measurement [default: a temporary folder]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Measure the pipeline in this process, over a log that is loaded already
    #[arg(long, hide = true)]
    measure: bool,
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.measure {
        measure::run(arguments.data.as_deref().expect("--measure comes with --data"));
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let data = arguments.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    eprintln!("loading {} pairs", arguments.pairs);
    load::load(&data, arguments.pairs, arguments.partitions);
    let program = std::env::current_exe().unwrap();
    let status = Command::new(program).arg("--measure").arg("--data").arg(&data).status().unwrap();
    assert!(status.success(), "the measured process failed");
    rule::compare();
}

/// The pipeline that is measured.
fn pipeline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/orders.toml")
}
