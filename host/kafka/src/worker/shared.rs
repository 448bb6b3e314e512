//! What workers have in common, and what they are opened with.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use millrace_engine::deployment::Candidate;
use millrace_engine::ports::StoreId;
use millrace_engine::task::Deployed;
use millrace_engine::topology::Topology;
use millrace_store::Database;

use crate::cluster::Cluster;
use crate::gate::Gate;
use crate::group::Member;
use crate::limits::Learned;
use crate::settings::ClientSettings;

/// What the workers of an instance have in common. None of it is written on the way of a record.
pub(crate) struct Shared {
    pub(crate) topology: Arc<Topology>,
    pub(crate) settings: ClientSettings,
    pub(crate) cluster: Cluster,
    pub(crate) instance: String,
    pub(crate) database: Arc<Database>,
    /// Number of partitions of each topic of the pipeline.
    pub(crate) partitions: Arc<[u32]>,
    /// Names of the stores' changelogs.
    pub(crate) changelogs: Vec<String>,
    pub(crate) deployments: Arc<[Deployed]>,
    /// The plugins that they are of, in the order of the topology.
    pub(crate) candidates: Arc<[Candidate]>,
    pub(crate) options: WorkerOptions,
    /// What keeps global tables as they are during a transaction, if there are any.
    pub(crate) gate: Option<Arc<Gate>>,
    /// Their stores.
    pub(crate) shared_stores: Arc<[StoreId]>,
    /// How large records may be, where brokers had to say it.
    pub(crate) learned: Learned,
    /// The instance's member of the group; there before any task is assigned.
    pub(crate) member: OnceLock<Member>,
    pub(crate) stopping: AtomicBool,
}

impl Shared {
    /// Names of the pipeline's topics, by number.
    pub(super) fn topic_names(&self) -> Vec<&str> {
        self.topology.topics.iter().map(|topic| topic.name.as_str()).collect()
    }
}

/// What workers are opened with.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// How many records go into one guest call at most. Changes the speed, never the result.
    pub batch: usize,
    /// Most bytes of live join windows in memory, for each store of each task.
    pub window_memory: usize,
    /// Bytes of uncommitted work of a worker after which a commit is due, whatever the interval.
    pub transaction_bytes: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { batch: 500, window_memory: 16 << 20, transaction_bytes: 8 << 20 }
    }
}
