//! The number of partitions of each topic.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ports::StoreId;
use crate::topology::{Node, Operator, SubTopology, TopicId, TopicKind, Topology};

/// A step reads topics that must have the same number of partitions, and their numbers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMismatch {
    /// The step that needs all records of a key in one task.
    pub step: String,
    /// Names of the topics, with their numbers of partitions.
    pub topics: Vec<(String, u32)>,
}

impl fmt::Display for PartitionMismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` reads topics that must have the same number of partitions, and", self.step)?;
        for (index, (name, count)) in self.topics.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let noun = if *count == 1 { "partition" } else { "partitions" };
            write!(out, "{comma} `{name}` has {count} {noun}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PartitionMismatch {}

/// The number of partitions of every topic, by [`TopicId`]. A `known` topic exists and keeps its number. A new topic
/// gets
/// 1. the number in the pipeline file;
/// 2. else the number of the topics that a step with state reads together with it;
/// 3. else, if the app writes the topic, the highest number among the inputs of its writers;
/// 4. else 1.
///
/// # Errors
/// Each step with state that reads topics whose numbers differ.
pub fn partitions(
    topology: &Topology,
    known: &dyn Fn(&str) -> Option<u32>,
) -> Result<Vec<u32>, Vec<PartitionMismatch>> {
    let given = topology.topics.iter().map(|topic| known(&topic.name).or(topic.partitions).map(|count| count.max(1)));
    let mut counts = PartitionCounts { counts: given.collect(), written: vec![None; topology.topics.len()] };
    let mut all_groups = Vec::new();
    for subtopology in &topology.subtopologies {
        let groups = copartition_groups(subtopology);
        counts.assign(subtopology, &groups);
        all_groups.extend(groups);
    }
    let counts = counts.finish();
    let mismatches: Vec<_> = all_groups.iter().filter_map(|group| mismatch(topology, group, &counts)).collect();
    if mismatches.is_empty() { Ok(counts) } else { Err(mismatches) }
}

/// The warning about a topic that [`said_otherwise`] returns.
pub const PARTITIONS_STAY: &str = "the topic is there, and keeps its number of partitions: `partitions` is used only \
                                   when a topic is made";

/// Topics whose number of partitions differs from the pipeline file: name, number in the file, actual number.
pub fn said_otherwise<'t>(topology: &'t Topology, counts: &'t [u32]) -> impl Iterator<Item = (&'t str, u32, u32)> {
    let topics = topology.topics.iter().zip(counts);
    let said = topics.filter_map(|(topic, count)| Some((topic.name.as_str(), topic.partitions?, *count)));
    said.filter(|(_, said, count)| said != count)
}

/// External topics whose writers must use the same partitioner, each with a step that needs it: the step has state and
/// reads several topics, and all records of a key must have the same partition number.
pub fn spread_alike(topology: &Topology) -> BTreeMap<TopicId, String> {
    let groups = topology.subtopologies.iter().flat_map(copartition_groups);
    let all = groups
        .flat_map(|CopartitionGroup { step, topics }| topics.into_iter().map(move |topic| (topic, step.to_owned())));
    let is_external =
        |topic: &TopicId| topology.topics.get(topic.0).is_some_and(|topic| topic.kind == TopicKind::External);
    all.filter(|(topic, _)| is_external(topic)).collect()
}

/// A step with state, and the topics whose records reach it: they must be copartitioned.
struct CopartitionGroup<'t> {
    step: &'t str,
    topics: BTreeSet<TopicId>,
}

fn copartition_groups(subtopology: &SubTopology) -> Vec<CopartitionGroup<'_>> {
    let nodes = &subtopology.nodes;
    let mut reach: Vec<BTreeSet<TopicId>> = vec![BTreeSet::new(); nodes.len()];
    let mut groups = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let mut topics = reach.get(index).cloned().unwrap_or_default();
        match &node.operator {
            Operator::Source { topic, .. } => drop(topics.insert(*topic)),
            Operator::Lookup { table, .. } => topics.extend(table_topics(nodes, &reach, table.store)),
            _ => {}
        }
        for edge in &node.edges {
            // The edge points to a later node, so that node's topics are complete when its turn comes.
            if let Some(next) = reach.get_mut(edge.to.0) {
                next.extend(&topics);
            }
        }
        if is_stateful(nodes, &node.operator) && topics.len() > 1 {
            groups.push(CopartitionGroup { step: &node.name, topics });
        }
    }
    groups
}

/// The node of a table; a global table has none.
fn node_of(nodes: &[Node], table: StoreId) -> Option<usize> {
    nodes.iter().position(|node| matches!(node.operator, Operator::Table { store } if store == table))
}

fn table_topics(nodes: &[Node], reach: &[BTreeSet<TopicId>], table: StoreId) -> BTreeSet<TopicId> {
    node_of(nodes, table).and_then(|index| reach.get(index)).cloned().unwrap_or_default()
}

fn is_stateful(nodes: &[Node], operator: &Operator) -> bool {
    match operator {
        Operator::Process { stores, timers, .. } => !stores.is_empty() || timers.is_some(),
        Operator::Lookup { table, .. } => node_of(nodes, table.store).is_some(),
        Operator::Table { .. }
        | Operator::StreamJoin { .. }
        | Operator::TableJoin { .. }
        | Operator::Aggregate { .. }
        | Operator::Dedup { .. } => true,
        Operator::Source { .. }
        | Operator::Transform { .. }
        | Operator::Merge
        | Operator::Repartition { .. }
        | Operator::Sink { .. } => false,
    }
}

/// Numbers of partitions, as far as they are known.
struct PartitionCounts {
    counts: Vec<Option<u32>>,
    /// For each topic, the highest number among the inputs of its writers.
    written: Vec<Option<u32>>,
}

impl PartitionCounts {
    /// Assigns numbers to the inputs of a sub-topology. Their writers have had their turn.
    fn assign(&mut self, subtopology: &SubTopology, groups: &[CopartitionGroup<'_>]) {
        let inputs = || subtopology.inputs.iter().copied();
        while inputs().any(|topic| self.count(topic).is_none()) {
            self.spread(groups);
            let Some(open) = inputs().find(|topic| self.count(*topic).is_none()) else { break };
            // No topic of its group has a number yet: this one gets its writers' number, and the group follows.
            let peers = groups.iter().filter(|group| group.topics.contains(&open)).flat_map(|group| &group.topics);
            let written = peers.chain([&open]).filter_map(|topic| self.written.get(topic.0).copied().flatten()).max();
            let beside = inputs().filter_map(|topic| self.count(topic)).max();
            self.set(open, written.or(beside).unwrap_or(1));
        }
        let highest = inputs().filter_map(|topic| self.count(topic)).max();
        for topic in subtopology.nodes.iter().flat_map(outputs) {
            if let Some(written) = self.written.get_mut(topic.0) {
                *written = (*written).max(highest);
            }
        }
    }

    /// Gives topics without a number the highest number of their group.
    fn spread(&mut self, groups: &[CopartitionGroup<'_>]) {
        let mut changed = true;
        while changed {
            changed = false;
            for group in groups {
                let Some(highest) = group.topics.iter().filter_map(|topic| self.count(*topic)).max() else { continue };
                for topic in &group.topics {
                    if self.count(*topic).is_none() {
                        self.set(*topic, highest);
                        changed = true;
                    }
                }
            }
        }
    }

    fn count(&self, topic: TopicId) -> Option<u32> {
        self.counts.get(topic.0).copied().flatten()
    }

    fn set(&mut self, topic: TopicId, count: u32) {
        if let Some(slot) = self.counts.get_mut(topic.0) {
            *slot = Some(count);
        }
    }

    fn finish(self) -> Vec<u32> {
        self.counts.iter().zip(&self.written).map(|(count, written)| count.or(*written).unwrap_or(1)).collect()
    }
}

fn outputs(node: &Node) -> impl Iterator<Item = TopicId> {
    let own = match node.operator {
        Operator::Sink { topic, .. } | Operator::Repartition { topic } => Some(topic),
        _ => None,
    };
    own.into_iter().chain([node.dlq])
}

fn mismatch(topology: &Topology, group: &CopartitionGroup<'_>, counts: &[u32]) -> Option<PartitionMismatch> {
    let topics =
        group.topics.iter().filter_map(|id| Some((topology.topics.get(id.0)?.name.clone(), *counts.get(id.0)?)));
    let topics: Vec<(String, u32)> = topics.collect();
    let differ = topics.iter().zip(topics.iter().skip(1)).any(|((_, one), (_, other))| one != other);
    differ.then(|| PartitionMismatch { step: group.step.to_owned(), topics })
}
