//! What the bindings don't offer, straight from librdkafka: reading in batches, the ends of partitions as the last
//! fetch knew them, sending to a topic without a look-up by name, what comes back with a delivery report, what topics
//! are like, also when they change, why one isn't made, committed offsets one by one, a group's members, the number of
//! its generation, and which settings there are.
//!
//! The only unsafe code of this crate. Each block says what it relies on; the facts are those of `rdkafka.h`.
#![allow(unsafe_code, reason = "calls into librdkafka that its bindings have no safe form of")]

mod admin;
mod create_topics;
mod fetch;
mod generation;
mod group_members;
mod group_offsets;
mod properties;
mod returned;
mod send;
mod topic_watch;
mod topics;

pub use create_topics::TopicSpec;
pub(crate) use create_topics::{NotMade, create_topics};
pub(crate) use fetch::{Fetched, Fetcher, c_name, headers};
pub(crate) use generation::generation_number;
pub(crate) use group_members::group_members;
pub(crate) use group_offsets::{CommittedOffset, group_offsets};
pub(crate) use properties::properties;
pub(crate) use returned::Returned;
pub(crate) use send::{OutgoingRecord, Sender};
pub(crate) use topics::{Topic, Topics, differ, is_known, topics};
