//! Benchmarks of the orders pipeline and of each operator on the embedded driver: `just bench`.
//!
//! Loads pairs of payment and stock decisions into a log, runs the orders pipeline over it in a process of its own with
//! one worker, and prints records/s, CPU of the whole process for each input record, and the peak of its memory; then
//! what a call of the rule costs in the guest and natively. Then a row for each of the other pipelines
//! (`pipelines.rs`), rows for a jump of time (`jump.rs`), and one for each operator (`operators.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement stops where something is wrong"
)]

mod jump;
mod load;
mod measure;
mod operators;
mod pipelines;
mod rule;
mod timed;

use std::path::PathBuf;
use std::process::Command;

use clap::Parser;

/// As in the `millrace` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the orders pipeline and each operator on the embedded driver.
#[derive(Parser)]
struct Arguments {
    /// Pairs of records to run through the pipeline
    #[arg(long, default_value_t = 1_000_000)]
    pairs: u64,
    /// Partitions of each topic
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// Folder for the log and the state during the measurement [default: a temporary folder]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Measure only this: `orders` and other pipelines, `trending-jump` (a jump of time over many products' windows),
    /// or operators by the names of their files in benches/operators
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Numbers of input records of each other pipeline, of products before a jump of time, and of records in each input
    /// topic of an operator: several show how the cost grows
    #[arg(long, value_delimiter = ',', default_value = "1000000")]
    records: Vec<u64>,
    /// Measure the pipeline in this process, over a log that is loaded already
    #[arg(long, hide = true)]
    measure: bool,
    /// The pipeline of an operator, for --measure
    #[arg(long, hide = true)]
    operator: Option<PathBuf>,
    /// The pipeline that isn't that of the orders, for --measure
    #[arg(long, hide = true)]
    pipeline: Option<PathBuf>,
    /// When results come out, for --measure of a jump of time
    #[arg(long, hide = true)]
    jump: Option<String>,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.measure {
        let data = arguments.data.as_deref().expect("--measure comes with --data");
        match (&arguments.operator, &arguments.pipeline, &arguments.jump) {
            (Some(pipeline), ..) => operators::run(pipeline, data),
            (None, Some(pipeline), _) => pipelines::run(pipeline, data),
            (None, None, Some(emit)) => jump::run(emit, data),
            (None, None, None) => measure::run(data),
        }
        return;
    }
    if arguments.wants("orders") {
        measure_orders(&arguments);
    }
    measure_pipelines(&arguments);
    measure_jump(&arguments);
    measure_operators(&arguments);
}

fn measure_pipelines(arguments: &Arguments) {
    let pipelines: Vec<_> = pipelines::PIPELINES.into_iter().filter(|(name, _)| arguments.wants(name)).collect();
    if pipelines.is_empty() {
        return;
    }
    println!("\npipelines on the embedded driver, 1 worker, {} partitions\n", arguments.partitions);
    println!(
        "| pipeline | input records | CPU (us a record) | of it in guests | in a call | input records/s | records out | peak RSS (MiB) |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for pipeline in pipelines {
        for records in &arguments.records {
            let place = tempfile::tempdir().unwrap();
            pipelines::measure(pipeline, *records, arguments.partitions, place.path());
        }
    }
}

fn measure_jump(arguments: &Arguments) {
    if !arguments.wants(jump::NAME) {
        return;
    }
    println!(
        "\na view of a product, a day after those of all products: pipeline recommendations, embedded driver, 1 partition\n"
    );
    println!(
        "| trending, emit | products | records out before | records out at the jump | it takes (s) | commits | most records in \
         one commit | longest from commit to commit (ms) | longest call of the rule (ms) | most windows in a call | RSS \
         before (MiB) | its growth at the peak (MiB) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for emit in jump::EMITS {
        for products in &arguments.records {
            let place = tempfile::tempdir().unwrap();
            jump::measure(emit, *products, place.path());
        }
    }
}

fn measure_operators(arguments: &Arguments) {
    let names: Vec<String> = operators::names().into_iter().filter(|name| arguments.wants(name)).collect();
    if names.is_empty() {
        return;
    }
    println!("\noperators on the embedded driver, 1 worker, {} partitions\n", arguments.partitions);
    println!(
        "| operator | input records | CPU (us a record) | records out | peak RSS (MiB) | state, at its largest (MiB) |"
    );
    println!("|---|---|---|---|---|---|");
    for name in names {
        for records in &arguments.records {
            let place = tempfile::tempdir().unwrap();
            operators::measure(&name, *records, arguments.partitions, place.path());
        }
    }
}

fn measure_orders(arguments: &Arguments) {
    let temporary = tempfile::tempdir().unwrap();
    let data = arguments.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    eprintln!("loading {} pairs", arguments.pairs);
    load::load(&data, arguments.pairs, arguments.partitions);
    let program = std::env::current_exe().unwrap();
    let status = Command::new(program).arg("--measure").arg("--data").arg(&data).status().unwrap();
    assert!(status.success(), "the measured process failed");
    rule::compare();
}

/// The pipeline that is measured: that of the current checkout. A path from compile time would be that of the checkout
/// that compiled the benchmark last.
fn pipeline() -> PathBuf {
    let path = PathBuf::from("pipelines/orders.toml");
    assert!(path.exists(), "no {} here: run it in the top folder of a checkout, as `just bench` does", path.display());
    path
}
