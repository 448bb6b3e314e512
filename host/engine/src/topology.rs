//! A pipeline as the engine runs it: sub-topologies of operators, with names, calls and stores resolved.
//!
//! One is made from pipeline files and the manifests of their plugins, in a crate above this one; a [`crate::task::Task`]
//! runs one sub-topology of it for one partition number. [`partitions`] says how many partitions each topic has,
//! [`spread_alike`] which topics need the same partitioner.

mod operator;
mod partitions;
mod store;
mod time;

use std::time::Duration;

use crate::manifest::{FunctionManifest, KeyCodec};
use crate::ports::StoreId;
use crate::secret::Secret;
pub use operator::{Operator, SinkKey, TableUse};
pub use partitions::{PARTITIONS_STAY, PartitionMismatch, partitions, said_otherwise, spread_alike};
pub(crate) use store::retention_of_dedup;
pub use store::{GlobalTable, StoreKind, StoreSpec};
pub use time::{Ahead, Emit, EventTime, Identity, JoinKind, JoinWindow, OnAhead, WindowKind, Windows};

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
    pub kafka: Vec<(String, Secret)>,
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
    /// The plugin's name for itself, in its manifest; a pipeline file may call it something else.
    pub plugin_name: String,
    /// Index of the function in the plugin's manifest.
    pub function: u32,
    /// What the manifest says of it.
    pub manifest: FunctionManifest,
}
