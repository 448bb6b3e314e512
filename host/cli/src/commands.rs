//! The commands, one file each.

mod agreement;
mod check;
pub mod demo;
pub mod deploy;
pub mod deployments;
mod dlq;
pub mod offsets;
pub mod replay;
pub mod reset;
pub mod run;
pub mod shadow_report;
mod table;
pub mod topic;

use std::io::{self, Write};

use anyhow::Result;
use clap::CommandFactory;
use millrace_pipeline::render;

use crate::args::{Arguments, Command};
use crate::load::load;

/// Runs a command.
///
/// # Errors
/// A message for the user, with the exit code that [`code_of`](crate::exit::code_of) gives it.
pub fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Check(check) => check::check(&check),
        Command::Run(run) => run::run(&run),
        Command::Replay(replay) => replay::replay(&replay),
        Command::Topic(topic) => topic::topic(topic.command),
        Command::Table(table) => table::table(table.command),
        Command::Dlq(dlq) => dlq::dlq(&dlq.command),
        Command::Topology(topology) => {
            let loaded = load(&topology.pipeline)?;
            let text = render(&loaded.topology, topology.format.into());
            Ok(writeln!(io::stdout(), "{}", text.trim_end())?)
        }
        Command::Demo(demo) => demo::demo(&demo),
        Command::Deploy(deploy) => deploy::deploy(&deploy),
        Command::Deployments(deployments) => deployments::deployments(&deployments.command),
        Command::Reset(reset) => reset::reset(&reset),
        Command::Offsets(offsets) => offsets::offsets(&offsets),
        Command::Completions { shell } => {
            // Generated in memory: the generator panics if standard output is closed.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "millrace", &mut script);
            Ok(io::stdout().write_all(&script)?)
        }
    }
}
