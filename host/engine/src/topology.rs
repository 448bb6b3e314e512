//! A pipeline as the engine runs it: sub-topologies of operators, with names, calls and stores resolved.
//!
//! A crate above this one builds it from pipeline files and the manifests of their plugins; a [`crate::task::Task`]
//! runs one sub-topology for one partition number. [`partitions`] computes the number of partitions of each topic,
//! [`spread_alike`] the topics that need the same partitioner.

mod operator;
mod partitions;
mod store;
mod swap;
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

/// The pipeline of an app.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Name of the app: the consumer group, and the prefix of internal topics.
    pub app: String,
    /// App-wide settings.
    pub settings: Settings,
    /// Plugins in the order of the files.
    pub plugins: Vec<PluginUse>,
    /// Topics that the app reads or writes.
    pub topics: Vec<Topic>,
    /// State stores.
    pub stores: Vec<StoreSpec>,
    /// Global tables: every instance has all of their rows.
    pub globals: Vec<GlobalTable>,
    /// Sub-topologies: the readers of a topic come after its writers, unless they write topics for each other. A
    /// sub-topology may read a topic that it writes itself; no record goes round in a circle.
    pub subtopologies: Vec<SubTopology>,
    /// The `[kafka]` table: the client's settings, in the order of the files, without settings that the host sets
    /// itself.
    pub kafka: Vec<(String, Secret)>,
}

/// App-wide settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Longest time between commits.
    pub commit_interval: Duration,
    /// Worker threads, on Kafka.
    pub threads: usize,
    /// What happens when a worker thread fails, on Kafka.
    pub on_worker_failure: OnWorkerFailure,
    /// What becomes of the versions of plugins in the files of a process that starts.
    pub deploy_on_start: DeployOnStart,
    /// When too many records fail after a deployment; none switches the guard off.
    pub flood_guard: Option<FloodLimits>,
}

/// Permanent failures after a deployment that are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodLimits {
    /// The share of results that fail, in hundredths of a percent.
    pub share: u32,
    /// Fewer results than this show nothing.
    pub records: u64,
}

impl Default for FloodLimits {
    fn default() -> Self {
        Self { share: 2_000, records: 1_000 }
    }
}

/// What becomes of the versions in the files of a process that starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeployOnStart {
    /// A version that the app has never had becomes the active one. With one that it has had, the process runs the
    /// active one: a restart with old files doesn't turn a rule back.
    #[default]
    New,
    /// The version in the files becomes the active one.
    Always,
    /// The process runs the active version, whatever its files have. Only an app without one gets that of the files.
    Never,
}

/// What happens when a worker thread fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnWorkerFailure {
    /// A new worker resumes from the last commit.
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
    /// Path of the component, resolved against the folder of the pipeline file.
    pub component: std::path::PathBuf,
    /// Config as JSON text; `{}` if the file has none.
    pub config: String,
    /// Limits of its guests.
    pub limits: GuestLimits,
}

/// Limits of a guest. A record whose call exceeds one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestLimits {
    /// Most time for one record.
    pub deadline: Duration,
    /// Most memory of an instance, in bytes.
    pub memory: usize,
    /// Most bytes of all outputs of one record.
    pub output_bytes: usize,
    /// Most outputs of one record.
    pub outputs: usize,
    /// Most store operations of one record.
    pub state_ops: usize,
    /// Most bytes that one record reads from and writes to stores.
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
    /// Owner.
    pub kind: TopicKind,
    /// Type of the keys, for displaying them.
    pub key: KeyCodec,
    /// Number of partitions in the pipeline file, if it has one (embedded driver only).
    pub partitions: Option<u32>,
}

/// Owner of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKind {
    /// Others: this app only reads or writes the topic.
    External,
    /// This app, between two sub-topologies: `<app>-<step>-repartition`.
    Repartition,
    /// This app, for dead letters.
    DeadLetters,
}

/// Type of the values at a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueCodec {
    /// JSON text. The source dead-letters any other value.
    #[default]
    Json,
    /// Any bytes.
    Bytes,
}

/// A part of the topology that is connected without a repartition topic in between.
#[derive(Clone, Debug)]
pub struct SubTopology {
    /// Topics it reads, in the order of their sources in the files, which breaks ties of timestamps.
    pub inputs: Vec<TopicId>,
    /// Operators in topological order: an edge points to a later node. Ties follow the order of the files.
    pub nodes: Vec<Node>,
    /// Stores it owns, except `meta`.
    pub stores: Vec<StoreId>,
    /// The meta store: key-value data that must survive a restart and belongs to no other store, such as deployments.
    /// All sub-topologies have the same one. It survives changes of the pipeline, because its keys are names of topics
    /// and steps. Tasks of the same partition share it, and one of them owns each key: [`Topology::meta_owner`].
    pub meta: StoreId,
}

/// A step of the pipeline: an operator and its edges.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name of the step.
    pub name: String,
    /// Operator.
    pub operator: Operator,
    /// Destinations of its outputs, in the order of the files, which is the order of processing, depth first.
    pub edges: Vec<Edge>,
    /// What happens to a record that fails.
    pub on_error: OnError,
    /// What happens to a late record.
    pub on_late: OnDrop,
    /// What happens to a record without a key, if the operator needs one.
    pub on_null_key: OnDrop,
    /// Its dead-letter topic.
    pub dlq: TopicId,
}

/// An edge from a port of one node to an input of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Port that it leaves: index into the function's ports, 0 for operators without a function.
    pub port: usize,
    /// Destination.
    pub to: NodeId,
    /// Input of the destination: 0 for left, stream or only input, 1 for right.
    pub input: usize,
    /// Whether it also carries old rows of a table, to an aggregate that subtracts them.
    pub changes: bool,
}

/// The port of a step's late records: `from = "step.late"`.
pub const LATE_PORT: usize = usize::MAX;

/// What happens to a record that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It is written to the dead-letter topic.
    #[default]
    DeadLetter,
    /// It is dropped and counted.
    Skip,
    /// The app stops.
    Fail,
}

/// What happens to a record that an operator can't use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDrop {
    /// It is dropped and counted.
    #[default]
    Drop,
    /// It is written to the dead-letter topic.
    DeadLetter,
}

/// A guest function that an operator calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The plugin.
    pub plugin: PluginId,
    /// The plugin's name in its manifest; the pipeline file may have another name for it.
    pub plugin_name: String,
    /// Index of the function in the plugin's manifest.
    pub function: u32,
    /// The function in the plugin's manifest.
    pub manifest: FunctionManifest,
}
