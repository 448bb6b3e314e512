//! What doesn't belong together on a real broker: offsets without state and state without offsets, topics that were made
//! anew, two apps with one name, state of another kind of step, and processes with different versions of a plugin. Each is
//! named and refused, and the ways out that are named work; or all go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod apps;
mod cluster;
mod offsets;
mod rests;
mod set_offsets;
mod state;
#[path = "../support/mod.rs"]
mod support;
mod topics;
mod versions;
