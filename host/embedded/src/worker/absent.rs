//! Inputs that aren't in the log when a pipeline starts: it makes them, and reads nothing.

use std::collections::BTreeSet;

use millrace_engine::topology::{Operator, TopicId, TopicKind, Topology};
use millrace_pipeline::nearest;

use crate::log::Log;

/// Warns of each topic that is read and isn't there, since it may be another one that is misspelt. Not where no topic is
/// there yet: then the pipeline makes all of them.
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
                "the pipeline reads a topic that wasn't there: it is made, and has no records; if the one under `nearest` \
                 is meant, mend the name in the pipeline file"
            ),
            None => tracing::warn!(
                topic,
                "the pipeline reads a topic that wasn't there: it is made, and has no records; `millrace topic list` shows \
                 those that there are"
            ),
        }
    }
}

/// Names of the topics that the app reads and doesn't itself write.
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
