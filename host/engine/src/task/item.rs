//! What travels along the edges.

use bytes::Bytes;

use super::Row;
use crate::path::Path;
use crate::ports::Message;
use crate::record::{Headers, Timestamp, Window, length};
use crate::topology::NodeId;

/// A record on its way through the operators.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Headers,
    pub(crate) window: Option<Window>,
}

impl Record {
    /// The record as a guest sees it, coming from the step `input`.
    pub(crate) fn message<'a>(&'a self, input: &'a str) -> Message<'a> {
        Message {
            input,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            timestamp: self.timestamp,
            headers: self.headers.as_slice(),
            window: self.window,
        }
    }

    /// Bytes of key and value.
    pub(crate) fn size(&self) -> usize {
        length(&self.key) + length(&self.value)
    }

    /// Bytes of key, value and headers: what a topic's limit is about.
    pub(crate) fn whole_size(&self) -> usize {
        self.size() + self.headers.sent_size()
    }
}

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
