//! What all measurements share: the broker, what is run, and where files go for that time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_broker::Cluster;
use tempfile::TempDir;

use crate::failure::Failure;
use crate::options::Options;
use crate::pipeline;
use crate::tell;
use crate::tools::{Keep, Tools};
use crate::usage;

/// What is in place before anything is measured.
#[derive(Debug)]
pub(crate) struct Setup {
    /// What was asked for.
    pub(crate) options: Options,
    /// For logs, results and state.
    pub(crate) folder: TempDir,
    /// The `millrace` command.
    pub(crate) millrace: PathBuf,
    /// The JVM's side.
    pub(crate) tools: Tools,
    /// What clients call `bootstrap.servers`.
    pub(crate) bootstrap: String,
    broker: u32,
    // Only held: the broker runs as long as this is there.
    _cluster: Cluster,
}

impl Setup {
    /// Finds what is to be run, and starts the broker.
    pub(crate) fn start(options: Options) -> Result<Self, Failure> {
        if let Some(missing) = options.pipelines().find(|pipeline| !Path::new(pipeline.file).exists()) {
            return Err(Failure::Elsewhere(missing.file));
        }
        let program = std::env::current_exe().map_err(Failure::io("this program"))?;
        let beside = program.parent().unwrap_or(Path::new("."));
        let millrace = options.millrace.clone().unwrap_or_else(|| beside.join("millrace"));
        if !options.skip_millrace && !millrace.exists() {
            return Err(Failure::NotBuilt(format!("no {}: build it, or name it with --millrace", millrace.display())));
        }
        let jars = options.jars.clone().unwrap_or_else(|| beside.join("../kafka-streams"));
        if !jars.join("kafka-streams-bench.jar").exists() {
            return Err(Failure::NotBuilt(format!("no jars in {}: see benches/README.md", jars.display())));
        }
        let folder = TempDir::with_prefix("millrace-bench-").map_err(Failure::io("a temporary folder"))?;
        tell("starting the broker");
        let of_broker = millrace_broker::Options { heap: options.broker_heap.clone(), ..Default::default() };
        let mut cluster = Cluster::start(of_broker)?;
        let (broker, bootstrap) = (cluster.check(0)?, cluster.bootstrap());
        let tools = Tools::new(jars, bootstrap.clone(), folder.path().join("tools.log"));
        Ok(Self { options, folder, millrace, tools, bootstrap, broker, _cluster: cluster })
    }

    /// The broker is a JVM too: without this, who comes first would pay for it.
    pub(crate) fn warm_up(&self) -> Result<(), Failure> {
        tell("warming the broker up");
        self.tools.reset(pipeline::ORDERS, Keep::Nothing)?;
        self.tools.start("warm-up", pipeline::ORDERS, &[])?.outcome().map(|_| ())
    }

    /// CPU time of the broker so far.
    pub(crate) fn broker_cpu(&self) -> Result<Duration, Failure> {
        usage::cpu(self.broker)
    }
}

/// Removes a folder; it need not be there.
pub(crate) fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::io(folder.display().to_string())(error)),
        _ => Ok(()),
    }
}
