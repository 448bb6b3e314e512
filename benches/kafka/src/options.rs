//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the orders pipeline on Kafka, beside Kafka Streams.
#[derive(Debug, Parser)]
#[command(name = "millrace-bench-kafka")]
pub(crate) struct Options {
    /// Input records of the backlog; half of them are decisions of the payment side, half of the stock side
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(2..=200_000_000))]
    pub(crate) records: u64,
    /// Numbers of threads to measure with
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    pub(crate) threads: Vec<u32>,
    /// Measure only this
    #[arg(long, value_enum)]
    pub(crate) only: Option<Part>,
    /// Leave Kafka Streams out
    #[arg(long, conflicts_with = "skip_millrace")]
    pub(crate) skip_peer: bool,
    /// Leave Millrace out
    #[arg(long)]
    pub(crate) skip_millrace: bool,
    /// Record what Millrace spends its time on with perf, while it works off the backlog
    #[arg(long)]
    pub(crate) profile: bool,
    /// Orders a second at which latency is measured
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// Seconds at that rate before latency is measured
    #[arg(long, default_value_t = 10)]
    pub(crate) warm_up: u32,
    /// Seconds for which latency is measured
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
    /// Longest time between commits, in milliseconds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) commit_ms: u32,
    /// Seed of the backlog
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u32,
    /// Heap of Kafka Streams; by itself, the JVM would take up to a quarter of the memory of the machine
    #[arg(long, value_name = "SIZE", default_value = "512m")]
    pub(crate) peer_heap: String,
    /// Heap of the broker
    #[arg(long, value_name = "SIZE", default_value = "1g")]
    pub(crate) broker_heap: String,
    /// The `millrace` command [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) millrace: Option<PathBuf>,
    /// Where Maven has put Kafka Streams and the tools [default: kafka-streams in the target folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) jars: Option<PathBuf>,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// From the later of two decisions to the committed result
    Latency,
    /// What it costs to work off a backlog
    Throughput,
    /// How fast state is restored; works off the backlog first, since that is where state comes from
    Restore,
}

impl Options {
    /// Whether a part is to be measured.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// Orders in the backlog: each has a record in either topic, and one result.
    pub(crate) fn pairs(&self) -> u64 {
        self.records / 2
    }
}
