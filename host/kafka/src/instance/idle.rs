//! Whether there is nothing left to do, for instances that run until then.
//!
//! That this instance's tasks have nothing to do isn't enough. Other tasks may belong to a process that was killed, and
//! that the group hasn't missed yet: they are assigned to this instance later. So all inputs of the app must be
//! committed up to their ends, by any process, and not in the middle of a run.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;

use crate::client::native::CommittedOffset;
use crate::cluster::REQUEST_TIMEOUT;
use crate::cluster::metadata;
use crate::error::Error;
use crate::group::Member;
use crate::tasks::inputs_of;
use crate::worker::Shared;

/// Where all workers have been idle for so long, no record is on its way between them any more. Also the pause before
/// the cluster is asked again.
const QUIET_INTERVAL: Duration = Duration::from_secs(1);

/// The idle workers.
pub(crate) struct Idle {
    /// Workers that have nothing to do.
    workers: BTreeSet<usize>,
    /// When a worker last committed, or began or ceased to have something to do, or the cluster was asked.
    since: Instant,
}

impl Idle {
    pub(crate) fn new() -> Self {
        Self { workers: BTreeSet::new(), since: Instant::now() }
    }

    /// Notes whether a worker is idle.
    pub(crate) fn set_idle(&mut self, worker: usize, idle: bool) {
        self.since = Instant::now();
        if idle {
            self.workers.insert(worker)
        } else {
            self.workers.remove(&worker)
        };
    }

    /// A worker has committed.
    pub(crate) fn committed(&mut self) {
        self.since = Instant::now();
    }

    /// The workers get other tasks.
    pub(crate) fn forget(&mut self) {
        self.workers.clear();
    }

    /// Whether nothing is left to do. A worker without tasks is idle.
    pub(crate) fn is_all_done(&mut self, shared: &Shared, member: &Member) -> bool {
        self.workers.len() >= shared.topology.settings.threads.max(1) && self.is_all_read(shared, member)
    }

    /// The same for a process without tasks of its own.
    pub(crate) fn is_all_read(&mut self, shared: &Shared, member: &Member) -> bool {
        if self.since.elapsed() < QUIET_INTERVAL {
            return false;
        }
        self.since = Instant::now();
        match left(shared, member) {
            Ok(None) => true,
            Ok(Some((topic, partition))) => {
                tracing::debug!(topic, partition, "the partition isn't committed up to its end yet");
                false
            }
            Err(error) => {
                tracing::warn!(%error, "the instance can't find out whether all inputs are processed, and goes on");
                false
            }
        }
    }
}

/// An input partition of the app that isn't committed up to its end, if there is one.
fn left(shared: &Shared, member: &Member) -> Result<Option<(String, u32)>, Error> {
    let mut list = TopicPartitionList::new();
    for part in &shared.topology.subtopologies {
        let most = part.inputs.iter().filter_map(|topic| shared.partitions.get(topic.0)).max().copied().unwrap_or(0);
        for (topic, partition) in
            (0..most).flat_map(|partition| inputs_of(&shared.topology, part, &shared.partitions, partition))
        {
            if list.find_partition(&topic, partition.cast_signed()).is_none() {
                list.add_partition(&topic, partition.cast_signed());
            }
        }
    }
    let committed = shared.cluster.committed(&shared.topology.app, &list)?;
    let names: BTreeSet<_> = list.elements().iter().map(|place| place.topic().to_owned()).collect();
    let topics = shared.cluster.describe(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    for place in list.elements() {
        let (name, partition) = (place.topic().to_owned(), place.partition());
        let left = Some((name.clone(), partition.cast_unsigned()));
        // The end of a partition without a leader is unknown.
        let topic = topics.get(&name).and_then(|topic| topic.as_ref().ok());
        let leaderless = topic.is_none_or(|topic| !topic.leaders.contains_key(&partition.cast_unsigned()));
        let committed = match committed.get(&(name.clone(), partition)) {
            _ if leaderless => return Ok(left),
            Some(CommittedOffset::At(_, text)) if metadata::decode(text).unfinished => return Ok(left),
            Some(CommittedOffset::At(offset, _)) => Some(*offset),
            Some(CommittedOffset::Nothing) => None,
            Some(CommittedOffset::Undecided | CommittedOffset::Refused(_)) | None => return Ok(left),
        };
        // The member reads committed records only: its end is the last stable offset.
        let (low, end) = member.fetch_watermarks(&name, partition, REQUEST_TIMEOUT)?;
        if committed.unwrap_or(low) < end {
            return Ok(left);
        }
    }
    Ok(None)
}
