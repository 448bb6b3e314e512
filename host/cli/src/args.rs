//! What can be said on the command line.

mod assignment;
mod bootstrap;
mod demo;
mod deploy;
mod dlq;
mod moment;
mod offsets;
mod place;
mod topic;
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
pub use demo::{Demo, DemoKind};
pub use deploy::{App, Deploy, Deployments, DeploymentsCommand, Manner, RunsAt, Trial};
pub use dlq::{Dlq, DlqCommand, Letters};
pub use moment::Moment;
pub use offsets::{Goal, Offsets};
pub use place::{At, Data, KafkaSet, Place, Which};
pub use topic::{Gc, Topic, TopicCommand};

/// Stream processing with the business rules in sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// The arguments of this process. Ends the process if they are wrong or ask for help.
    pub fn from_command_line() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let takes_settings = unshown::takes_settings(&Self::command(), std::env::args_os().skip(1));
            unshown::without_values(error, takes_settings).exit()
        })
    }
}

const EXIT_CODES: &str = "\
Exit codes: 0: success. 1: the pipeline, a plugin, the input, a topic or the data folder is wrong; another start would \
fail, too. 2: the command line is wrong. 3: what was waited for is still under way. 4: it was aborted. 75: another start may succeed, as after no broker answered, a disk was full or a \
thread failed. 128 plus the signal's number: a second signal ended the process at once.
The log goes to standard error, as text on a terminal and as JSON elsewhere. MILLRACE_LOG sets what is logged, such as \
`info` (the default), `debug`, or `warn,millrace_embedded=debug`.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check pipeline files and their plugins: lists all mistakes, and prints nothing if there are none
    Check(Check),
    /// Run a pipeline until SIGTERM or Ctrl-C: it finishes and commits the records in flight, then stops
    #[command(after_help = EXIT_CODES)]
    Run(Run),
    /// Run the records of a file through a pipeline; timestamps move the clock: the same input gives the same output
    Replay(Replay),
    /// Read, write, list and create topics of a data folder or of a Kafka cluster, and delete orphaned ones
    #[command(visible_alias = "topics")]
    Topic(Topic),
    /// Print rows of the tables of a data folder
    Table(Table),
    /// Group, list, show and export dead letters, of Millrace and of other systems
    Dlq(Dlq),
    /// Show the topology of a pipeline: its topics, steps and state
    Topology(Topology),
    /// Try Millrace: run a sample through its pipeline, and show the results
    Demo(Demo),
    /// Make another version of a plugin the active one, while the app runs: first shows what will change
    Deploy(Deploy),
    /// List the deployments of an app, go back to an earlier version of a plugin, or finalise the active one
    Deployments(Deployments),
    /// Let an app on Kafka start from the beginning: deletes its committed offsets, internal topics and local state
    Reset(Reset),
    /// Show or set the offsets at which an app on Kafka continues: the committed offsets of its consumer group
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
    /// Pipeline files; several files together are one app
    #[arg(required = true, value_name = "PIPELINE")]
    pub files: Vec<PathBuf>,
    /// Change a setting, such as `commit-interval=100ms`, `resolve.within=1m` or `plugins.NAME.config.KEY=VALUE`
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, Secret)>,
    /// Change a setting to the content of a file, such as `kafka.sasl.password=/run/secrets/kafka`; a newline at its
    /// end is dropped
    #[arg(long = "set-file", value_name = "KEY=FILE", value_parser = setting_in_file)]
    pub set_file: Vec<(String, PathBuf)>,
    /// Settings that other options of a command stand for; they count more than those above.
    #[arg(skip)]
    pub more: Vec<Override>,
}

impl Pipeline {
    /// Whether it changes this setting.
    pub fn sets(&self, setting: &str) -> bool {
        let in_files = self.set_file.iter().map(|(key, _)| key);
        self.set.iter().map(|(key, _)| key).chain(in_files).any(|key| key == setting)
    }

    /// The same pipeline with settings that other options of a command stand for.
    pub fn with(&self, more: Vec<Override>) -> Self {
        Self { files: self.files.clone(), set: self.set.clone(), set_file: self.set_file.clone(), more }
    }

