//! The pipeline over a loaded log, in a process of its own.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use cpu_time::{ProcessTime, ThreadTime};
use millrace_cli::args;
use millrace_cli::data;
use millrace_cli::load::load;
use millrace_embedded::WorkerOptions;
use millrace_embedded::run::{self, RunOptions};
use millrace_engine::logic::Logic;
use millrace_engine::ports::{
    Attempt, CallError, Called, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair,
};
use millrace_engine::state::ProcessScope;

/// Guest calls, with their time.
struct Timed<L> {
    inner: L,
    spent: Duration,
    calls: u64,
    pairs: u64,
}

impl<L: Logic> Logic for Timed<L> {
    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        self.inner.transform(function, messages, attempt)
    }

    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let start = ThreadTime::now();
        let result = self.inner.join(function, pairs, attempt);
        self.spent += start.elapsed();
        self.calls += 1;
        self.pairs += pairs.len() as u64;
        result
    }

    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        self.inner.aggregate(function, groups, mode, attempt)
    }

    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        self.inner.process(function, message, scope, attempt)
    }

    fn on_timer(
        &mut self,
        function: FunctionId,
        due: Due<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        self.inner.on_timer(function, due, scope, attempt)
    }
}

/// Runs the pipeline until it is idle, and prints the costs.
pub(crate) fn run(folder: &Path) {
    let loaded =
        load(&args::Pipeline { files: vec![crate::pipeline()], set: Vec::new(), set_file: Vec::new() }).unwrap();
    let (mut worker, guests) = data::open_worker(&loaded, folder, WorkerOptions::default()).unwrap();
    let input = worker.lag();
    let mut logic = Timed { inner: guests, spent: Duration::ZERO, calls: 0, pairs: 0 };
    let options = RunOptions {
        commit_interval: loaded.topology.settings.commit_interval,
        until_idle: true,
        inbox: run::inbox_of(folder),
    };
    let (start, mut commits) = (Instant::now(), 0u64);
    run::run(&mut worker, &mut logic, &options, &AtomicBool::new(false), |_| commits += 1).unwrap();
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
        per(logic.spent, logic.pairs),
        logic.pairs as f64 / logic.calls as f64
    );
    println!("| guest's share of the CPU | {:.1}% |", 100.0 * logic.spent.as_secs_f64() / cpu.as_secs_f64());
    assert_eq!(worker.ledger().consumed, input + logic.pairs, "every record, and every result once more by the table");
}

/// Peak of the resident memory in bytes.
pub(crate) fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
