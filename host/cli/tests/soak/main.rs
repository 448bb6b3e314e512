//! A soak: processes of one app, and for an hour all that can happen to them, at random from a seed.
//!
//! `just soak --minutes 60 --seed 7` starts three brokers and two processes of [the pipeline](../soak/pipeline.toml), feeds
//! them good and broken records, and meanwhile kills, halts, stops and wipes processes, changes how many there are, and
//! takes brokers away. Then six oracles look at what came of it:
//!
//! 1. committed output equals `millrace replay` of the input as it lies in the topics ([`replayed`], [`output`])
//! 2. sums recomputed from the input ([`sums`])
//! 3. every input record is accounted for: output, dead letter with its reason, or a drop that was to be ([`accounts`])
//! 4. the state on disk equals its changelogs ([`state`])
//! 5. no transaction is left open, and nothing is left to process ([`rest`])
//! 6. memory is flat ([`memory`]), and no partition stands still for longer than 30 s without a reason ([`progress`])
//!
//! The seed decides the faults with their times, and the input with its times, both counted from the start. It can't
//! decide what the machine decides: between which two steps of a commit a fault strikes, how records of two partitions
//! are interleaved, how long a broker takes to come back (a fault that lasts into the next one delays that, and one
//! that would be late by more than half a minute is left out), and from which moment on new partitions are written to. So
//! a seed that has shown a fault shows it again often, not always.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod accounts;
mod cluster;
mod fates;
mod faults;
mod feed;
mod findings;
mod fleet;
mod harness;
mod input;
mod inputs;
mod memory;
mod names;
mod options;
mod output;
mod place;
mod plan;
mod progress;
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
