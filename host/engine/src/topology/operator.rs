//! What a node does.

use std::sync::Arc;

use super::{Ahead, Call, Emit, EventTime, Identity, JoinKind, JoinWindow, OnDrop, TopicId, ValueCodec, Windows};
use crate::manifest::KeyCodec;
use crate::ports::StoreId;

/// A table that a step reads, with the name it has for guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    /// Its store.
    pub store: StoreId,
    /// Its name.
    pub name: String,
}

/// How the key of a windowed record is written at a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkKey {
    /// The plain key; the window goes into headers.
    #[default]
    Plain,
    /// Key, start and end.
    Windowed,
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum Operator {
    /// Reads a topic.
    Source {
        /// Topic: one of the sub-topology's inputs.
        topic: TopicId,
        /// Key codec; a key that doesn't fit fails.
        key: KeyCodec,
        /// Value codec; a value that doesn't fit fails.
        value: ValueCodec,
        /// Event time.
        timestamp: EventTime,
        /// What becomes of records whose time is negative or can't be read: left out by default.
        on_bad_time: OnDrop,
        /// What becomes of records from the future; as they are where there is none.
        ahead: Option<Ahead>,
        /// A transform function whose failures are the source's; its outputs are not used.
        validate: Option<Call>,
    },
    /// Keeps the latest value of each key, and passes changes on.
    Table {
        /// Its store.
        store: StoreId,
    },
    /// Calls a transform function.
    Transform {
        /// The function.
        call: Call,
    },
    /// Passes on what comes from any of several steps.
    Merge,
    /// Joins two streams within a window.
    StreamJoin {
        /// Which records come out.
        kind: JoinKind,
        /// What its left and its right side read, as the file has it: `step` or `step.port`.
        sides: [String; 2],
        /// The window.
        window: JoinWindow,
        /// Its store, a [`StoreKind::WindowRecords`](super::StoreKind::WindowRecords): both sides, and the records that wait for a match in a left or outer join.
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
        /// Which rows come out.
        kind: JoinKind,
        /// The left table.
        left: TableUse,
        /// The right table.
        right: TableUse,
        /// The join function.
        call: Call,
    },
    /// Keeps a state for each key, or for each key and window.
    Aggregate {
        /// Its store: [`StoreKind::KeyValue`](super::StoreKind::KeyValue) without windows, [`StoreKind::AggregateWindows`](super::StoreKind::AggregateWindows) with.
        store: StoreId,
        /// Its windows, if it has any.
        windows: Option<Windows>,
        /// When results come out.
        emit: Emit,
        /// With [`Emit::Final`]: a key-value store with the windows that are open, in the order of their ends.
        open: Option<StoreId>,
        /// The aggregate function.
        call: Call,
    },
    /// Calls a process function record by record.
    Process {
        /// Its stores, in the order of the function's manifest.
        stores: Arc<[StoreId]>,
        /// A key-value store with its timers, if the function sets any.
        timers: Option<StoreId>,
        /// The process function.
        call: Call,
    },
    /// Leaves out what has come before.
    Dedup {
        /// What it has seen: a [`StoreKind::WindowRecords`](super::StoreKind::WindowRecords).
        store: StoreId,
        /// By what records are known; the first that is there counts.
        by: Vec<Identity>,
        /// How far apart in event time two records with the same identity are duplicates, in milliseconds.
        within: i64,
    },
    /// Writes to a repartition topic, with the true origin in headers of our own.
    Repartition {
        /// The topic.
        topic: TopicId,
    },
    /// Writes to a topic.
    Sink {
        /// The topic.
        topic: TopicId,
        /// How windowed keys are written.
        key: SinkKey,
    },
}

impl Operator {
    /// Whether records leave the task by it: nothing comes after it.
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
}
