//! What the bindings don't offer, straight from librdkafka: reading in batches, the ends of partitions as the last fetch
//! knew them, sending to a topic without a look-up by name, what comes back with a delivery report,
//! the ids of topics, and why one isn't made.
//!
//! The only unsafe code of this crate. Each block says what it relies on; the facts are those of `rdkafka.h`.
#![allow(unsafe_code, reason = "calls into librdkafka that its bindings have no safe form of")]

mod create_topics;
mod fetch;
mod returned;
mod send;
mod topic_ids;

pub(crate) use create_topics::{NotMade, create_topics};
pub(crate) use fetch::{Fetched, Fetcher, Message, c_name};
pub(crate) use returned::Returned;
pub(crate) use send::{Record, Sender};
pub(crate) use topic_ids::topic_ids;
