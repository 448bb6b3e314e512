//! What the bindings don't offer, straight from librdkafka: reading in batches, the ends of partitions as the last fetch
//! knew them, sending to a topic without a look-up by name, and the ids of topics.
//!
//! The only unsafe code of this crate. Each block says what it relies on; the facts are those of `rdkafka.h`.
#![allow(unsafe_code, reason = "calls into librdkafka that its bindings have no safe form of")]

mod fetch;
mod send;
mod topic_ids;

pub(crate) use fetch::{Fetched, Fetcher, c_name, headers};
pub(crate) use send::{Record, Sender};
pub(crate) use topic_ids::topic_ids;
