//! The pipeline over a loaded log, in a process of its own.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use millrace_cli::args;
use millrace_cli::data;
use millrace_cli::load::load;
use millrace_embedded::WorkerOptions;
use millrace_embedded::run::{self, RunOptions};

use crate::timed::Timed;

/// Runs the pipeline until it is idle, and prints the costs.
pub(crate) fn run(folder: &Path) {
    let loaded = load(&args::Pipeline {
        files: vec![crate::pipeline()],
        set: Vec::new(),
        set_file: Vec::new(),
        more: Vec::new(),
    })
    .unwrap();
    let (mut worker, guests) = data::open_worker(&loaded, folder, WorkerOptions::default()).unwrap();
    let input = worker.lag();
    let mut logic = Timed::new(guests);
    let options = RunOptions {
        commit_interval: loaded.topology.settings.commit_interval,
        until_idle: true,
        inbox: run::inbox_of(folder),
        deployer: None,
    };
    let (start, mut commits) = (Instant::now(), 0u64);
    run::run(&mut worker, &mut logic, options, &AtomicBool::new(false), |_| commits += 1).unwrap();
    let wall = start.elapsed();
    // Of the whole process, with opening, compiling, flushes and compactions.
    let cpu = ProcessTime::try_now().unwrap().as_duration();
    let per = |time: Duration, n: u64| time.as_secs_f64() * 1e6 / n as f64;
    println!("orders on the embedded driver, 1 worker, {} input records, {commits} commits", input);
    println!("| figure | |\n|---|---|");
    println!("| input records/s | {:.0} |", input as f64 / wall.as_secs_f64());
    println!("| CPU of the process for an input record | {:.2} us |", per(cpu, input));
    println!("| peak memory (RSS) | {} MiB |", peak_memory() >> 20);
    println!(
        "| guest calls | {:.2} us a pair, {:.0} pairs a call |",
        per(logic.spent, logic.records),
        logic.records as f64 / logic.calls as f64
    );
    println!("| guest's share of the CPU | {:.1}% |", 100.0 * logic.spent.as_secs_f64() / cpu.as_secs_f64());
    assert_eq!(
        worker.ledger().consumed,
        input + logic.records,
        "every record, and every result once more by the table"
    );
}

/// Peak of the resident memory in bytes.
pub(crate) fn peak_memory() -> u64 {
    status("VmHWM:")
}

/// A size of this process in bytes, as the system has it.
pub(crate) fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
