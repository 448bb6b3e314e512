//! Limits of sizes.

use std::sync::Arc;

use millrace_engine::topology::{TopicKind, Topology};

/// What is too large; part of what the result depends on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of records of all topics but those of dead letters.
    pub record_bytes: usize,
    pub state_bytes: usize,
    /// What a step may make of one record.
    pub record_outputs: u64,
}

impl Limits {
    pub const NONE: Self = Self { record_bytes: usize::MAX, state_bytes: usize::MAX, record_outputs: u64::MAX };

    pub(super) fn of_topics(self, topology: &Topology) -> Arc<[usize]> {
        let limit = |kind| if kind == TopicKind::DeadLetters { usize::MAX } else { self.record_bytes };
        topology.topics.iter().map(|topic| limit(topic.kind)).collect()
    }
}
