//! Purging repartition topics: records before a committed offset are deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace_engine::topology::TopicId;

use crate::worker::Shared;

/// How often.
const PURGE_INTERVAL: Duration = Duration::from_secs(30);

/// Acknowledged offsets of repartition topics.
pub(crate) struct Purge {
    acknowledged: BTreeMap<(TopicId, u32), i64>,
    /// The offsets before which records were deleted, or whose deletion has failed: the next one comes soon.
    deleted: BTreeMap<(TopicId, u32), i64>,
    last: Instant,
    thread: Option<JoinHandle<()>>,
}

impl Purge {
    pub(crate) fn new() -> Self {
        Self { acknowledged: BTreeMap::new(), deleted: BTreeMap::new(), last: Instant::now(), thread: None }
    }

    pub(crate) fn note(&mut self, offsets: &[(TopicId, u32, i64)]) {
        self.acknowledged.extend(offsets.iter().map(|(topic, partition, offset)| ((*topic, *partition), *offset)));
    }

    /// After a rebalance, other processes commit offsets that this one doesn't know.
    pub(crate) fn forget(&mut self) {
        self.acknowledged.clear();
    }

    /// Deletes, if it is time, on a thread of its own: a slow broker must not hold up the group's member. A failure
    /// does no harm: the next attempt deletes as well.
    pub(crate) fn run(&mut self, shared: &Arc<Shared>) {
        let busy = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        if self.last.elapsed() < PURGE_INTERVAL || busy {
            return;
        }
        self.last = Instant::now();
        let moved = |(place, offset): &(&(TopicId, u32), &i64)| self.deleted.get(*place) < Some(*offset);
        let topics = &shared.topology.topics;
        let before =
            self.acknowledged.iter().filter(moved).filter_map(|((topic, partition), offset)| {
                Some((topics.get(topic.0)?.name.clone(), *partition, *offset))
            });
        let before: Vec<_> = before.collect();
        if before.is_empty() {
            return;
        }
        self.deleted.extend(self.acknowledged.iter().map(|(place, offset)| (*place, *offset)));
        let shared = Arc::clone(shared);
        self.thread = Some(std::thread::spawn(move || {
            if let Err(error) = shared.cluster.delete_records(&before) {
                tracing::warn!(%error, "processed records of repartition topics could not be deleted");
            }
        }));
    }
}
