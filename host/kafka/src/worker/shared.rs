//! Data that all workers of an instance share, and their options.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use millrace_engine::ports::StoreId;
use millrace_engine::shadow::ShadowReports;
use millrace_engine::topology::{TopicId, Topology};
use millrace_store::Database;

use super::opener::MissingTopics;
use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;
use crate::cluster::limits::LearnedLimits;
use crate::control::{CurrentPlugins, Rewrites, Trials};
use crate::group::Member;
use crate::state::StateContext;
use crate::state::barrier::TransactionBarrier;
use crate::state::lease::RestoreLeases;
use crate::tasks::TaskId;

/// Data that all workers of an instance share. None of it is written on the way of a record.
pub(crate) struct Shared {
    pub(crate) topology: Arc<Topology>,
    pub(crate) settings: ClientSettings,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) instance: String,
    /// Name of the host, for people.
    pub(crate) host: String,
    pub(crate) database: Arc<Database>,
    /// Number of partitions of each topic of the pipeline.
    pub(crate) partitions: Arc<[u32]>,
    /// Names of the stores' changelogs.
    pub(crate) changelogs: Vec<String>,
    /// The plugins that tasks are to run.
    pub(crate) plugins: CurrentPlugins,
    pub(crate) trials: Trials,
    /// How far the workers are with rewriting entries of older state versions.
    pub(crate) rewrites: Rewrites,
    /// The report of the shadows that the instance runs.
    pub(crate) shadows: Arc<ShadowReports>,
    pub(crate) options: WorkerOptions,
    /// Whether the instance stops when nothing is left to do.
    pub(crate) until_idle: bool,
    /// Keeps global tables as they are during a transaction, if there are any.
    pub(crate) barrier: Option<Arc<TransactionBarrier>>,
    /// The stores of global tables.
    pub(crate) shared_stores: Arc<[StoreId]>,
    /// Limits of topics that were learned from refusals.
    pub(crate) learned: LearnedLimits,
    /// Topics whose keys must be spread over partitions alike, with a step that needs it.
    pub(crate) alike: BTreeMap<TopicId, String>,
    /// Those of which it was logged that they aren't.
    pub(crate) hinted: Mutex<BTreeSet<TopicId>>,
    /// Tasks that are being restored.
    pub(crate) leases: RestoreLeases,
    /// Ids of the internal topics when the instance started, by name: their records are nowhere else.
    pub(crate) internal_ids: BTreeMap<String, String>,
    /// Internal topics that brokers don't know of.
    pub(crate) missing: MissingTopics,
    /// The instance's member of the group; there before any task is assigned.
    pub(crate) member: OnceLock<Member>,
    pub(crate) stopping: Arc<AtomicBool>,
}

impl Shared {
    /// The part of it that restoring works with.
    pub(super) fn state(&self) -> StateContext<'_> {
        let Self { topology, settings, cluster, database, partitions, .. } = self;
        StateContext { topology, settings, cluster, database, partitions }
    }

    /// Names of the pipeline's topics, by number.
    pub(super) fn topic_names(&self) -> Vec<&str> {
        self.topology.topics.iter().map(|topic| topic.name.as_str()).collect()
    }

    /// Whether a task reads this partition of a topic.
    pub(super) fn reads(&self, task: TaskId, topic: &CStr, partition: i32) -> bool {
        let inputs = self.topology.subtopologies.get(task.subtopology).map(|part| part.inputs.as_slice());
        let names = inputs.unwrap_or_default().iter().filter_map(|input| self.topology.topics.get(input.0));
        task.partition.cast_signed() == partition
            && names.map(|topic| topic.name.as_bytes()).any(|name| name == topic.to_bytes())
    }

    /// Logs, once for each topic, that a key is in another partition than expected.
    pub(super) fn hint(&self, topic: TopicId, partition: i32, offset: i64, expected: u32) {
        if !self.hinted.lock().unwrap_or_else(PoisonError::into_inner).insert(topic) {
            return;
        }
        tracing::warn!(
            topic = self.topology.topics.get(topic.0).map_or("", |topic| topic.name.as_str()),
            partition,
            offset,
            expected,
            step = self.alike.get(&topic).map_or("", String::as_str),
            "a key is in another partition than the one that Kafka's default partitioner (murmur2) gives it: the step \
             finds records of one key in several topics only if all these are written with the same partitioner; with \
             librdkafka, set `partitioner=murmur2_random`"
        );
    }
}

/// Options of workers.
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
