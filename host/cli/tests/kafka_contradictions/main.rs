//! Contradictions on a real broker: offsets without state, state without offsets, recreated topics, two apps with one
//! name, state of another kind of step, processes with different versions of a plugin, orphaned topics. Each is named and refused, and
//! the advice in the message works; or all processes go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod apps;
mod cluster;
mod offsets;
mod orphaned_topics;
mod rests;
mod set_offsets;
mod state;
#[path = "../support/mod.rs"]
mod support;
mod topics;
mod versions;
