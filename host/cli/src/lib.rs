//! The modules of the `millrace` command, as a library for tests.
#![deny(clippy::print_stderr, clippy::print_stdout, reason = "they panic if the stream is closed: see `say`")]

pub mod args;
mod author;
pub mod commands;
pub mod data;
pub mod diagnostics;
pub mod exit;
mod input;
pub mod lines;
pub mod load;
pub mod log;
mod output;
pub mod plugins;
mod progress;
mod say;
mod time_share;

pub use say::say;
