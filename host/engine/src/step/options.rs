//! What a driver says when it opens a task.

use std::sync::Arc;

use crate::ports::DeploymentId;
use crate::refused::Refused;

/// What a step makes of one record, unless a driver says otherwise: a hundred times what a rule may put out at once.
const RECORD_OUTPUTS: u64 = 1_000_000;
const RECORD_OUTPUT_BYTES: u64 = 1 << 30;

/// What a step puts out in one pass, unless a driver says otherwise.
pub const PASS_BYTES: usize = 4 << 20;

/// What a task is told when it is opened.
#[derive(Clone, Debug)]
pub struct TaskOptions {
    /// Index of the sub-topology.
    pub subtopology: usize,
    /// Partition number.
    pub partition: u32,
    /// Number of partitions of each topic, by [`TopicId`](crate::topology::TopicId).
    pub partitions: Arc<[u32]>,
    /// Active deployment of each plugin, by plugin id.
    pub deployments: Arc<[Deployed]>,
    /// Whether a deployment may go on with state that a newer one has written: the driver knows that it can read it.
    pub may_be_older: bool,
    /// How many guest calls of a step are deferred at most: how many records go into one call. Changes the speed, never
    /// the result.
    pub batch: usize,
    /// Most bytes of live join windows kept in memory, for each side of a join, and for what waits there for a match.
    pub window_memory: usize,
    /// Most bytes of key, value and headers that a record of a topic may have, by [`TopicId`](crate::topology::TopicId); a topic behind the end has
    /// no limit. What is larger fails where it is put out. Changes the result.
    pub record_bytes: Arc<[usize]>,
    /// Records that their topics have refused, if there are any: they fail where they are put out.
    pub refused: Option<Arc<Refused>>,
    /// Most bytes that an entry of a store may have, key and value together. A record that would leave a larger one
    /// fails, and the state stays as if it hadn't come. Changes the result.
    pub state_bytes: usize,
    /// Most outputs that a step makes of one input record, and most bytes of their keys and values. What would be more fails
    /// there. Changes the result.
    pub record_outputs: u64,
    /// See [`record_outputs`](Self::record_outputs).
    pub record_output_bytes: u64,
    /// About how many bytes a step puts out, or lets out because time has moved on, before what is left waits for another
    /// [`run`](crate::task::Task::run). Changes the memory that a run takes, never the result.
    pub pass_bytes: usize,
    /// Most timers on the driver's clock that a step fires in one [`tick`](crate::task::Task::tick); those that are left are due at
    /// once.
    pub timers: usize,
}

impl TaskOptions {
    /// A task that makes its guest calls one by one, keeps its windows on disk and has no limits of sizes: for a driver to
    /// say what it wants otherwise.
    pub fn new(subtopology: usize, partition: u32, partitions: Arc<[u32]>, deployments: Arc<[Deployed]>) -> Self {
        Self {
            subtopology,
            partition,
            partitions,
            deployments,
            may_be_older: false,
            batch: 1,
            window_memory: 0,
            record_bytes: Arc::default(),
            refused: None,
            state_bytes: usize::MAX,
            record_outputs: RECORD_OUTPUTS,
            record_output_bytes: RECORD_OUTPUT_BYTES,
            pass_bytes: PASS_BYTES,
            timers: usize::MAX,
        }
    }
}

/// The active deployment of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// How [`Logic`](crate::logic::Logic) knows it.
    pub id: DeploymentId,
    /// Which one it is, counted from 1 in the life of the app.
    pub generation: u32,
    /// Digest of the component, for dead letters.
    pub digest: String,
}
