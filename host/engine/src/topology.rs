//! A pipeline as the engine runs it: sub-topologies of operators, with names, calls and stores resolved.
//!
//! [`crate::pipeline`] makes one from pipeline files and the manifests of their plugins; a [`crate::task::Task`] runs
//! one sub-topology of it for one partition number.

use std::time::Duration;

use crate::manifest::{FunctionManifest, KeyCodec};
use crate::ports::StoreId;

/// Index into [`Topology::topics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub usize);

/// Index into [`Topology::plugins`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginId(pub usize);

/// Index into [`SubTopology::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// Everything that one app runs.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Name of the app: the consumer group, and the prefix of internal topics.
    pub app: String,
    /// App-wide settings.
    pub settings: Settings,
    /// Plugins in the order of the files.
    pub plugins: Vec<PluginUse>,
    /// Topics that are read or written.
    pub topics: Vec<Topic>,
    /// State stores.
    pub stores: Vec<StoreSpec>,
    /// Tables that every instance has whole.
    pub globals: Vec<GlobalTable>,
    /// Sub-topologies: one that reads a topic comes after all that write it, unless they write for each other. One may
    /// also read what it writes itself; no record goes round.
    pub subtopologies: Vec<SubTopology>,
    /// The `[kafka]` table: raw settings for the client, in the order of the files. None is one that the host owns.
    pub kafka: Vec<(String, String)>,
}

/// App-wide settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Longest time between commits.
    pub commit_interval: Duration,
    /// Worker threads, on Kafka.
    pub threads: usize,
    /// What happens when a worker thread can't go on, on Kafka.
    pub on_worker_failure: OnWorkerFailure,
}

/// A worker thread can't go on: what then?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnWorkerFailure {
    /// Another one takes over from what is committed.
    #[default]
    Replace,
    /// The app stops.
    Stop,
}

/// A plugin of the pipeline.
#[derive(Clone, Debug)]
pub struct PluginUse {
    /// Name in the pipeline file.
    pub name: String,
    /// Path of the component, as the file has it, resolved against the file's folder.
    pub component: std::path::PathBuf,
    /// Config as JSON text, `{}` where there is none.
    pub config: String,
    /// Limits of its guests.
    pub limits: GuestLimits,
}

/// Limits of a guest. A breach is a verdict on the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestLimits {
    /// Longest time for one record.
    pub deadline: Duration,
    /// Memory of an instance, in bytes.
    pub memory: usize,
    /// Bytes of all outputs of one record.
    pub output_bytes: usize,
    /// Number of outputs of one record.
    pub outputs: usize,
    /// Store operations of one record.
    pub state_ops: usize,
    /// Bytes read from and written to stores by one record.
    pub state_bytes: usize,
}

impl Default for GuestLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(1),
            memory: 64 << 20,
            output_bytes: 8 << 20,
            outputs: 10_000,
            state_ops: 100_000,
            state_bytes: 64 << 20,
        }
    }
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name.
    pub name: String,
    /// Who it belongs to.
    pub kind: TopicKind,
    /// How keys are read, for who shows them.
    pub key: KeyCodec,
    /// Number of partitions, where the file says so (embedded only).
    pub partitions: Option<u32>,
}

/// Who a topic belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKind {
    /// Somebody else's, or for somebody else.
    External,
    /// Ours, between two sub-topologies: `<app>-<step>-repartition`.
    Repartition,
    /// Ours, for dead letters.
    DeadLetters,
}

/// How values are read at a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueCodec {
    /// JSON text: what isn't is dead-lettered at the source.
    #[default]
    Json,
    /// Any bytes.
    Bytes,
}

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
    /// The sub-topology that owns it; 0 for those that all share: [`SubTopology::meta`] and [`Topology::globals`].
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
    Window {
        /// How long an entry lives after its timestamp, in milliseconds of stream time.
        retention: i64,
    },
    /// The same keys, but entries change while they live: states of an aggregate's windows.
    Windowed {
        /// How long an entry lives after its timestamp, in milliseconds of stream time.
        retention: i64,
    },
}

impl StoreKind {
    /// How long an entry lives after its timestamp, in milliseconds of stream time, in stores whose entries expire.
    pub fn retention(self) -> Option<i64> {
        match self {
            Self::Window { retention } | Self::Windowed { retention } => Some(retention),
            Self::KeyValue | Self::Table => None,
        }
    }
}

/// A part of the topology that is connected without a repartition topic in between.
#[derive(Clone, Debug)]
pub struct SubTopology {
    /// Topics it reads, in the order of their sources in the files: this order breaks ties of timestamps.
    pub inputs: Vec<TopicId>,
    /// Operators in topological order: an edge always points to a later node. Ties in the order of the files.
    pub nodes: Vec<Node>,
    /// Stores it owns, without `meta`.
    pub stores: Vec<StoreId>,
    /// A key-value store for what must survive a restart and belongs to no store: deployments.
    /// All sub-topologies have the same one, which outlives changes of the pipeline: its keys have the names of stores
    /// and steps. Tasks of the same partition share it, and each key is of one of them: [`Topology::meta_owner`].
    pub meta: StoreId,
}

