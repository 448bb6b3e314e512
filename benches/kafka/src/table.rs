//! What a backlog took: tables in Markdown, with ratios, and the goals beside them.

use std::time::Duration;

use crate::figures::Figures;
use crate::goal::{Goal, cell};
use crate::options::{Options, Part};
use crate::pipeline::{Compared, Pipeline};
use crate::system::{Run, System};
use crate::usage;

/// A figure, and how it is read from a run.
struct Row {
    name: &'static str,
    digits: usize,
    goal: Goal,
    read: fn(&Figures) -> Option<f64>,
}

fn row(name: &'static str, digits: usize, goal: Goal, read: fn(&Figures) -> Option<f64>) -> Row {
    Row { name, digits, goal, read }
}

/// All figures, in the order in which they are shown.
fn rows(goals: Compared) -> [Row; 12] {
    [
        row("records/s, start-up included", 0, goals.speed.map_or(Goal::None, Goal::RatioAtLeast), |run| {
            run.spent.map(|spent| rate(spent.records, spent.wall))
        }),
        row("records/s, second half of the input", 0, Goal::None, |run| {
            run.spent.and_then(|spent| spent.second_half).map(|half| rate(half.records, half.wall))
        }),
        row("CPU for a record, start-up included (us)", 2, Goal::RatioAtMost(1.0 / 3.0), |run| {
            run.spent.map(|spent| micros(spent.cpu, spent.records))
        }),
        row("CPU for a record, second half (us)", 2, Goal::None, |run| {
            run.spent.and_then(|spent| spent.second_half).map(|half| micros(half.cpu, half.records))
        }),
        row("CPU of the broker for a record (us)", 2, Goal::None, |run| {
            run.spent.map(|spent| micros(spent.broker_cpu, spent.records))
        }),
        row("peak memory, RSS (MiB)", 0, Goal::RatioAtMost(goals.memory), |run| {
            run.spent.map(|spent| spent.peak_memory as f64 / f64::from(1 << 20))
        }),
        row("commits", 0, Goal::None, |run| run.spent?.commits),
        row("commit time, p50 (ms)", 1, Goal::None, |run| run.spent?.commit_p50),
        row("commit time, p99 (ms)", 1, Goal::None, |run| run.spent?.commit_p99),
        row("restored records", 0, Goal::None, |run| run.restored?.records),
        row("restored records/s", 0, Goal::AtLeast(200_000.0), |run| {
            let restored = run.restored?;
            Some(restored.records? / restored.millis? * 1e3).filter(|rate| rate.is_finite())
        }),
        row("from start without state to running (s)", 1, Goal::None, |run| {
            run.restored.map(|restored| restored.until_running.as_secs_f64())
        }),
    ]
}

/// Under which the figures hold. Read before anything is started, so that the load is that of others.
pub(crate) fn conditions(options: &Options) -> String {
    let cores = std::thread::available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let load = usage::load();
    let backlogs = options.compared().next().map(|_| format!("backlogs of {} records, ", options.records()));
    let rate = options.wants(Part::Latency).then(|| format!("{} inputs/s for latency, ", options.rate));
    format!(
        "Kafka 4.3, one broker on the same {cores} cores (load of others before: {load}); {}{}about 250 bytes a record, \
         exactly once, commits every {} ms at the latest.",
        backlogs.unwrap_or_default(),
        rate.unwrap_or_default(),
        options.commit_ms
    )
}

/// A table for each number of threads.
pub(crate) fn tables(options: &Options, pipeline: Pipeline, goals: Compared, runs: &[Figures]) -> String {
    let of_threads = |&threads: &u32| {
        let of = |system| runs.iter().find(|figures| figures.run == Run { pipeline, system, threads });
        let plural = if threads == 1 { "" } else { "s" };
        let head = format!("{}, {threads} thread{plural} | Millrace | Kafka Streams | ratio | goal", pipeline.name);
        table(&head, goals, of(System::Millrace), of(System::KafkaStreams))
    };
    options.threads.iter().map(of_threads).collect::<Vec<String>>().join("\n")
}

fn table(head: &str, goals: Compared, ours: Option<&Figures>, theirs: Option<&Figures>) -> String {
    let mut text = format!("| {head} |\n|---|---|---|---|---|\n");
    for row in rows(goals) {
        let (ours, theirs) = (ours.and_then(row.read), theirs.and_then(row.read));
        if ours.is_none() && theirs.is_none() {
            continue;
        }
        let ratio = ours.zip(theirs).filter(|(_, theirs)| *theirs > 0.0).map(|(ours, theirs)| ours / theirs);
        let cells = [row.name.to_owned(), cell(ours, row.digits), cell(theirs, row.digits), cell(ratio, 2)];
        text += &format!("| {} | {} |\n", cells.join(" | "), row.goal.verdict(ours, ratio));
    }
    text
}

fn rate(records: u64, wall: Duration) -> f64 {
    records as f64 / wall.as_secs_f64()
}

fn micros(time: Duration, records: u64) -> f64 {
    time.as_secs_f64() * 1e6 / records as f64
}
