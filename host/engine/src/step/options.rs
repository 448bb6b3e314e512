//! Options of a task.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::canary::Canary;
use crate::ports::DeploymentId;
use crate::refused::Refused;

/// Default limits of a step's outputs for one record: a hundred times the limits of one call.
const RECORD_OUTPUTS: u64 = 1_000_000;
const RECORD_OUTPUT_BYTES: u64 = 1 << 30;

/// Default of [`TaskOptions::pass_bytes`].
pub const PASS_BYTES: usize = 4 << 20;

/// Options with which a driver opens a task.
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
    /// Most records in one guest call. Changes the speed, never the result.
    pub batch: usize,
    /// Most bytes in memory for each side of a join, and for its unmatched records.
    pub window_memory: usize,
    /// Most bytes of key, value and headers of a record, by [`TopicId`](crate::topology::TopicId); topics beyond the
    /// end have no limit. A larger record fails at its sink. Changes the result.
    pub record_bytes: Arc<[usize]>,
    /// Records that their topics have refused, if any: they fail at their sinks.
    pub refused: Option<Arc<Refused>>,
    /// Most bytes of key and value of a store's entry. A record that would make an entry larger fails and doesn't
    /// change the state. Changes the result.
    pub state_bytes: usize,
    /// Most outputs of a step for one input record; a record with more fails there. Changes the result.
    pub record_outputs: u64,
    /// Most bytes of keys and values of these outputs.
    pub record_output_bytes: u64,
    /// About how many bytes a step emits before the rest waits for another [`run`](crate::task::Task::run). Changes the
    /// memory of a run, never the result.
    pub pass_bytes: usize,
    /// Most timers on the driver's clock that a step fires in one [`tick`](crate::task::Task::tick); the others are due
    /// at the next one.
    pub timers: usize,
}

impl TaskOptions {
    /// Options of a task with one record per guest call, windows on disk, and no limits of sizes.
    pub fn new(subtopology: usize, partition: u32, partitions: Arc<[u32]>, deployments: Arc<[Deployed]>) -> Self {
        Self {
            subtopology,
            partition,
            partitions,
            deployments,
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
    /// Its number in [`Logic`](crate::logic::Logic).
    pub id: DeploymentId,
    /// Its generation, counted from 1 in the life of the app.
    pub generation: u32,
    /// The generation of the last change of the versions that process records, such as the next step of a canary. Tasks
    /// record it: one that has processed records by it doesn't go back to an earlier one.
    pub reached: u32,
    /// Digest of the component, for dead letters.
    pub digest: String,
    /// The version that processes the records of some keys in its place, if there is one.
    pub canary: Option<Arc<Canary>>,
    /// Whether it has a version that the app hadn't run before, in place of another one.
    pub is_new_version: bool,
    /// The decision of the flood guard about it.
    pub flood: Flood,
    /// The state versions in which tasks rewrite the entries of other versions, if they do.
    pub rewrites: Option<Arc<Rewrites>>,
}

/// The state versions in which tasks rewrite the entries of other versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrites {
    /// Entries a second in each process.
    pub rate: u32,
    /// The number of the change that has asked for it.
    pub request: u32,
    /// The versions, by function and store.
    pub versions: BTreeMap<String, u32>,
}

/// The decision of the flood guard about a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flood {
    /// It may watch the deployment.
    #[default]
    None,
    /// The input waits: too many records fail, and there is no way back.
    Held,
    /// A user lets the records fail.
    Accepted,
}

impl Flood {
    /// Whether it says nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl Deployed {
    /// A deployment without a canary.
    pub fn new(id: DeploymentId, generation: u32, digest: &str) -> Self {
        let (digest, is_new_version, flood) = (digest.to_owned(), false, Flood::None);
        Self { id, generation, reached: generation, digest, canary: None, is_new_version, flood, rewrites: None }
    }
}