/// An operator with its exits.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name of the step.
    pub name: String,
    /// What it does.
    pub operator: Operator,
    /// Where its outputs go, in the order of the files: depth first, this is the order of processing.
    pub edges: Vec<Edge>,
    /// What happens to a record that fails.
    pub on_error: OnError,
    /// What happens to a record that comes too late.
    pub on_late: OnDrop,
    /// What happens to a record without a key where one is needed.
    pub on_null_key: OnDrop,
    /// Topic of its dead letters.
    pub dlq: TopicId,
}

/// An arrow from a port of one node to an input of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Port it leaves: index into the ports of the function, 0 for operators without one.
    pub port: usize,
    /// Node it goes to.
    pub to: NodeId,
    /// Input it arrives at: 0 for left, stream or only, 1 for right.
    pub input: usize,
    /// Whether also what is taken back goes this way: old rows of a table, on their way to an aggregate that subtracts
    /// them.
    pub changes: bool,
}

/// The port of records that a step leaves out because they come too late: `from = "step.late"`.
pub const LATE_PORT: usize = usize::MAX;

/// A record failed: what then?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It goes to the dead-letter queue.
    #[default]
    DeadLetter,
    /// It is dropped and counted.
    Skip,
    /// The app stops.
    Fail,
}

/// A record is left out by an operator: what then?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDrop {
    /// It is counted.
    #[default]
    Drop,
    /// It goes to the dead-letter queue.
    DeadLetter,
}

/// A guest function that an operator calls.
#[derive(Clone, Debug)]
pub struct Call {
    /// The plugin.
    pub plugin: PluginId,
    /// Index of the function in the plugin's manifest.
    pub function: u32,
    /// What the manifest says of it.
    pub manifest: FunctionManifest,
}

/// Which records a join puts out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinKind {
    /// Those with both sides.
    #[default]
    Inner,
    /// All of the left side.
    Left,
    /// All of both sides.
    Outer,
}

/// What to do with a timestamp that is further ahead of the driver's clock than a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// How far ahead a timestamp may be, in milliseconds.
    pub limit: i64,
    /// What becomes of a record that is further ahead.
    pub then: OnAhead,
}

/// A record is too far ahead: what then?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAhead {
    /// Its timestamp is set to the driver's clock when it arrived.
    Clamp,
    /// It goes to the dead-letter queue.
    DeadLetter,
}

/// Windows of an aggregate; times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Which windows a record falls into.
    pub kind: WindowKind,
    /// How long after its end a window still takes late records.
    pub grace: i64,
}

/// Which windows a record falls into; times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Windows `[start, start + size)` that begin at each multiple of `every` since the epoch; tumbling where both are
    /// equal.
    Hopping {
        /// Length.
        size: i64,
        /// Distance between the starts of two windows; at most `size`.
        every: i64,
    },
    /// Windows `[end - difference, end]`, one for each set of records that are no further apart.
    Sliding {
        /// Length.
        difference: i64,
    },
    /// Windows `[first, last]` of records that follow one another within a gap.
    Session {
        /// Longest pause within a session.
        gap: i64,
    },
}

impl Windows {
    /// How long a state lives after the time that it is kept under: a window's start, a session's end. As in Kafka
    /// Streams, where nothing else is said.
    pub fn retention(&self) -> i64 {
        let length = match self.kind {
            WindowKind::Hopping { size, .. } => size,
            WindowKind::Sliding { difference } => difference.saturating_mul(2),
            WindowKind::Session { gap } => gap,
        };
        length.saturating_add(self.grace)
    }
}

/// When an aggregate puts out results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// After each record.
    #[default]
    Each,
    /// At each commit, the last result of each key and window that has changed since the one before.
    Commit,
    /// Once for each window, when no more records can come into it.
    Final,
}

/// By what a duplicate is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The value of the last header of this name.
    Header(String),
    /// This field of the JSON value.
    Field(String),
}

/// A table that a step reads, with the name it has for guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    /// Its store.
    pub store: StoreId,
    /// Its name.
    pub name: String,
}

/// Where event time comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EventTime {
    /// The record's timestamp.
    #[default]
    Record,
    /// This field of the JSON value.
    Field(String),
}

/// Stream-stream join settings; times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinWindow {
    /// How much earlier than the left record the right one may be.
    pub before: i64,
    /// How much later than the left record the right one may be.
    pub after: i64,
    /// How long after the window a late record is still stored.
    pub grace: i64,
}

impl JoinWindow {
    /// How long each side's records are kept: `before + after + grace`.
    pub fn retention(&self) -> i64 {
        self.before.saturating_add(self.after).saturating_add(self.grace)
    }
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
        /// The window.
        window: JoinWindow,
        /// Its store, a [`StoreKind::Window`]: both sides, and the records that wait for a match in a left or outer join.
        store: StoreId,
        /// The join function.
        call: Call,
    },
    /// Joins each record of a stream (input 0) with the row of a table. The table's node is in the same
    /// sub-topology and comes earlier.
    Lookup {
        /// Inner or left.
        kind: JoinKind,
        /// The table, which may be one of [`Topology::globals`].
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
        /// Its store: [`StoreKind::KeyValue`] without windows, [`StoreKind::Windowed`] with.
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
        stores: Vec<StoreId>,
        /// A key-value store with its timers, if the function sets any.
        timers: Option<StoreId>,
        /// The process function.
        call: Call,
    },
    /// Leaves out what has come before.
    Dedup {
        /// What it has seen: a [`StoreKind::Window`].
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
