//! Clients of a cluster: how librdkafka is set up and called, what it logs, one producer, one fetcher. A client knows
//! topics and partitions, and nothing of tasks.
//!
//! Uses [`error`](crate::error) only.

pub(crate) mod app;
pub(crate) mod calls;
pub(crate) mod context;
pub(crate) mod fetch_failure;
pub(crate) mod first_answer;
pub(crate) mod native;
pub(crate) mod producer;
pub(crate) mod settings;
