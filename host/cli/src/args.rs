//! What can be said on the command line.

mod assignment;
mod bootstrap;
mod offsets;
mod place;
mod unshown;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::secret::Secret;
use millrace_pipeline::{Format, Override};

use assignment::{setting, setting_in_file, topic_setting};
use bootstrap::bootstrap;
pub use offsets::{Goal, Offsets};
pub use place::{At, Data, KafkaSet, Place, Which};

/// Stream processing with the business rules in sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Those of this process. Ends it where they are wrong or ask for help.
    pub fn from_command_line() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let takes_settings = unshown::takes_settings(&Self::command(), std::env::args_os().skip(1));
            unshown::without_values(error, takes_settings).exit()
        })
    }
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 something is wrong with the pipeline, a plugin, the input, a topic or the data folder, and the same \
start would end the same way; 2 the command line is wrong; 75 another start may go well: no broker answers, a disk is \
full, a thread has failed. 128 and the signal's number: ended at once by a second signal.
The log goes to standard error, as text on a terminal and as JSON elsewhere; MILLRACE_LOG sets what is logged, such as \
`info` (the default), `debug`, or `warn,millrace_embedded=debug`.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check pipeline files and their plugins: tells all that is wrong with them, and nothing when they are good
    Check(Pipeline),
    /// Run a pipeline until it is told to stop (SIGTERM or Ctrl-C): what is under way is finished and committed
    #[command(after_help = EXIT_CODES)]
    Run(Run),
    /// Run records from a file through a pipeline, on a clock that they move: the same input gives the same output
    Replay(Replay),
    /// Read, write, list and make the topics of a data folder, or of a Kafka cluster
    Topic(Topic),
    /// Look up what is in the tables of a data folder
    Table(Table),
    /// Show what a pipeline consists of
    Topology(Topology),
    /// See it work: the sample orders through their pipeline, and what became of them
    Demo(Demo),
    /// Have an app on Kafka start anew: deletes its committed offsets, its internal topics and its state on disk
    Reset(Reset),
    /// Show where an app on Kafka goes on in its inputs, or set it: the committed offsets of its group
    Offsets(Offsets),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The files of an app.
#[derive(Debug, Args)]
pub struct Pipeline {
    /// Pipeline files; several files of one app are one app
    #[arg(required = true, value_name = "PIPELINE")]
    pub files: Vec<PathBuf>,
    /// Change a setting, such as `commit-interval=100ms`, `resolve.within=1m` or `plugins.NAME.config.KEY=VALUE`
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, Secret)>,
    /// Change a setting to what a file holds, without the newline at its end, such as
    /// `kafka.sasl.password=/run/secrets/kafka`
    #[arg(long = "set-file", value_name = "KEY=FILE", value_parser = setting_in_file)]
    pub set_file: Vec<(String, PathBuf)>,
}

impl Pipeline {
    /// Whether it changes this setting.
    pub fn sets(&self, setting: &str) -> bool {
        let in_files = self.set_file.iter().map(|(key, _)| key);
        self.set.iter().map(|(key, _)| key).chain(in_files).any(|key| key == setting)
    }

    /// The settings that it changes.
    ///
    /// # Errors
    /// A file of `--set-file` can't be read, or isn't text.
    pub fn overrides(&self) -> Result<Vec<Override>> {
        let of = |option, key: &String, value| Override { option, key: key.clone(), value };
        let mut overrides: Vec<_> = self.set.iter().map(|(key, value)| of("--set", key, value.clone())).collect();
        for (key, path) in &self.set_file {
            overrides.push(of("--set-file", key, assignment::read(key, path)?));
        }
        Ok(overrides)
    }
}

/// `millrace run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Folder of the log and the state [default: .millrace/APP]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Stop when all input is processed
    #[arg(long)]
    pub until_idle: bool,
    /// Bootstrap servers of a Kafka cluster
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: Option<String>,
}

/// `millrace replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// File of records, one JSON object a line; for a folder, the file in it that is named after the pipeline
    /// (orders.toml: orders.jsonl); without it, or with `-`, standard input
    #[arg(long = "in", value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// File to write to; without it, standard output
    #[arg(long = "out", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How many records go into one call of a plugin at most; changes the speed, never the result
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Close the windows that are open at the end, and put out their results
    #[arg(long)]
    pub close_windows: bool,
}

/// `millrace topic`.
#[derive(Debug, Args)]
pub struct Topic {
    /// What to do with topics.
    #[command(subcommand)]
    pub command: TopicCommand,
}

