//! The two systems, and how each is run.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::process::{Process, Voice};
use crate::setup::Setup;

/// The pipeline that is measured: that of the checkout in which it runs. A path from when it was compiled would be that
/// of whichever checkout compiled it last.
pub(crate) const PIPELINE: &str = "pipelines/orders.toml";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Ours.
    Millrace,
    /// The yardstick.
    KafkaStreams,
}

impl System {
    /// Its consumer group.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Millrace => "orders",
            Self::KafkaStreams => "kafka-streams-orders",
        }
    }
}

/// A system with a number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Which system.
    pub(crate) system: System,
    /// How many threads process records.
    pub(crate) threads: u32,
}

impl Run {
    /// Starts it, with its state in a folder.
    pub(crate) fn start(self, setup: &Setup, state: &Path) -> Result<Process, Failure> {
        let (options, threads) = (&setup.options, self.threads);
        let command = match self.system {
            System::Millrace => {
                let mut command = Command::new(&setup.millrace);
                command.args(["run", PIPELINE, "--kafka", &setup.bootstrap, "--data"]).arg(state);
                command.arg("--set").arg(format!("threads={threads}"));
                command.arg("--set").arg(format!("commit-interval={}ms", options.commit_ms));
                command
            }
            System::KafkaStreams => {
                let heap = vec![format!("-Xmx{}", options.peer_heap)];
                let mut command = setup.tools.java("streams", heap);
                command.args(["--threads", &threads.to_string(), "--commit-ms", &options.commit_ms.to_string()]);
                command.arg("--state").arg(state);
                command
            }
        };
        Process::start(&self.system.to_string(), command, Voice::Log, &setup.folder.path().join("system.log"))
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Millrace => "Millrace",
            Self::KafkaStreams => "Kafka Streams",
        })
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} thread{}", self.system, self.threads, if self.threads == 1 { "" } else { "s" })
    }
}
