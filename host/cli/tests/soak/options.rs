//! What can be said on the command line.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, ValueEnum};

/// Runs processes of one app under faults, and checks what comes of it.
#[derive(Debug, Parser)]
#[command(name = "soak", bin_name = "just soak")]
pub struct Options {
    /// How long faults go on; starting, and checking afterwards, come on top
    #[arg(long, default_value_t = 60.0)]
    pub minutes: f64,
    /// Decides schedule and input [default: one that nobody has seen]
    #[arg(long)]
    seed: Option<u64>,
    /// Records a second, over all topics
    #[arg(long, default_value_t = 120)]
    pub rate: u32,
    /// Kinds of faults and records that are left out, to find out which of them does it
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND,..")]
    pub without: Vec<Kind>,
    /// Folder for logs, samples and what a failure needs, as an absolute path [default: soak/SEED-TIME in the target
    /// folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only print the schedule
    #[arg(long)]
    pub plan: bool,
}

/// A kind of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Processes are killed (SIGKILL)
    Kill,
    /// Processes are stopped (SIGTERM) and started again
    Term,
    /// Processes are halted (SIGSTOP) for less or more than their timeouts
    Halt,
    /// Processes lose their data folder
    Wipe,
    /// Processes die between two steps of a commit
    Point,
    /// The number of processes changes
    Scale,
    /// Brokers are killed, stopped, halted or rolled
    Brokers,
    /// All processes stop, and a topic gets more partitions
    Grow,
    /// Records that are broken, too large, out of their time, or make the rule panic, loop or fail
    Poison,
    /// Records that are a day ahead of the clock, as the sources allow; brokers allow an hour unless told otherwise
    Ahead,
    /// Records that the rule is slow with
    Slow,
    /// The topics that are merged have unlike numbers of partitions
    Merge,
}

impl Options {
    /// The seed, made up where none was given.
    pub fn seed(&self) -> u64 {
        let made_up = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 % 1_000_000;
        self.seed.unwrap_or_else(made_up)
    }

    /// How long faults go on.
    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }

    /// Whether a kind of harm is done.
    pub fn has(&self, kind: Kind) -> bool {
        !self.without.contains(&kind)
    }
}
