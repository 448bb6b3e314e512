//! Outputs of a task.

use bytes::Bytes;

use crate::record::{Headers, Timestamp, Window};
use crate::topology::TopicId;

/// An output of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Topic.
    pub topic: TopicId,
    /// Partition.
    pub partition: u32,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Event time.
    pub timestamp: Timestamp,
    /// Headers.
    pub headers: Headers,
    /// Window, if the record has one.
    pub window: Option<Window>,
    /// Turn of its input record.
    pub turn: u64,
    /// Arrival of its input record, by the driver's clock.
    pub arrived: Timestamp,
}
