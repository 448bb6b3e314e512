//! Repartition topics keep what isn't read yet, and nothing else: what is before an acknowledged offset is deleted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_engine::topology::{TopicId, Topology};

use crate::cluster::Cluster;

/// How often.
const EVERY: Duration = Duration::from_secs(30);

/// Acknowledged offsets of repartition topics.
pub(crate) struct Purge {
    acknowledged: BTreeMap<(TopicId, u32), i64>,
    /// Up to where it was deleted.
    deleted: BTreeMap<(TopicId, u32), i64>,
    last: Instant,
}

impl Purge {
    pub(crate) fn new() -> Self {
        Self { acknowledged: BTreeMap::new(), deleted: BTreeMap::new(), last: Instant::now() }
    }

    pub(crate) fn note(&mut self, offsets: &[(TopicId, u32, i64)]) {
        self.acknowledged.extend(offsets.iter().map(|(topic, partition, offset)| ((*topic, *partition), *offset)));
    }

    /// Deletes, if it is time. That it fails is no harm: it is tried again.
    pub(crate) fn run(&mut self, cluster: &Cluster, topology: &Topology) {
        if self.last.elapsed() < EVERY {
            return;
        }
        self.last = Instant::now();
        let moved = |(place, offset): &(&(TopicId, u32), &i64)| self.deleted.get(*place) < Some(*offset);
        let before = self.acknowledged.iter().filter(moved).filter_map(|((topic, partition), offset)| {
            Some((topology.topics.get(topic.0)?.name.clone(), *partition, *offset))
        });
        let before: Vec<_> = before.collect();
        if before.is_empty() {
            return;
        }
        match cluster.delete_records(&before) {
            Ok(()) => self.deleted.clone_from(&self.acknowledged),
            Err(error) => tracing::warn!(%error, "processed records of repartition topics could not be deleted"),
        }
    }
}
