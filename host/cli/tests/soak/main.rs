//! A soak: processes of one app under random faults for an hour, from a seed.
//!
//! `just soak --minutes 60 --seed 7` starts three brokers and two processes of [the pipeline](../soak/pipeline.toml),
//! feeds them good and broken records, and meanwhile kills, halts, stops and wipes processes, changes their number, and
//! stops brokers. Then six oracles check the results:
//!
//! 1. committed output equals that of `millrace replay` of the input in the topics ([`replayed`], [`output`]). In runs
//!    of two minutes or more, no output topic is empty, and each code of refused input records has a dead letter; in
//!    runs of ten minutes or more, records are sent for every code ([`quiet`])
//! 2. sums recomputed from the input ([`sums`])
//! 3. every input record is accounted for: output, a dead letter with its reason, or an expected drop ([`accounts`])
//! 4. the state on disk equals its changelogs ([`state`])
//! 5. no transaction is open, and there is no lag ([`rest`])
//! 6. memory doesn't grow ([`memory`]), and no partition stops without a reason ([`progress`], [`logs`])
//!
//! A partition has stopped while it has a lag and its committed offset doesn't change. It may for 30 s. After that it
//! needs a reason:
//!
//! - a fault, from its beginning to 20 s after its end, and 30 s more. Faults explain at most 120 s: they come every
//!   few seconds, and no fault takes so long. A longer stop needs a log entry;
//! - an entry in the log of a process that names the partition, from after the stop began and not older than a minute;
//!   an entry about a task names its number, which is the partition of all its inputs;
//! - such an entry about a worker or the whole process: the cluster doesn't answer, a transaction waits or has failed,
//!   a call hangs, a worker has failed, a rule is slow;
//! - a process that starts, waits for the group or restores state, while it does so, for at most 120 s. Its partitions
//!   are unknown outside the group, so the stopped partition may belong to another process.
//!
//! A process that is to die at a point must be aborted there. Any other end of a process that was neither killed nor
//! told to stop is a finding. A point that isn't reached within 30 s is in the time line only: a process without work
//! doesn't reach it.
//!
//! The seed determines the faults and the input, with their times from the start. It doesn't determine the timing of
//! the machine: between which steps of a commit a fault strikes, how records of two partitions are interleaved, how
//! long a broker takes to start (a fault that lasts into the next one delays it, and one that would be late by more
//! than half a minute is skipped), and when new partitions get their first records. So a seed that has found a bug
//! often finds it again, but not always.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod accounts;
mod cluster;
mod ended;
mod fates;
mod faults;
mod feed;
mod findings;
mod fleet;
mod harness;
mod input;
mod inputs;
mod logs;
mod memory;
mod names;
mod options;
mod output;
mod place;
mod plan;
mod progress;
mod quiet;
mod replayed;
mod rest;
mod sampler;
mod soak;
mod state;
mod summary;
mod sums;
#[path = "../support/mod.rs"]
mod support;
mod timeline;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let options = options::Options::parse();
    match soak::run(&options) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
