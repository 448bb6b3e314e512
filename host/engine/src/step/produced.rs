//! Records that leave a task.

use bytes::Bytes;

use crate::record::{Headers, Timestamp, Window};
use crate::topology::TopicId;

/// A record that a task put out.
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
    /// Its window, where it has one.
    pub window: Option<Window>,
    /// The turn of the input record it comes from.
    pub turn: u64,
    /// When that record arrived, by the driver's clock.
    pub arrived: Timestamp,
}
