//! Warnings about input topics that don't exist when a pipeline starts.

use std::collections::BTreeSet;

use millrace_engine::topology::{Operator, TopicId, TopicKind, Topology};
use millrace_pipeline::nearest;

use crate::log::Log;

/// Warns of each input topic that doesn't exist: the worker will create it, but its name may be misspelt. If the log
/// has no topics at all, this is the first start, and there is no warning.
pub(super) fn warn(topology: &Topology, log: &Log) {
    let there = log.topics();
    if there.is_empty() {
        return;
    }
    for topic in read_from_others(topology).filter(|name| log.topic(name).is_none()) {
        match nearest(topic, there.iter().map(|(name, ..)| name.as_str())) {
            Some(nearest) => tracing::warn!(
                topic,
                nearest,
                "the pipeline reads a topic that didn't exist: it is created, without records; if the one under `nearest` \
                 is meant, correct the name in the pipeline file"
            ),
            None => tracing::warn!(
                topic,
                "the pipeline reads a topic that didn't exist: it is created, without records; `millrace topic list` shows \
                 those that exist"
            ),
        }
    }
}

/// Names of the topics that the app reads and doesn't write itself.
fn read_from_others(topology: &Topology) -> impl Iterator<Item = &str> {
    let nodes = topology.subtopologies.iter().flat_map(|part| &part.nodes);
    let written: BTreeSet<TopicId> = nodes
        .flat_map(|node| {
            let own = if let Operator::Sink { topic, .. } = &node.operator { Some(*topic) } else { None };
            own.into_iter().chain([node.dlq])
        })
        .collect();
    let inputs = topology.subtopologies.iter().flat_map(|part| &part.inputs).copied();
    let read: BTreeSet<TopicId> = inputs.chain(topology.globals.iter().map(|table| table.topic)).collect();
    let read = read.into_iter().filter(move |topic| !written.contains(topic));
    let topics = read.filter_map(|topic| topology.topics.get(topic.0));
    topics.filter(|topic| topic.kind != TopicKind::Repartition).map(|topic| topic.name.as_str())
}
