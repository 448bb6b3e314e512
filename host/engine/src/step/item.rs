//! Records in the queue of a node.

use crate::path::Path;
use crate::record::{Record, Timestamp};
use crate::row::Row;
use crate::topology::NodeId;

/// A record in the queue of a node.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its position in the order of processing.
    pub(crate) path: Path,
    /// The node it comes from.
    pub(crate) from: NodeId,
    /// The input of the node that it arrives at.
    pub(crate) input: usize,
    pub(crate) record: Record,
    /// The change of a table row that it stands for, if it comes from a table.
    pub(crate) row: Row,
}

impl Item {
    /// The time at which it changes the state of an aggregate.
    pub(crate) fn time(&self) -> Timestamp {
        match self.row {
            Row::Old { until } => until,
            Row::New | Row::Gone => self.record.timestamp,
        }
    }
}
