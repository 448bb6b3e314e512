//! What the `millrace` command is made of, as modules that tests can reach.

pub mod args;
pub mod commands;
pub mod data;
pub mod diagnostics;
mod input;
pub mod lines;
pub mod load;
mod nearest;
mod output;
mod progress;
