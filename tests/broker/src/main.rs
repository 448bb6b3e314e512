//! `millrace-broker`: Apache Kafka in the background, for daily work.

mod background;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use millrace_broker::Options;

use crate::background::Error;

/// Runs Apache Kafka on this machine, on loopback only. Needs Java 17, and Maven once.
#[derive(Debug, Parser)]
#[command(name = "millrace-broker")]
struct Command {
    #[command(subcommand)]
    verb: Verb,
    /// Where the running cluster is found again [default: ~/.cache/millrace/kafka-run]
    #[arg(long, global = true, value_name = "DIR")]
    run_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a cluster in the background and print its bootstrap servers when they answer
    Up(Cluster),
    /// Stop the cluster and remove its data
    Down,
    /// Print the bootstrap servers and the state of each node
    Status,
    /// What `up` starts.
    #[command(hide = true)]
    Hold(Cluster),
}

#[derive(Debug, Args)]
struct Cluster {
    /// How many brokers: 1 or 3
    #[arg(long, default_value = "1", value_parser = nodes)]
    nodes: u16,
    /// Port of the first broker; the others follow
    #[arg(long, default_value_t = 19092)]
    port: u16,
    /// Heap of each broker
    #[arg(long, default_value = "1g")]
    heap: String,
}

impl Cluster {
    fn options(&self) -> Options {
        let Self { nodes, port, heap } = self;
        let (nodes, port, heap) = (usize::from(*nodes), Some(*port), heap.clone());
        Options { nodes, port, heap, short_lived: false, ..Options::default() }
    }

    /// The arguments of the process that is to hold it.
    fn hold(&self, folder: &Path) -> Vec<OsString> {
        let Self { nodes, port, heap } = self;
        let ours = ["hold".into(), format!("--nodes={nodes}"), format!("--port={port}"), format!("--heap={heap}")];
        ours.map(OsString::from).into_iter().chain(["--run-dir".into(), folder.into()]).collect()
    }

    fn bootstrap(&self) -> String {
        let servers = (0..self.nodes).map(|node| format!("127.0.0.1:{}", self.port.saturating_add(node)));
        servers.collect::<Vec<_>>().join(",")
    }
}

fn nodes(text: &str) -> Result<u16, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("1, or 3 for replicas: a quorum of two bears no loss".into()),
    }
}

fn main() -> ExitCode {
    let command = Command::parse();
    let folder = command.run_dir.unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/millrace/kafka-run")
    });
    let done = match command.verb {
        Verb::Up(cluster) => background::up(&folder, &cluster.hold(&folder)).or_else(|error| match error {
            Error::RunsAlready(bootstrap) if bootstrap == cluster.bootstrap() => {
                eprintln!("millrace-broker: it runs already");
                Ok(bootstrap)
            }
            error => Err(error),
        }),
        Verb::Down => background::down(&folder),
        Verb::Status => background::status(&folder),
        Verb::Hold(cluster) => background::hold(&folder, cluster.options()),
    };
    match done {
        Ok(answer) => {
            if !answer.is_empty() {
                println!("{answer}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("millrace-broker: {error}");
            ExitCode::FAILURE
        }
    }
}
