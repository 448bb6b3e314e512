//! Exactly once on a real broker, whatever dies: processes, brokers, or the topics between them.
//!
//! Each scenario has its own app and topics, sends input from a seed, does harm, and then looks at what came of it with
//! the same [oracles](harness::App::check): what `replay` says, sums recomputed from the input, dead letters for what was
//! refused, the state on disk against its changelogs, and no transaction left open. Scenarios that don't touch the broker
//! share one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;
mod scenarios;
#[path = "../support/mod.rs"]
mod support;
