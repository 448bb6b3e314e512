//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};

use crate::pipeline::{self, Compared, Pipeline};
use crate::system::{Run, SYSTEMS, System};

/// Measures pipelines on Kafka, beside Kafka Streams.
#[derive(Debug, Parser)]
#[command(name = "millrace-bench-kafka")]
pub(crate) struct Options {
    /// Pipelines to measure. Kafka Streams runs orders and fraud; of the others only the latency is measured
    #[arg(long, value_delimiter = ',', default_value = "orders,fraud",
        value_parser = PossibleValuesParser::new(pipeline::NAMES))]
    pub(crate) pipeline: Vec<String>,
    /// Input records of the backlog, an even number
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
    /// Input a second at which latency is measured: orders, of two records each, or single records
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
    /// From an input to the committed result that follows from it
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

    /// Input records of a backlog. Orders have two each.
    pub(crate) fn records(&self) -> u64 {
        self.records / 2 * 2
    }

    /// The pipelines, in the order in which they are measured.
    pub(crate) fn pipelines(&self) -> impl Iterator<Item = Pipeline> {
        pipeline::named(&self.pipeline)
    }

    /// The measurements, in this order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run> {
        let skipped = |run: &Run| match run.system {
            System::Millrace => self.skip_millrace,
            System::KafkaStreams => self.skip_peer || run.pipeline.compared.is_none(),
        };
        let of = |pipeline, threads| SYSTEMS.map(|system| Run { pipeline, system, threads });
        let of_pipeline = move |pipeline| self.threads.iter().flat_map(move |&threads| of(pipeline, threads));
        self.pipelines().flat_map(of_pipeline).filter(move |run| !skipped(run))
    }

    /// The pipelines that are measured over a backlog.
    pub(crate) fn compared(&self) -> impl Iterator<Item = (Pipeline, Compared)> {
        let wanted = self.wants(Part::Throughput) || self.wants(Part::Restore);
        self.pipelines().filter(move |_| wanted).filter_map(|pipeline| Some((pipeline, pipeline.compared?)))
    }
}
