//! The tools on the JVM: Kafka's own clients, so that neither system is loaded or read with its own.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::process::{Process, Voice};

/// The topics that the pipeline reads.
const INPUT: [&str; 2] = ["payment-orders", "stock-orders"];
/// The topics that it writes.
const OUTPUT: [&str; 2] = ["orders", "recovererDLQ"];

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

    /// A command of the jar, for this cluster.
    pub(crate) fn java(&self, verb: &str, settings: Vec<String>) -> Command {
        let jars = self.jars.display();
        let mut command = Command::new("java");
        command.args(settings).arg("-cp").arg(format!("{jars}/kafka-streams-bench.jar:{jars}/lib/*"));
        command.args(["millrace.bench.Main", verb, "--bootstrap", &self.bootstrap]);
        command
    }

    /// Starts a tool.
    pub(crate) fn start(&self, verb: &str, options: &[(&str, String)]) -> Result<Process, Failure> {
        let mut command = self.java(verb, vec!["-Xmx1g".into()]);
        for (name, value) in options {
            command.arg(format!("--{name}")).arg(value);
        }
        Process::start(&format!("the tool `{verb}`"), command, Voice::Output, &self.log)
    }

    /// Deletes all groups and topics, those of the systems' own too, and makes the pipeline's anew.
    pub(crate) fn reset(&self, keep: Keep) -> Result<(), Failure> {
        let (input, output) = (INPUT.join(","), OUTPUT.join(","));
        let options = match keep {
            Keep::Nothing => [("create", format!("{input},{output}")), ("keep", String::new())],
            Keep::Input => [("create", output), ("keep", input)],
        };
        self.start("topics", &options)?.outcome().map(|_| ())
    }
}
