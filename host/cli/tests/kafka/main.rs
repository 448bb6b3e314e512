//! Exactly-once on a real broker, when processes or brokers die, or topics disappear.
//!
//! Each scenario has its own app and topics, sends input from a seed, injects faults, and checks the results with the
//! same [oracles](harness::App::check): decisions as in `replay`, sums recomputed from the input, dead letters for
//! refused records, state on disk as in its changelogs, and no open transaction. Scenarios that don't touch the broker
//! share one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;
mod scenarios;
#[path = "../support/mod.rs"]
mod support;
