//! What is printed: tables in Markdown, with ratios, and the goals beside them.

use std::fs;
use std::time::Duration;

use crate::figures::Figures;
use crate::options::Options;
use crate::system::{Run, System};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// It is only shown.
    None,
    /// Ours, divided by theirs.
    RatioAtLeast(f64),
    /// Ours, divided by theirs.
    RatioAtMost(f64),
    /// Ours alone.
    AtLeast(f64),
    /// Ours alone.
    AtMost(f64),
}

/// A figure, and how it is read from a run.
struct Row {
    name: &'static str,
    digits: usize,
    goal: Goal,
    read: fn(&Figures) -> Option<f64>,
}

const fn row(name: &'static str, digits: usize, goal: Goal, read: fn(&Figures) -> Option<f64>) -> Row {
    Row { name, digits, goal, read }
}

/// All figures, in the order in which they are shown.
const ROWS: &[Row] = &[
    row("records/s, start-up included", 0, Goal::RatioAtLeast(2.0), |run| {
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
    row("peak memory, RSS (MiB)", 0, Goal::RatioAtMost(0.25), |run| {
        run.spent.map(|spent| spent.peak_memory as f64 / f64::from(1 << 20))
    }),
    row("commits", 0, Goal::None, |run| run.spent?.commits),
    row("commit time, p50 (ms)", 1, Goal::None, |run| run.spent?.commit_p50),
    row("commit time, p99 (ms)", 1, Goal::None, |run| run.spent?.commit_p99),
    row("latency, p50 (ms)", 0, Goal::None, |run| run.latency.map(|latency| latency.p50)),
    row("latency, p95 (ms)", 0, Goal::None, |run| run.latency.map(|latency| latency.p95)),
    row("latency, p99 (ms)", 0, Goal::AtMost(50.0), |run| run.latency.map(|latency| latency.p99)),
    row("latency, longest (ms)", 0, Goal::None, |run| run.latency.map(|latency| latency.max)),
    row("orders/s while latency was measured", 0, Goal::None, |run| run.latency.map(|latency| latency.rate)),
    row("restored records", 0, Goal::None, |run| run.restored?.records),
    row("restored records/s", 0, Goal::AtLeast(200_000.0), |run| {
        let restored = run.restored?;
        Some(restored.records? / restored.millis? * 1e3).filter(|rate| rate.is_finite())
    }),
    row("from start without state to running (s)", 1, Goal::None, |run| {
        run.restored.map(|restored| restored.until_running.as_secs_f64())
    }),
];

/// Under which the figures hold. Read before anything is started, so that the load is that of others.
pub(crate) fn conditions(options: &Options) -> String {
    let cores = std::thread::available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!(
        "Orders on Kafka 4.3, one broker on the same {cores} cores (load of others before: {load}); {} records of \
         about 250 bytes, exactly once, commits every {} ms at the latest.",
        options.pairs() * 2,
        options.commit_ms
    )
}

/// Prints a table for each number of threads.
pub(crate) fn print(options: &Options, runs: &[Figures]) {
    for &threads in &options.threads {
        let of = |system| runs.iter().find(|figures| figures.run == Run { system, threads });
        println!("\n{}\n", table(threads, of(System::Millrace), of(System::KafkaStreams)).trim_end());
    }
}

fn table(threads: u32, ours: Option<&Figures>, theirs: Option<&Figures>) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    let head = format!("{threads} thread{plural} | Millrace | Kafka Streams | ratio | goal");
    let mut text = format!("| {head} |\n|---|---|---|---|---|\n");
    for row in ROWS {
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

impl Goal {
    /// The goal in words, and whether it is met; nothing where there is none.
    fn verdict(self, ours: Option<f64>, ratio: Option<f64>) -> String {
        let (words, met) = match self {
            Self::None => return String::new(),
            Self::RatioAtLeast(goal) => (format!("at least {goal:.2} times"), ratio.map(|ratio| ratio >= goal)),
            Self::RatioAtMost(goal) => (format!("at most {goal:.2} times"), ratio.map(|ratio| ratio <= goal)),
            Self::AtLeast(goal) => (format!("at least {}", number(goal, 0)), ours.map(|ours| ours >= goal)),
            Self::AtMost(goal) => (format!("at most {}", number(goal, 0)), ours.map(|ours| ours <= goal)),
        };
        match met {
            Some(true) => format!("{words}: met"),
            Some(false) => format!("{words}: **missed**"),
            None => words,
        }
    }
}

fn cell(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| number(figure, digits))
}

/// A number with commas between thousands.
fn number(figure: f64, digits: usize) -> String {
    let text = format!("{figure:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

fn rate(records: u64, wall: Duration) -> f64 {
    records as f64 / wall.as_secs_f64()
}

fn micros(time: Duration, records: u64) -> f64 {
    time.as_secs_f64() * 1e6 / records as f64
}

#[cfg(test)]
mod tests {
    use super::{Goal, cell, number};

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(number(1_234_567.0, 0), "1,234,567");
        assert_eq!(number(123.456, 2), "123.46");
        assert_eq!(number(1000.0, 1), "1,000.0");
        assert_eq!(cell(None, 1), "-");
    }

    #[test]
    fn a_goal_is_judged_only_when_its_figure_is_there() {
        assert_eq!(Goal::RatioAtLeast(2.0).verdict(Some(1.0), Some(2.5)), "at least 2.00 times: met");
        assert_eq!(Goal::AtMost(50.0).verdict(Some(51.0), None), "at most 50: **missed**");
        assert_eq!(Goal::AtLeast(200_000.0).verdict(None, None), "at least 200,000");
    }
}
