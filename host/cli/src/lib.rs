//! What the `millrace` command is made of, as modules that tests can reach.
#![deny(clippy::print_stderr, clippy::print_stdout, reason = "they panic where nobody reads any more: see `say`")]

pub mod args;
pub mod commands;
pub mod data;
pub mod diagnostics;
pub mod exit;
mod input;
pub mod lines;
pub mod load;
pub mod log;
mod output;
mod progress;
mod say;

pub use say::say;
