//! The two systems, and how each is run.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::pipeline::Pipeline;
use crate::process::{Process, Voice};
use crate::setup::Setup;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Ours.
    Millrace,
    /// The yardstick.
    KafkaStreams,
}

/// Both, in the order in which they are measured.
pub(crate) const SYSTEMS: [System; 2] = [System::Millrace, System::KafkaStreams];

/// A system that runs a pipeline with a number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    /// What it runs.
    pub(crate) pipeline: Pipeline,
    /// Which system.
    pub(crate) system: System,
    /// How many threads process records.
    pub(crate) threads: u32,
}

impl Run {
    /// Its consumer group.
    pub(crate) fn group(self) -> &'static str {
        match (self.system, self.pipeline.compared) {
            (System::KafkaStreams, Some(compared)) => compared.group,
            _ => self.pipeline.app,
        }
    }

    /// Starts it, with its state in a folder.
    pub(crate) fn start(self, setup: &Setup, state: &Path) -> Result<Process, Failure> {
        let (options, threads) = (&setup.options, self.threads);
        let command = match self.system {
            System::Millrace => {
                let mut command = Command::new(&setup.millrace);
                command.args(["run", self.pipeline.file, "--kafka", &setup.bootstrap, "--data"]).arg(state);
                command.arg("--set").arg(format!("threads={threads}"));
                command.arg("--set").arg(format!("commit-interval={}ms", options.commit_ms));
                command
            }
            System::KafkaStreams => {
                let heap = vec![format!("-Xmx{}", options.peer_heap)];
                let mut command = setup.tools.java("streams", self.pipeline, heap);
                command.args(["--group", self.group()]);
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
        let plural = if self.threads == 1 { "" } else { "s" };
        write!(f, "{} with {} thread{plural}, {}", self.system, self.threads, self.pipeline.name)
    }
}
