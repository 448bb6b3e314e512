//! Rules of every role, run as the host runs them.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod aggregate;
mod config;
mod join;
mod process;
mod rewrite;
mod transform;
