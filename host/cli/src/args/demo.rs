//! Arguments of `millrace demo`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::bootstrap::bootstrap;
use super::place::KafkaSet;

/// `millrace demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// The demo to run
    #[arg(value_name = "NAME", value_enum, default_value = "orders")]
    pub kind: DemoKind,
    /// Folder for the state and, without --kafka, the log; it is emptied first
    #[arg(long, value_name = "DIR", default_value = ".millrace/demo")]
    pub data: PathBuf,
    /// Run on this Kafka cluster: its bootstrap servers. Topics `millrace-demo-...` are deleted and created again
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: Option<String>,
    /// Settings of the cluster.
    #[command(flatten)]
    pub set: KafkaSet,
    /// The pipeline to run [default: that of the demo, such as pipelines/orders.toml]
    #[arg(long, value_name = "PIPELINE")]
    pub pipeline: Option<PathBuf>,
    /// The records to run through it [default: those of the demo, such as samples/orders.jsonl]
    #[arg(long = "in", value_name = "FILE")]
    pub input: Option<PathBuf>,
}

impl Demo {
    /// The pipeline to run.
    pub fn pipeline(&self) -> PathBuf {
        let default = || PathBuf::from(format!("pipelines/{}.toml", self.kind.pipeline()));
        self.pipeline.clone().unwrap_or_else(default)
    }

    /// The records to run through it.
    pub fn input(&self) -> PathBuf {
        self.input.clone().unwrap_or_else(|| PathBuf::from(format!("samples/{}.jsonl", self.kind.pipeline())))
    }
}

/// A demo: a pipeline that ships, with its sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DemoKind {
    /// Payment and stock decide on orders
    Orders,
    /// Payments that look like fraud
    Fraud,
    /// Recommendations, and products that many look at
    Recommendations,
    /// Prices that follow the demand
    Pricing,
    /// What customers do in five minutes, and in one visit
    Activity,
}

impl DemoKind {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Fraud => "fraud",
            Self::Recommendations => "recommendations",
            Self::Pricing => "pricing",
            Self::Activity => "activity",
        }
    }

    /// The name of its pipeline and of its sample, without their extensions.
    pub fn pipeline(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            _ => self.plugin(),
        }
    }

    /// The name of its plugin.
    pub fn plugin(self) -> &'static str {
        match self {
            Self::Orders => "order-status",
            Self::Fraud => "fraud-scoring",
            Self::Recommendations => "recommendations",
            Self::Pricing => "dynamic-pricing",
            Self::Activity => "customer-activity",
        }
    }

    /// A setting of its plugin, with another value than the one that it has.
    pub fn another_config(self) -> &'static str {
        match self {
            Self::Orders => "",
            Self::Fraud => "fraud-scoring.config.rapid-payments=5",
            Self::Recommendations => "recommendations.config.recommended=1",
            Self::Pricing => "dynamic-pricing.config.expected=20",
            Self::Activity => "customer-activity.config.other=0",
        }
    }
}
