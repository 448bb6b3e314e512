//! Records that have arrived at a node.

use crate::path::Path;
use crate::record::{Record, Timestamp};
use crate::row::Row;
use crate::topology::NodeId;

/// A record that has arrived at a node.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its place in the order of processing.
    pub(crate) path: Path,
    /// The node it comes from.
    pub(crate) from: NodeId,
    /// The input of the node it has arrived at.
    pub(crate) input: usize,
    pub(crate) record: Record,
    /// What it says of a row, where it comes from a table.
    pub(crate) row: Row,
}

impl Item {
    /// When what it does to the state of an aggregate happens.
    pub(crate) fn time(&self) -> Timestamp {
        match self.row {
            Row::Old { until } => until,
            Row::New | Row::Gone => self.record.timestamp,
        }
    }
}