/// What can be done with topics.
#[derive(Debug, Subcommand)]
pub enum TopicCommand {
    /// Print the records of a topic, one JSON object a line, partition by partition
    ///
    /// These are the records that are committed when the command begins.
    Read {
        /// Name of the topic
        topic: String,
        /// Where it is.
        #[command(flatten)]
        place: Place,
        /// Only this partition
        #[arg(long, value_name = "N")]
        partition: Option<u32>,
        /// Start at this offset of each partition, or where its log begins if that is later
        #[arg(long, value_name = "OFFSET", default_value_t = 0)]
        from: i64,
        /// At most this many records
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Print keys like this. Without it, as the pipeline says that ran on the data folder; Kafka doesn't know, so
        /// there they come as raw bytes in `keyBase64`
        #[arg(long, value_name = "CODEC")]
        key: Option<KeyForm>,
    },
    /// Append records, one JSON object a line as `topic read` prints them; also while an app is running
    ///
    /// The topics must be there. A line that names no partition goes where its key belongs, as with the JVM's clients;
    /// one without a key goes to each partition in turn.
    Write {
        /// Name of the topic, for lines that have none
        topic: Option<String>,
        /// Where it is.
        #[command(flatten)]
        place: Place,
        /// File of records; without it, or with `-`, standard input
        #[arg(long = "in", value_name = "FILE")]
        input: Option<PathBuf>,
        /// Read keys like this. Without it, as the pipeline says that ran on the data folder; Kafka doesn't know, so
        /// there `key` is refused, and only `keyBase64` is taken
        #[arg(long, value_name = "CODEC")]
        key: Option<KeyForm>,
    },
    /// List topics with their partitions and numbers of records
    ///
    /// On Kafka the number is that of offsets, which marks of transactions and compacted records take too; topics of
    /// Kafka's own (`__consumer_offsets`) are left out.
    List {
        /// Where they are.
        #[command(flatten)]
        place: Place,
    },
    /// Make a topic
    ///
    /// In a data folder, a pipeline makes its own when it first runs; on Kafka, those that it reads from others and
    /// writes for others must be there before.
    Create {
        /// Name of the topic
        topic: String,
        /// Where it is to be.
        #[command(flatten)]
        place: Place,
        /// Number of partitions [default: 1]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        partitions: Option<u32>,
        /// Number of replicas of each partition, on Kafka [default: the broker's]
        #[arg(long, value_name = "N", conflicts_with = "data", requires = "kafka", value_parser = clap::value_parser!(i32).range(1..=32_767))]
        replication_factor: Option<i32>,
        /// What its keys are, in a data folder [default: bytes]
        #[arg(long, value_name = "CODEC", conflicts_with = "kafka")]
        key: Option<KeyForm>,
        /// A setting of the topic, on Kafka; may come several times. A topic for records with old timestamps needs
        /// `retention.ms=-1`, or Kafka deletes them soon
        #[arg(long, value_name = "KEY=VALUE", conflicts_with = "data", requires = "kafka", value_parser = topic_setting)]
        config: Vec<(String, String)>,
    },
}

/// `millrace table`.
#[derive(Debug, Args)]
pub struct Table {
    /// What to look up.
    #[command(subcommand)]
    pub command: TableCommand,
}

/// What can be looked up.
#[derive(Debug, Subcommand)]
pub enum TableCommand {
    /// Print the row of a key
    Get {
        /// Name of the table
        table: String,
        /// The key: a number or text, as the table's keys are; base64 for bytes
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The data folder.
        #[command(flatten)]
        data: Data,
    },
    /// Print rows in the order of their keys, page by page
    Scan {
        /// Name of the table
        table: String,
        /// The data folder.
        #[command(flatten)]
        data: Data,
        /// Number of the page, from 0
        #[arg(long, default_value_t = 0)]
        page: u64,
        /// Rows of a page
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        size: u64,
        /// First key
        #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
        from: Option<String>,
        /// Last key, included
        #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
        to: Option<String>,
    },
}

/// `millrace topology`.
#[derive(Debug, Args)]
pub struct Topology {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// How to show it
    #[arg(long, default_value = "text")]
    pub format: TopologyForm,
}

/// `millrace demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Folder of the log and the state; emptied first
    #[arg(long, value_name = "DIR", default_value = ".millrace/demo")]
    pub data: PathBuf,
    /// Run it on this Kafka cluster, on topics of its own: `millrace-demo-...`, deleted and made anew
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: Option<String>,
    /// Settings of the cluster.
    #[command(flatten)]
    pub set: KafkaSet,
    /// The pipeline to run
    #[arg(long, value_name = "PIPELINE", default_value = "pipelines/orders.toml")]
    pub pipeline: PathBuf,
    /// The records to run through it
    #[arg(long = "in", value_name = "FILE", default_value = "samples/orders.jsonl")]
    pub input: PathBuf,
}

/// `millrace reset`.
#[derive(Debug, Args)]
pub struct Reset {
    /// Name of the app
    pub app: String,
    /// Bootstrap servers of its Kafka cluster
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: String,
    /// Settings of the cluster.
    #[command(flatten)]
    pub set: KafkaSet,
    /// Folder with the state of an instance of the app
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Don't ask
    #[arg(long)]
    pub yes: bool,
}

/// How keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyForm {
    /// Base64 of any bytes
    Bytes,
    /// Text
    String,
    /// Numbers of 8 bytes
    I64,
}

impl From<KeyForm> for KeyCodec {
    fn from(form: KeyForm) -> Self {
        match form {
            KeyForm::Bytes => Self::Bytes,
            KeyForm::String => Self::String,
            KeyForm::I64 => Self::I64,
        }
    }
}

/// How a topology is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopologyForm {
    /// For reading
    Text,
    /// For Mermaid
    Mermaid,
    /// For Graphviz
    Dot,
    /// For programs
    Json,
}

impl From<TopologyForm> for Format {
    fn from(form: TopologyForm) -> Self {
        match form {
            TopologyForm::Text => Self::Text,
            TopologyForm::Mermaid => Self::Mermaid,
            TopologyForm::Dot => Self::Dot,
            TopologyForm::Json => Self::Json,
        }
    }
}
