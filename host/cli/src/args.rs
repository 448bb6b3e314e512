//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::pipeline::Format;

/// Stream processing with the business rules in sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 something is wrong with the pipeline, a plugin, the input or the data folder, or the app had to \
stop; 2 the command line is wrong.
The log goes to standard error, as text on a terminal and as JSON elsewhere; MILLRACE_LOG sets what is logged, such as \
`info` (the default), `debug`, or `warn,millrace_embedded=debug`.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check pipeline files and their plugins: tells all that is wrong with them, and nothing when they are good
    Check(Pipeline),
    /// Run a pipeline until it is told to stop (SIGTERM or Ctrl-C): what is under way is finished and committed
    Run(Run),
    /// Run records from a file through a pipeline, on a clock that they move: the same input gives the same output
    Replay(Replay),
    /// Read, write and list the topics of a data folder
    Topic(Topic),
    /// Look up what is in the tables of a data folder
    Table(Table),
    /// Show what a pipeline consists of
    Topology(Topology),
    /// See it work: the sample orders through their pipeline, and what became of them
    Demo(Demo),
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
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as commit-interval=100ms")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Where an app keeps its log and state.
#[derive(Debug, Args)]
pub struct Data {
    /// Folder of the log and the state
    #[arg(long = "data", value_name = "DIR")]
    pub folder: PathBuf,
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
    #[arg(long, value_name = "BOOTSTRAP")]
    pub kafka: Option<String>,
}

/// `millrace replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// File of records, one JSON object a line; for a folder, the file in it that is named after the pipeline
    /// (orders.toml: orders.jsonl); without it, standard input
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
    Read {
        /// Name of the topic
        topic: String,
        /// The data folder.
        #[command(flatten)]
        data: Data,
        /// Only this partition
        #[arg(long, value_name = "N")]
        partition: Option<u32>,
        /// Start at this offset of each partition
        #[arg(long, value_name = "OFFSET", default_value_t = 0)]
        from: i64,
        /// At most this many records
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Print keys like this, whatever the pipeline says
        #[arg(long, value_name = "CODEC")]
        key: Option<KeyForm>,
    },
    /// Append records, one JSON object a line as `topic read` prints them; also while an app is running on the folder
    Write {
        /// Name of the topic, for lines that have none
        topic: Option<String>,
        /// The data folder.
        #[command(flatten)]
        data: Data,
        /// File of records; without it, standard input
        #[arg(long = "in", value_name = "FILE")]
        input: Option<PathBuf>,
        /// Read keys like this, whatever the pipeline says
        #[arg(long, value_name = "CODEC")]
        key: Option<KeyForm>,
    },
    /// List topics with their partitions and numbers of records
    List {
        /// The data folder.
        #[command(flatten)]
        data: Data,
    },
    /// Make a topic; a pipeline makes its own when it first runs
    Create {
        /// Name of the topic
        topic: String,
        /// The data folder.
        #[command(flatten)]
        data: Data,
        /// Number of partitions
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        partitions: u32,
        /// What its keys are
        #[arg(long, value_name = "CODEC", default_value = "bytes")]
        key: KeyForm,
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
    /// The pipeline to run
    #[arg(long, value_name = "PIPELINE", default_value = "pipelines/orders.toml")]
    pub pipeline: PathBuf,
    /// The records to run through it
    #[arg(long = "in", value_name = "FILE", default_value = "samples/orders.jsonl")]
    pub input: PathBuf,
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
