//! `millrace topic`, also called `millrace topics`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::assignment::topic_setting;
use super::bootstrap::bootstrap;
use super::{KeyForm, Pipeline, Place};

/// `millrace topic`.
#[derive(Debug, Args)]
pub struct Topic {
    /// The command.
    #[command(subcommand)]
    pub command: TopicCommand,
}

/// The commands of `millrace topic`.
#[derive(Debug, Subcommand)]
pub enum TopicCommand {
    /// Print the records of a topic, one JSON object per line, partition by partition
    ///
    /// Prints the records that are committed when the command begins.
    Read {
        /// Name of the topic
        topic: String,
        /// Where it is.
        #[command(flatten)]
        place: Place,
        /// Read this partition only
        #[arg(long, value_name = "N")]
        partition: Option<u32>,
        /// Start at this offset of each partition, or at its first offset if that is higher
        #[arg(long, value_name = "OFFSET", default_value_t = 0)]
        from: i64,
        /// Print at most this many records
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Codec of the keys. A data folder knows the codec of each topic, from the pipeline that ran on it; on Kafka
        /// keys are printed as base64 in `keyBase64` unless this is given
        #[arg(long, value_name = "CODEC")]
        key: Option<KeyForm>,
    },
    /// Append records, one JSON object per line as `topic read` prints them; also while an app runs
    ///
    /// The topics must exist. If a line names no partition, its key decides, as in Kafka's Java client; records without
    /// a key go to the partitions in turn.
    Write {
        /// Topic of the lines that name none
        topic: Option<String>,
        /// Where it is.
        #[command(flatten)]
        place: Place,
        /// File of records [default: standard input, as is `-`]
        #[arg(long = "in", value_name = "FILE")]
        input: Option<PathBuf>,
        /// Codec of the keys. A data folder knows the codec of each topic, from the pipeline that ran on it; on Kafka
        /// lines may have `keyBase64`, and `key` only if this is given
        #[arg(long, value_name = "CODEC")]
        key: Option<KeyForm>,
    },
    /// List topics with their numbers of partitions and records
    ///
    /// On Kafka, offsets are counted: transaction markers and compacted records have some, too. Kafka's internal
    /// topics, such as `__consumer_offsets`, aren't listed.
    List {
        /// Where they are.
        #[command(flatten)]
        place: Place,
    },
    /// Create a topic
    ///
    /// In a data folder, a pipeline creates its topics when it first runs. On Kafka it creates its internal topics
    /// only; its input and output topics must exist.
    Create {
        /// Name of the topic
        topic: String,
        /// Where it is to be.
        #[command(flatten)]
        place: Place,
        /// Number of partitions [default: 1]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        partitions: Option<u32>,
        /// Number of replicas of each partition, on Kafka [default: the broker's default]
        #[arg(long, value_name = "N", conflicts_with = "data", requires = "kafka", value_parser = clap::value_parser!(i32).range(1..=32_767))]
        replication_factor: Option<i32>,
        /// Codec of the keys, in a data folder [default: bytes]
        #[arg(long, value_name = "CODEC", conflicts_with = "kafka")]
        key: Option<KeyForm>,
        /// A setting of the topic, on Kafka; may be repeated. A topic for records with old timestamps needs
        /// `retention.ms=-1`, or Kafka soon deletes them
        #[arg(long, value_name = "KEY=VALUE", conflicts_with = "data", requires = "kafka", value_parser = topic_setting)]
        config: Vec<(String, String)>,
    },
    /// Delete orphaned topics: internal topics that an app on Kafka has made and its pipeline no longer has
    ///
    /// Such are the changelog and the repartition topic of a step that was renamed or removed. The app must have run
    /// with this pipeline last, and none of its processes may run meanwhile. The command lists the topics, and asks for
    /// the app's name.
    // clap would write `topic gc`.
    #[command(override_usage = "millrace topics gc [OPTIONS] --kafka <BOOTSTRAP> <PIPELINE>...")]
    Gc(Gc),
}

/// `millrace topics gc`.
#[derive(Debug, Args)]
pub struct Gc {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Bootstrap servers of the Kafka cluster
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: String,
    /// Also delete repartition topics with records that no task has processed: these records are lost
    #[arg(long)]
    pub drop_unprocessed: bool,
    /// Don't ask for confirmation
    #[arg(long)]
    pub yes: bool,
}
