//! The deterministic core of Millrace: no I/O, no clock, no threads, no async.
//!
//! A [`topology::Topology`] describes a pipeline, a [`task::Task`] runs one part of it for one partition, and [`ports`]
//! has all that a task needs from outside. The engine is a function of its decision log: the same records in the same
//! order give the same outputs, byte for byte, on any driver and after any restart.

mod calls;
pub mod canary;
mod codec;
pub mod contents;
pub mod dead_letter;
pub mod deployment;
mod event_time;
pub mod global;
mod json;
pub mod ledger;
pub mod logic;
pub mod manifest;
pub mod meta;
mod operators;
pub mod partitioner;
mod path;
pub mod ports;
mod provenance;
pub mod record;
pub mod refused;
pub mod rfc3339;
mod row;
pub mod secret;
pub mod shadow;
pub mod size;
mod split;
pub mod stage;
pub mod state;
mod step;
pub mod task;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod topology;
mod unit;
