//! What the brokers have: topics and their settings, internal topics, committed offsets, and how large records may be.
//!
//! Uses [`client`](crate::client), [`tasks`](crate::tasks) and [`error`](crate::error).

mod admin;
mod committed;
pub(crate) mod contradictions;
pub(crate) mod internal_topics;
pub(crate) mod limits;
pub(crate) mod metadata;
pub(crate) mod refused;
pub(crate) mod unclear;
pub(crate) mod whole_topic;

pub use crate::client::native::TopicSpec;
pub use admin::Cluster;
pub(crate) use admin::REQUEST_TIMEOUT;
