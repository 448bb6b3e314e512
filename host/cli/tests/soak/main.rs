//! A soak: processes of one app, and for an hour all that can happen to them, at random from a seed.
//!
//! `just soak --minutes 60 --seed 7` starts three brokers and two processes of [the pipeline](../soak/pipeline.toml), feeds
//! them good and broken records, and meanwhile kills, halts, stops and wipes processes, changes how many there are, and
//! takes brokers away. Then six oracles look at what came of it:
//!
//! 1. committed output equals `millrace replay` of the input as it lies in the topics ([`replayed`], [`output`]). In runs of
//!    two minutes or more, no output topic is empty, and each code for which records of the input must be refused has a dead
//!    letter; in runs of ten or more, records are sent for every code ([`quiet`])
//! 2. sums recomputed from the input ([`sums`])
//! 3. every input record is accounted for: output, dead letter with its reason, or a drop that was to be ([`accounts`])
//! 4. the state on disk equals its changelogs ([`state`])
//! 5. no transaction is left open, and nothing is left to process ([`rest`])
//! 6. memory is flat ([`memory`]), and no partition stands still without a reason ([`progress`], [`logs`])
//!
//! A partition stands still while it has a lag and its committed offset doesn't change. It may do so for 30 s. After that it
//! needs a reason:
//!
//! - a fault, from its beginning to 20 s after its end, and 30 s more. Faults explain 120 s at most: they come every few
//!   seconds, and nothing that they do takes so long. Beyond that, only a log does;
//! - an entry in the log of a process, not older than a minute and from after it began to stand, that names the partition;
//!   one about a task names its number, which all inputs of the task have;
//! - such an entry about a worker or the whole process: the cluster doesn't answer, a transaction waits or has failed, a
//!   call hangs, a worker has failed, a rule is slow;
//! - a process that starts, waits for the group or restores state, as long as it does, for 120 s at most. Nobody outside of
//!   the group knows which partitions it has: it may be another one's that stands.
//!
//! A process that is to die at a point must be aborted there. Any other end of a process that was neither killed nor asked to
//! stop is a finding. A point that isn't reached within 30 s is noted in the time line: a process without work doesn't come
//! there.
//!
//! The seed decides the faults with their times, and the input with its times, both counted from the start. It can't
//! decide what the machine decides: between which two steps of a commit a fault strikes, how records of two partitions
//! are interleaved, how long a broker takes to come back (a fault that lasts into the next one delays that, and one
//! that would be late by more than half a minute is left out), and from which moment on new partitions are written to. So
//! a seed that has shown a fault shows it again often, not always.
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
