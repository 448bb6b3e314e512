//! State stores: their layout and retention.

use crate::manifest::KeyCodec;
use crate::ports::StoreId;
use crate::topology::{TopicId, ValueCodec};

/// A state store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    /// Name, unique in the app.
    pub name: String,
    /// Layout and retention.
    pub kind: StoreKind,
    /// Type of its keys, for queries.
    pub key: KeyCodec,
    /// Whether it can be queried: tables can, and stores whose values are JSON by the plugin's manifest.
    pub queryable: bool,
    /// The sub-topology that owns it; 0 for shared stores: [`SubTopology::meta`](super::SubTopology::meta) and
    /// [`Topology::globals`](super::Topology::globals).
    pub subtopology: usize,
}

/// A table of which every instance has all rows, whatever partitions it processes. Drivers keep it, and change its rows
/// between transactions only, by [`crate::global::row`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalTable {
    /// Name.
    pub name: String,
    /// Topic of its rows.
    pub topic: TopicId,
    /// Key codec. A record whose key doesn't match it is dropped.
    pub key: KeyCodec,
    /// Value codec. A record whose value doesn't match it is dropped.
    pub value: ValueCodec,
    /// Its store, of kind [`StoreKind::Table`], which all partitions share.
    pub store: StoreId,
}

/// Layout and retention of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Key to state version and value.
    KeyValue,
    /// Key to timestamp and value: a table.
    Table,
    /// Key and timestamp to value, with duplicates: records of a stream-stream join, or identities of a deduplicating
    /// step. Stream time expires entries, and no entry is written twice. Unmatched records don't expire; the join
    /// deletes each.
    WindowRecords {
        /// How long an entry lives after its timestamp, in milliseconds of stream time.
        retention: i64,
    },
    /// Key and window to state: windows of an aggregate. Entries change until they expire.
    AggregateWindows {
        /// How long an entry lives after its timestamp, in milliseconds of stream time.
        retention: i64,
    },
}

impl StoreKind {
    /// The store of a deduplicating step, where records at most `within` milliseconds apart are duplicates.
    pub fn of_dedup(within: i64) -> Self {
        Self::WindowRecords { retention: retention_of_dedup(within) }
    }

    /// How long an entry lives after its timestamp, in milliseconds of stream time; `None` if entries don't expire.
    pub fn retention(self) -> Option<i64> {
        match self {
            Self::WindowRecords { retention } | Self::AggregateWindows { retention } => Some(retention),
            Self::KeyValue | Self::Table => None,
        }
    }
}

/// How long a deduplicating step keeps an identity, where records at most `within` apart are duplicates. A record that
/// is not late is at most `within` behind stream time, and its duplicates are at most `within` before it.
pub(crate) fn retention_of_dedup(within: i64) -> i64 {
    within.saturating_mul(2).saturating_add(1)
}
