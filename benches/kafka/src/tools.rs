//! The tools on the JVM: Kafka's own clients, so that neither system is loaded or read with its own.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::pipeline::Pipeline;
use crate::process::{Process, Voice};

/// What to keep when topics are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing: the input will be another one.
    Nothing,
    /// The input, for another run over it.
    Input,
}

/// Where the tools are, and what they talk to.
#[derive(Debug)]
pub(crate) struct Tools {
    jars: PathBuf,
    bootstrap: String,
    log: PathBuf,
}

impl Tools {
    /// Tools for a cluster, whose standard error goes to a file.
    pub(crate) fn new(jars: PathBuf, bootstrap: String, log: PathBuf) -> Self {
        Self { jars, bootstrap, log }
    }

    /// A command of the jar, for this cluster and a pipeline.
    pub(crate) fn java(&self, verb: &str, pipeline: Pipeline, settings: Vec<String>) -> Command {
        let jars = self.jars.display();
        let mut command = Command::new("java");
        command.args(settings).arg("-cp").arg(format!("{jars}/kafka-streams-bench.jar:{jars}/lib/*"));
        command.args(["millrace.bench.Main", verb, "--bootstrap", &self.bootstrap, "--pipeline", pipeline.name]);
        command
    }

    /// Starts a tool.
    pub(crate) fn start(&self, verb: &str, pipeline: Pipeline, options: &[(&str, String)]) -> Result<Process, Failure> {
        let mut command = self.java(verb, pipeline, vec!["-Xmx2g".into()]);
        for (name, value) in options {
            command.arg(format!("--{name}")).arg(value);
        }
        Process::start(&format!("the tool `{verb}`"), command, Voice::Output, &self.log)
    }

    /// Deletes all groups and topics, those of the systems' own too, and makes a pipeline's anew.
    pub(crate) fn reset(&self, pipeline: Pipeline, keep: Keep) -> Result<(), Failure> {
        let keep = match keep {
            Keep::Nothing => "nothing",
            Keep::Input => "input",
        };
        self.start("topics", pipeline, &[("keep", keep.to_owned())])?.outcome().map(|_| ())
    }
}
