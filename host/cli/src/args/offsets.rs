//! `millrace offsets`.

use clap::Args;
use millrace_engine::record::Timestamp;
use millrace_engine::rfc3339;
use millrace_kafka::offsets::To;

use super::KafkaSet;
use super::bootstrap::bootstrap;

/// `millrace offsets`.
///
/// Without one of the `--to-...` it only shows the offsets. Otherwise it shows a plan, asks for the app's name, and
/// sets them; no process of the app may run.
#[derive(Debug, Args)]
pub struct Offsets {
    /// Name of the app
    pub app: String,
    /// Bootstrap servers of the Kafka cluster
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: String,
    /// Settings of the cluster.
    #[command(flatten)]
    pub set: KafkaSet,
    /// Only this topic; may be repeated [default: all topics that the app reads]
    #[arg(long = "topic", value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// Only this partition of each topic; may be repeated
    #[arg(long = "partition", value_name = "N")]
    pub partitions: Vec<u32>,
    /// Where to continue.
    #[command(flatten)]
    pub goal: Goal,
    /// Don't ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

/// Where an app is to continue: at most one of these options.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Goal {
    /// Continue at the first record of each partition
    #[arg(long)]
    pub to_earliest: bool,
    /// Continue after the last record of each partition
    #[arg(long)]
    pub to_latest: bool,
    /// Continue at this offset of each partition
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    pub to_offset: Option<i64>,
    /// Continue at the first record of this time or later: 2026-11-21T17:03:53Z, or milliseconds since the epoch
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to_datetime: Option<Timestamp>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    let expected = "expected a time from 1970 on with its zone, such as 2026-11-21T17:03:53Z or 2026-11-21T18:03:53+01:00, or \
                    milliseconds since the epoch";
    match text.parse().or_else(|_| rfc3339::milliseconds(text)) {
        Ok(time) if time >= 0 => Ok(time),
        Ok(_) => Err(expected.to_owned()),
        Err(wrong) => Err(format!("{wrong}; {expected}")),
    }
}

impl Goal {
    /// The goal, if an option names one.
    pub fn to(&self) -> Option<To> {
        match *self {
            Self { to_earliest: true, .. } => Some(To::Earliest),
            Self { to_latest: true, .. } => Some(To::Latest),
            Self { to_offset: Some(offset), .. } => Some(To::Offset(offset)),
            Self { to_datetime: Some(time), .. } => Some(To::Time(time)),
            _ => None,
        }
    }
}
