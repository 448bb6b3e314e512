//! Rows of a table, on their way to an aggregate that adds new rows and subtracts old ones.

use crate::ports::Change;
use crate::record::Timestamp;
use crate::topology::{Edge, Node, Operator, SubTopology, Topology};

/// The table row that a record stands for. Records of streams are new rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Row {
    /// The current row.
    #[default]
    New,
    /// A row that was replaced. Only edges with [`changes`](Edge::changes) carry it.
    Old {
        /// The time of the record that replaced it.
        until: Timestamp,
    },
    /// A deleted row. An aggregate doesn't get it: it has subtracted the old row.
    Gone,
}

impl Row {
    /// The change of an aggregate's state.
    pub(crate) fn change(self) -> Change {
        match self {
            Self::New | Self::Gone => Change::Add,
            Self::Old { .. } => Change::Subtract,
        }
    }

    /// Whether an edge carries the row.
    pub(super) fn goes_along(self, edge: &Edge, topology: &Topology, shape: &SubTopology) -> bool {
        match self {
            Self::New => true,
            Self::Old { .. } => edge.changes,
            Self::Gone => is_for_others(edge, topology, shape),
        }
    }
}

/// Whether an edge leads to other steps than aggregates that add and subtract.
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
