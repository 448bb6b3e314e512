//! How long results took: a table in Markdown for each number of threads, with all pipelines and systems.

use crate::figures::{Figures, Latency};
use crate::goal::{Goal, cell, number};
use crate::options::Options;
use crate::pipeline::{LatencyGoal, ORDERS};
use crate::system::System;

/// A table for each number of threads, as far as latency was measured.
pub(crate) fn tables(options: &Options, runs: &[Figures]) -> impl Iterator<Item = String> {
    options.threads.iter().filter_map(|&threads| {
        let runs: Vec<&Figures> = runs.iter().filter(|figures| figures.run.threads == threads).collect();
        let measured = runs.iter().any(|figures| figures.latency.is_some());
        measured.then(|| table(threads, &runs))
    })
}

fn table(threads: u32, runs: &[&Figures]) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    let yardstick = yardstick(runs);
    let mut text = format!(
        "| latency in ms, {threads} thread{plural} | system | input/s | results | p50 | p95 | p99 | longest \
         | p50, p95, p99 to those of Kafka Streams for orders | goal for p99 |\n|{}\n",
        "---|".repeat(10)
    );
    for figures in runs {
        let Some(measured) = &figures.latency else { continue };
        for latency in &measured.topics {
            let run = figures.run;
            let name = format!("{}: {}", run.pipeline.name, latency.topic);
            let figures = [measured.rate, latency.results, latency.p50, latency.p95, latency.p99, latency.max];
            let figures = figures.map(|figure| number(figure, 0)).join(" | ");
            let ratios = ratios(latency, yardstick);
            let goal = match (run.system, run.pipeline.latency) {
                (System::KafkaStreams, _) => Goal::None,
                (System::Millrace, LatencyGoal::Millis(most)) => Goal::AtMost(most),
                (System::Millrace, LatencyGoal::OfOrders(most)) => Goal::RatioAtMost(most),
            };
            let verdict = goal.verdict(Some(latency.p99), ratios[2]);
            let ratios = ratios.map(|ratio| cell(ratio, 2)).join(", ");
            text += &format!("| {name} | {} | {figures} | {ratios} | {verdict} |\n", run.system);
        }
    }
    text
}

/// What Kafka Streams takes for the orders.
fn yardstick<'a>(runs: &[&'a Figures]) -> Option<&'a Latency> {
    let is_it = |figures: &&&Figures| figures.run.pipeline == ORDERS && figures.run.system == System::KafkaStreams;
    runs.iter().find(is_it)?.latency.as_ref()?.topics.first()
}

/// The percentiles, divided by those of the yardstick.
fn ratios(latency: &Latency, yardstick: Option<&Latency>) -> [Option<f64>; 3] {
    [|of: &Latency| of.p50, |of: &Latency| of.p95, |of: &Latency| of.p99].map(|percentile| {
        let theirs = yardstick.map(percentile).filter(|theirs| *theirs > 0.0);
        theirs.map(|theirs| percentile(latency) / theirs)
    })
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::figures::{Figures, Latencies, Latency};
    use crate::pipeline::{ALL, ORDERS, Pipeline};
    use crate::system::{Run, System};

    fn figures(pipeline: Pipeline, system: System, topic: &str, p99: f64) -> Figures {
        let latency = Latency { topic: topic.into(), results: 60_000.0, p50: p99 / 4.0, p95: p99 / 2.0, p99, max: p99 };
        let latency = Latencies { rate: 2000.0, topics: vec![latency] };
        Figures { latency: Some(latency), ..Figures::new(Run { pipeline, system, threads: 1 }) }
    }

    #[test]
    fn analytics_are_measured_by_what_kafka_streams_takes_for_orders() {
        let theirs = figures(ORDERS, System::KafkaStreams, "orders", 400.0);
        let [_, fraud, ..] = ALL;
        let verdict = |p99| {
            let ours = figures(fraud, System::Millrace, "alerts", p99);
            let text = table(1, &[&theirs, &ours]);
            text.lines().last().unwrap_or_default().rsplit(" | ").next().unwrap_or_default().to_owned()
        };
        assert_eq!(verdict(100.0), "at most 0.25 times: met |");
        assert_eq!(verdict(101.0), "at most 0.25 times: **missed** |");
    }
}
