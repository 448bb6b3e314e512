//! A task's sub-topology, and the source nodes of its inputs.

use crate::event_time::TimestampExtractor;
use crate::topology::{NodeId, Operator, SubTopology, TopicId, Topology};

/// The sub-topology of a task.
pub(super) fn shape(topology: &Topology, index: usize) -> &SubTopology {
    #[expect(clippy::indexing_slicing, reason = "the driver opens tasks for the sub-topologies of this topology")]
    &topology.subtopologies[index]
}

/// The node that reads a topic. Every input has one by construction.
pub(super) fn source_of(shape: &SubTopology, topic: TopicId) -> NodeId {
    let reads = |operator: &Operator| matches!(operator, Operator::Source { topic: read, .. } if *read == topic);
    NodeId(shape.nodes.iter().position(|node| reads(&node.operator)).unwrap_or(0))
}

/// The timestamp extractor of a source.
pub(super) fn extractor_of(shape: &SubTopology, source: NodeId) -> TimestampExtractor {
    match shape.nodes.get(source.0).map(|node| &node.operator) {
        Some(Operator::Source { timestamp, ahead, .. }) => {
            TimestampExtractor { event: timestamp.clone(), ahead: *ahead }
        }
        _ => TimestampExtractor::default(),
    }
}
