//! What is kept, and for how long.

use crate::manifest::KeyCodec;
use crate::ports::StoreId;
use crate::topology::{TopicId, ValueCodec};

/// A state store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    /// Name, unique in the app.
    pub name: String,
    /// Layout and life time.
    pub kind: StoreKind,
    /// How its keys are read, for who queries it.
    pub key: KeyCodec,
    /// Whether people may query it: tables, and the stores that a plugin says are JSON.
    pub queryable: bool,
    /// The sub-topology that owns it; 0 for those that all share: [`SubTopology::meta`](super::SubTopology::meta) and [`Topology::globals`](super::Topology::globals).
    pub subtopology: usize,
}

/// A table that every instance has whole, whatever partitions it works on. Drivers keep it: its rows change between
/// transactions only, by [`crate::global::row`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalTable {
    /// Name.
    pub name: String,
    /// Topic it is kept of. No sub-topology reads it through this table.
    pub topic: TopicId,
    /// Key codec; a record whose key doesn't fit is left out.
    pub key: KeyCodec,
    /// Value codec; a record whose value doesn't fit is left out.
    pub value: ValueCodec,
    /// Its store, of kind [`StoreKind::Table`]: the same for all partitions.
    pub store: StoreId,
}

/// Layout and life time of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Key to value, stamped with a state version.
    KeyValue,
    /// Key to timestamp and value: a table.
    Table,
    /// Key and timestamp to value, duplicates kept, expired by stream time: records of a stream-stream join. No entry is
    /// written twice. Those that wait for a match are deleted one by one, and don't expire.
    WindowRecords {
        /// How long an entry lives after its timestamp, in milliseconds of stream time.
        retention: i64,
    },
    /// The same keys, but entries change while they live: states of an aggregate's windows.
    AggregateWindows {
        /// How long an entry lives after its timestamp, in milliseconds of stream time.
        retention: i64,
    },
}

impl StoreKind {
    /// The store of a step that lets the first of duplicates through, where records that are no further apart than `within`
    /// milliseconds are duplicates.
    pub fn of_dedup(within: i64) -> Self {
        Self::WindowRecords { retention: retention_of_dedup(within) }
    }

    /// How long an entry lives after its timestamp, in milliseconds of stream time, in stores whose entries expire.
    pub fn retention(self) -> Option<i64> {
        match self {
            Self::WindowRecords { retention } | Self::AggregateWindows { retention } => Some(retention),
            Self::KeyValue | Self::Table => None,
        }
    }
}

/// How long an identity is kept, where records that are no further apart than `within` are duplicates: as long as records
/// come that are not late, which are at most `within` behind the stream time, and have all that they are to be compared
/// with, which is at most `within` before them.
pub(crate) fn retention_of_dedup(within: i64) -> i64 {
    within.saturating_mul(2).saturating_add(1)
}
