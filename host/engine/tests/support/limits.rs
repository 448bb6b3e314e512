//! Limits of sizes.

use std::sync::Arc;

use millrace_engine::topology::{TopicKind, Topology};

/// Limits of sizes, on which results depend.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Limit of records, for all topics but dead-letter topics.
    pub record_bytes: usize,
    pub state_bytes: usize,
    /// Most outputs of a step for one record.
    pub record_outputs: u64,
}

impl Limits {
    pub const NONE: Self = Self { record_bytes: usize::MAX, state_bytes: usize::MAX, record_outputs: u64::MAX };

    pub(super) fn of_topics(self, topology: &Topology) -> Arc<[usize]> {
        let limit = |kind| if kind == TopicKind::DeadLetters { usize::MAX } else { self.record_bytes };
        topology.topics.iter().map(|topic| limit(topic.kind)).collect()
    }
}
