//! Rows of a table on their way to an aggregate that adds new ones and takes old ones back.

use crate::ports::Change;
use crate::record::Timestamp;
use crate::topology::{Edge, Node, Operator, SubTopology, Topology};

/// What a record says of a row of a table. Records that come from no table are new rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Row {
    /// It is there now.
    #[default]
    New,
    /// It was there until a record of this time came. Only edges with [`changes`](Edge::changes) carry it.
    Old {
        /// The time of that record.
        until: Timestamp,
    },
    /// It is gone. An aggregate doesn't see this: the old row has said so.
    Gone,
}

impl Row {
    /// What it does to the state of an aggregate.
    pub(crate) fn change(self) -> Change {
        match self {
            Self::New | Self::Gone => Change::Add,
            Self::Old { .. } => Change::Subtract,
        }
    }

    /// Whether an edge carries it.
    pub(super) fn goes_along(self, edge: &Edge, topology: &Topology, shape: &SubTopology) -> bool {
        match self {
            Self::New => true,
            Self::Old { .. } => edge.changes,
            Self::Gone => is_for_others(edge, topology, shape),
        }
    }
}

/// Whether an edge leads to more than aggregates that add and subtract.
fn is_for_others(edge: &Edge, topology: &Topology, shape: &SubTopology) -> bool {
    if !edge.changes {
        return true;
    }
    let any = |node: &Node, shape: &SubTopology| node.edges.iter().any(|edge| is_for_others(edge, topology, shape));
    match shape.nodes.get(edge.to.0) {
        Some(node) => match node.operator {
            Operator::Transform { .. } => any(node, shape),
            Operator::Repartition { topic } => {
                let reads =
                    |node: &&Node| matches!(node.operator, Operator::Source { topic: read, .. } if read == topic);
                let mut behind = topology.subtopologies.iter();
                behind.any(|shape| shape.nodes.iter().filter(reads).any(|node| any(node, shape)))
            }
            _ => false,
        },
        None => false,
    }
}
