//! The operators of a topology.

use std::sync::Arc;

use super::{Ahead, Call, Emit, EventTime, Identity, JoinKind, JoinWindow, OnDrop, TopicId, ValueCodec, Windows};
use crate::manifest::KeyCodec;
use crate::ports::StoreId;

/// A table that a step reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    /// Its store.
    pub store: StoreId,
    /// Its name, for guests.
    pub name: String,
}

/// How a sink writes the key of a record with a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkKey {
    /// The plain key. The window is in headers.
    #[default]
    Plain,
    /// Key, start and end.
    Windowed,
}

/// The operator of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Reads a topic.
    Source {
        /// Topic: one of the sub-topology's inputs.
        topic: TopicId,
        /// Key codec. A record whose key doesn't match it fails.
        key: KeyCodec,
        /// Value codec. A record whose value doesn't match it fails.
        value: ValueCodec,
        /// Event time.
        timestamp: EventTime,
        /// What happens to records whose time is negative or can't be read: by default they are dropped.
        on_bad_time: OnDrop,
        /// What happens to records from the future; `None`: they are processed like others.
        ahead: Option<Ahead>,
        /// A transform function that validates records: a record fails if it fails there. Its outputs are not used.
        validate: Option<Call>,
    },
    /// Keeps the latest value of each key, and emits changes.
    Table {
        /// Its store.
        store: StoreId,
    },
    /// Calls a transform function.
    Transform {
        /// The function.
        call: Call,
    },
    /// Merges the outputs of several steps.
    Merge,
    /// Joins two streams within a window.
    StreamJoin {
        /// Which records it emits.
        kind: JoinKind,
        /// Its left and right input as the file has them: `step` or `step.port`.
        sides: [String; 2],
        /// The window.
        window: JoinWindow,
        /// Its store, a [`StoreKind::WindowRecords`](super::StoreKind::WindowRecords): both sides, and the unmatched
        /// records of a left or outer join.
        store: StoreId,
        /// The join function.
        call: Call,
    },
    /// Joins each record of a stream (input 0) with the row of a table. The table's node is in the same
    /// sub-topology and comes earlier.
    Lookup {
        /// Inner or left.
        kind: JoinKind,
        /// The table, which may be one of [`Topology::globals`](super::Topology::globals).
        table: TableUse,
        /// The join function.
        call: Call,
    },
    /// Joins two tables (inputs 0 and 1) whose nodes are in the same sub-topology and come earlier.
    TableJoin {
        /// Which rows it emits.
        kind: JoinKind,
        /// The left table.
        left: TableUse,
        /// The right table.
        right: TableUse,
        /// The join function.
        call: Call,
    },
    /// Keeps a state per key, or per key and window.
    Aggregate {
        /// Its store: [`StoreKind::KeyValue`](super::StoreKind::KeyValue) without windows,
        /// [`StoreKind::AggregateWindows`](super::StoreKind::AggregateWindows) with windows.
        store: StoreId,
        /// Its windows, if it has any.
        windows: Option<Windows>,
        /// When it emits results.
        emit: Emit,
        /// Whether results with a null value are dropped.
        drops_nulls: bool,
        /// With [`Emit::Final`]: a key-value store of the open windows, in the order of their ends.
        open: Option<StoreId>,
        /// The aggregate function.
        call: Call,
    },
    /// Calls a process function record by record.
    Process {
        /// Its stores, in the order of the function's manifest.
        stores: Arc<[StoreId]>,
        /// The store of its timers, if the function sets timers.
        timers: Option<StoreId>,
        /// The process function.
        call: Call,
    },
    /// Drops duplicates.
    Dedup {
        /// The store of identities: a [`StoreKind::WindowRecords`](super::StoreKind::WindowRecords).
        store: StoreId,
        /// What identifies a record; the first of these that the record has counts.
        by: Vec<Identity>,
        /// Records with the same identity are duplicates up to this distance in event time, in milliseconds.
        within: i64,
    },
    /// Writes to a repartition topic, with the record's origin in internal headers.
    Repartition {
        /// The topic.
        topic: TopicId,
    },
    /// Writes to a topic.
    Sink {
        /// The topic.
        topic: TopicId,
        /// How it writes keys of records with windows.
        key: SinkKey,
    },
}

impl Operator {
    /// Whether it drops records with a null value at this port.
    pub(crate) fn drops_nulls(&self, port: usize) -> bool {
        port == 0 && matches!(self, Self::Aggregate { drops_nulls: true, .. })
    }

    /// Whether records leave the task here.
    pub(crate) fn is_exit(&self) -> bool {
        matches!(self, Self::Sink { .. } | Self::Repartition { .. })
    }

    /// The guest function it calls.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Self::Source { validate: call, .. } => call.as_ref(),
            Self::Transform { call }
            | Self::StreamJoin { call, .. }
            | Self::Lookup { call, .. }
            | Self::TableJoin { call, .. }
            | Self::Aggregate { call, .. }
            | Self::Process { call, .. } => Some(call),
            Self::Table { .. } | Self::Merge | Self::Dedup { .. } | Self::Repartition { .. } | Self::Sink { .. } => {
                None
            }
        }
    }

    /// The stores of its function, in the order of the function's manifest.
    pub fn function_stores(&self) -> &[StoreId] {
        match self {
            Self::Aggregate { store, .. } => std::slice::from_ref(store),
            Self::Process { stores, .. } => stores,
            _ => &[],
        }
    }

    pub(super) fn call_mut(&mut self) -> Option<&mut Call> {
        match self {
            Self::Source { validate: call, .. } => call.as_mut(),
            Self::Transform { call }
            | Self::StreamJoin { call, .. }
            | Self::Lookup { call, .. }
            | Self::TableJoin { call, .. }
            | Self::Aggregate { call, .. }
            | Self::Process { call, .. } => Some(call),
            Self::Table { .. } | Self::Merge | Self::Dedup { .. } | Self::Repartition { .. } | Self::Sink { .. } => {
                None
            }
        }
    }
}
