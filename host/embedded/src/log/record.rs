//! A record that is about to be appended.

use bytes::Bytes;
use millrace_engine::record::{Headers, InputRecord, Timestamp, TimestampType};

/// A record that is about to be appended; the log gives it its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Event time.
    pub timestamp: Timestamp,
    /// Key; `None` is null.
    pub key: Option<Bytes>,
    /// Value; `None` is null.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
}

impl NewRecord {
    /// A record with key and value, without headers.
    pub fn new(timestamp: Timestamp, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { timestamp, key: Some(key.into()), value: Some(value.into()), headers: Headers::EMPTY }
    }

    /// The record as input of a task; the driver sets `arrived` and `turn`.
    pub(crate) fn at(self, offset: i64) -> InputRecord {
        InputRecord {
            offset,
            timestamp: self.timestamp,
            timestamp_type: TimestampType::CreateTime,
            key: self.key,
            value: self.value,
            headers: self.headers,
            arrived: 0,
            turn: 0,
        }
    }

    /// Bytes of memory, roughly.
    pub(crate) fn held(&self) -> usize {
        let field = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let header = |header: &millrace_engine::record::Header| header.name.len() + field(&header.value) + 64;
        size_of::<Self>()
            + field(&self.key)
            + field(&self.value)
            + self.headers.as_slice().iter().map(header).sum::<usize>()
    }
}
