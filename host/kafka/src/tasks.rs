//! The tasks of an instance, and the worker that runs each.

use std::collections::{BTreeMap, BTreeSet};

use millrace_engine::topology::{SubTopology, TopicId, Topology};
use sha2::{Digest, Sha256};

/// A task: a sub-topology for a partition number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TaskId {
    /// Index of the sub-topology.
    pub(crate) subtopology: usize,
    /// Partition number.
    pub(crate) partition: u32,
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}_{}", self.subtopology, self.partition)
    }
}

/// The tasks of the member of the group that has these partitions.
///
/// A task belongs to the member that has the partition of its number of the [widest] input, and reads that
/// number of all its inputs, whichever members have these in the group: so each task has one owner, for every assignor
/// that gives each partition to one member. Topics with unlike numbers of partitions are assigned differently, and any
/// other rule would give a task two owners. That a member commits offsets of partitions which another one has is no
/// gap: what fences its commits is the generation of the group, and not which partitions it has.
///
/// It is a rule that all members must have in common: see [`cut`].
pub(crate) fn tasks_of(
    topology: &Topology,
    partitions: &[u32],
    assigned: &BTreeSet<(String, u32)>,
) -> BTreeSet<TaskId> {
    let mut tasks = BTreeSet::new();
    for (subtopology, part) in topology.subtopologies.iter().enumerate() {
        let Some(owner) = widest(part, partitions).and_then(|topic| topology.topics.get(topic.0)) else { continue };
        let ours = assigned.iter().filter(|(topic, _)| *topic == owner.name);
        tasks.extend(ours.map(|(_, partition)| TaskId { subtopology, partition: *partition }));
    }
    tasks
}

/// The tasks of the member of a group that has these partitions, where other members have other pipelines: during a
/// rolling upgrade. Their rules may give a partition to another task than this member's rules do. So here a task runs
/// only where all of its inputs are assigned: then only the member to which a partition is assigned reads it.
pub(crate) fn whole_tasks_of(
    topology: &Topology,
    partitions: &[u32],
    assigned: &BTreeSet<(String, u32)>,
) -> BTreeSet<TaskId> {
    let mut tasks = tasks_of(topology, partitions, assigned);
    tasks.retain(|task| reads(topology, partitions, *task).is_subset(assigned));
    tasks
}

/// Topics and partitions that a task reads.
pub(crate) fn reads(topology: &Topology, partitions: &[u32], task: TaskId) -> BTreeSet<(String, u32)> {
    let part = topology.subtopologies.get(task.subtopology);
    part.into_iter().flat_map(|part| inputs_of(topology, part, partitions, task.partition)).collect()
}

/// How a pipeline cuts partitions into tasks, as a short name: two members for which it is the same agree on which
/// member runs a task, and on what that task reads.
pub(crate) fn cut(topology: &Topology, partitions: &[u32]) -> String {
    let named = |topic: &TopicId| {
        let name = topology.topics.get(topic.0).map_or("", |topic| topic.name.as_str());
        format!("{name}:{}", partitions.get(topic.0).copied().unwrap_or(0))
    };
    let part = |part: &SubTopology| {
        let inputs: BTreeSet<_> = part.inputs.iter().map(named).collect();
        let inputs: Vec<_> = inputs.into_iter().collect();
        format!("{} {}\n", widest(part, partitions).as_ref().map(named).unwrap_or_default(), inputs.join(","))
    };
    let parts: BTreeSet<_> = topology.subtopologies.iter().map(part).collect();
    let digest = Sha256::digest(parts.into_iter().collect::<String>());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// A sub-topology has a task for each partition of its input with the most of them.
pub(crate) fn task_count(part: &SubTopology, partitions: &[u32]) -> u32 {
    part.inputs.iter().filter_map(|topic| partitions.get(topic.0)).copied().max().unwrap_or(0)
}

/// The input with the most partitions, the first of several: it has one for each task.
pub(crate) fn widest(part: &SubTopology, partitions: &[u32]) -> Option<TopicId> {
    let count = |topic: &TopicId| partitions.get(topic.0).copied().unwrap_or(0);
    part.inputs.iter().copied().rev().max_by_key(count)
}

/// Topics and partitions that a task reads: an input with fewer partitions than others has none for some tasks.
pub(crate) fn inputs_of<'t>(
    topology: &'t Topology,
    part: &'t SubTopology,
    partitions: &'t [u32],
    partition: u32,
) -> impl Iterator<Item = (String, u32)> + 't {
    let has = move |topic: &&TopicId| partitions.get(topic.0).is_some_and(|count| partition < *count);
    let topics = part.inputs.iter().filter(has).filter_map(|topic| topology.topics.get(topic.0));
    topics.map(move |topic| (topic.name.clone(), partition))
}

