//! What the bindings don't offer, straight from librdkafka: reading in batches, the ends of partitions as the last fetch
//! knew them, sending to a topic without a look-up by name, and the ids of topics, also when they change.
//!
//! The only unsafe code of this crate. Each block says what it relies on; the facts are those of `rdkafka.h`.
#![allow(unsafe_code, reason = "calls into librdkafka that its bindings have no safe form of")]

mod fetch;
mod send;
mod topic_ids;
mod topic_watch;

pub(crate) use fetch::{Fetched, Fetcher, Message, c_name};
pub(crate) use send::{Record, Sender};
pub(crate) use topic_ids::topic_ids;