    /// The settings that it changes.
    ///
    /// # Errors
    /// A file of `--set-file` can't be read, or isn't text.
    pub fn overrides(&self) -> Result<Vec<Override>> {
        let of = |option, key: &String, value| Override { option: format!("{option} {key}"), key: key.clone(), value };
        let mut overrides: Vec<_> = self.set.iter().map(|(key, value)| of("--set", key, value.clone())).collect();
        for (key, path) in &self.set_file {
            overrides.push(of("--set-file", key, assignment::read(key, path)?));
        }
        overrides.extend(self.more.iter().cloned());
        Ok(overrides)
    }
}

/// `millrace check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Also show what becomes of the state in this data folder: which steps keep theirs, begin with empty state, or
    /// leave some behind. Exit code 1 if a step would misread it
    #[arg(long, value_name = "DIR", conflicts_with = "kafka")]
    pub against: Option<PathBuf>,
    /// The same for the app on this Kafka cluster: its bootstrap servers
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: Option<String>,
}

/// `millrace run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Folder for the state and, without --kafka, the log [default: .millrace/APP]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Stop once all input is processed
    #[arg(long)]
    pub until_idle: bool,
    /// Run on this Kafka cluster: its bootstrap servers, such as `127.0.0.1:9092`
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: Option<String>,
}

/// `millrace replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// File of records, one JSON object per line [default: standard input, as is `-`]; in a folder, the file named
    /// after the pipeline: orders.jsonl for orders.toml
    #[arg(long = "in", value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// File for the output records [default: standard output]
    #[arg(long = "out", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Most records in one call of a plugin; changes the speed, never the result
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Close open windows at the end of the input, and put out their results
    #[arg(long)]
    pub close_windows: bool,
    /// Compare another version of a plugin with the one in the files: it gets the same records and state, and what it
    /// does otherwise is reported. Exit code 4 if there is a difference
    #[arg(long, value_name = "NAME=FILE", value_parser = assignment::plugin_file)]
    pub shadow: Vec<(String, PathBuf)>,
    /// Change a setting of the shadow's config; with several plugins, `NAME.KEY=VALUE`
    #[arg(long, value_name = "KEY=VALUE", requires = "shadow", value_parser = topic_setting)]
    pub config: Vec<(String, String)>,
    /// Differences that are meant, such as `value:/updatedAt`, `value:/items/*/price`, `headers:trace` or `timestamp`;
    /// may be repeated
    #[arg(long, value_name = "PATTERN", requires = "shadow")]
    pub ignore: Vec<String>,
    /// Write all differences to this file, as JSON
    #[arg(long, value_name = "FILE", requires = "shadow")]
    pub shadow_report: Option<PathBuf>,
}

/// `millrace table`.
#[derive(Debug, Args)]
pub struct Table {
    /// The command.
    #[command(subcommand)]
    pub command: TableCommand,
}

/// The commands of `millrace table`.
#[derive(Debug, Subcommand)]
pub enum TableCommand {
    /// Print the row of a key
    Get {
        /// Name of the table
        table: String,
        /// The key: a number, text, or base64 for bytes, by the codec of the table's keys
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The data folder.
        #[command(flatten)]
        data: Data,
    },
    /// Print a page of rows, in the order of their keys
    Scan {
        /// Name of the table
        table: String,
        /// The data folder.
        #[command(flatten)]
        data: Data,
        /// Number of the page, from 0
        #[arg(long, default_value_t = 0)]
        page: u64,
        /// Rows per page
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        size: u64,
        /// Begin at this key
        #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
        from: Option<String>,
        /// End at this key, which is included
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
    /// Format of the output
    #[arg(long, default_value = "text")]
    pub format: TopologyForm,
}

/// `millrace reset`.
#[derive(Debug, Args)]
pub struct Reset {
    /// Name of the app
    pub app: String,
    /// Bootstrap servers of the Kafka cluster
    #[arg(long, value_name = "BOOTSTRAP", value_parser = bootstrap)]
    pub kafka: String,
    /// Settings of the cluster.
    #[command(flatten)]
    pub set: KafkaSet,
    /// Also delete the state in this data folder of the app
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Don't ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

/// How keys are written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyForm {
    /// Any bytes, written as base64
    Bytes,
    /// Text in UTF-8
    String,
    /// Big-endian integers of 8 bytes, written as numbers
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
    /// Plain text
    Text,
    /// A Mermaid diagram
    Mermaid,
    /// A Graphviz diagram
    Dot,
    /// JSON, for programs
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