/// Spreads tasks over `workers`: those of each sub-topology evenly, and each to the worker that had it if that one has
/// room, because then it goes on where it was.
pub(crate) fn spread(
    tasks: &BTreeSet<TaskId>,
    before: &BTreeMap<TaskId, usize>,
    workers: usize,
) -> BTreeMap<TaskId, usize> {
    let mut placed: BTreeMap<TaskId, usize> = BTreeMap::new();
    let mut total = vec![0_usize; workers];
    let parts: BTreeSet<usize> = tasks.iter().map(|task| task.subtopology).collect();
    for part in parts {
        let own: Vec<TaskId> = tasks.iter().copied().filter(|task| task.subtopology == part).collect();
        let room = own.len().div_ceil(workers.max(1));
        let mut load = vec![0_usize; workers];
        let mut homeless = Vec::new();
        for task in own {
            match before.get(&task).filter(|worker| load.get(**worker).is_some_and(|load| *load < room)) {
                Some(worker) => place(task, *worker, &mut placed, &mut load, &mut total),
                None => homeless.push(task),
            }
        }
        for task in homeless {
            let lightest = (0..workers).min_by_key(|worker| (load.get(*worker), total.get(*worker)));
            place(task, lightest.unwrap_or(0), &mut placed, &mut load, &mut total);
        }
    }
    placed
}

fn place(task: TaskId, worker: usize, placed: &mut BTreeMap<TaskId, usize>, load: &mut [usize], total: &mut [usize]) {
    placed.insert(task, worker);
    for counter in [load.get_mut(worker), total.get_mut(worker)].into_iter().flatten() {
        *counter += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod ownership;

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(parts: usize, partitions: u32) -> BTreeSet<TaskId> {
        let of = |subtopology| (0..partitions).map(move |partition| TaskId { subtopology, partition });
        (0..parts).flat_map(of).collect()
    }

    fn loads(placed: &BTreeMap<TaskId, usize>, workers: usize) -> Vec<usize> {
        (0..workers).map(|worker| placed.values().filter(|at| **at == worker).count()).collect()
    }

    #[test]
    fn tasks_are_spread_evenly_over_the_workers() {
        assert_eq!(loads(&spread(&tasks(2, 4), &BTreeMap::new(), 2), 2), [4, 4]);
        assert_eq!(loads(&spread(&tasks(1, 4), &BTreeMap::new(), 3), 3), [2, 1, 1]);
        assert_eq!(loads(&spread(&tasks(3, 1), &BTreeMap::new(), 3), 3), [1, 1, 1]);
        assert_eq!(loads(&spread(&tasks(1, 2), &BTreeMap::new(), 4), 4), [1, 1, 0, 0]);
    }

    #[test]
    fn a_task_stays_with_its_worker_when_others_come_and_go() {
        let all = spread(&tasks(2, 6), &BTreeMap::new(), 2);
        let fewer: BTreeSet<_> = tasks(2, 6).into_iter().filter(|task| task.partition % 3 != 0).collect();
        let after = spread(&fewer, &all, 2);
        let again = spread(&tasks(2, 6), &after, 2);
        assert_eq!(loads(&again, 2), [6, 6]);
        assert!(after.iter().all(|(task, worker)| again.get(task) == Some(worker)));
    }
}
