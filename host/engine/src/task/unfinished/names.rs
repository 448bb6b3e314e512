//! Names of nodes that stay when a pipeline is changed: the nodes' numbers shift.

use crate::topology::{LATE_PORT, Node, Operator, SinkKey, SubTopology, TopicId, Topology};

/// Identifies a node: a source by its topic, a sink by the records that it writes and their topic, any other node by
/// its step. The step's name isn't enough for a source, because a step may have several, nor for a sink, whose name is
/// only its number in the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) kind: u8,
    pub(super) text: String,
}

const STEP: u8 = 0;
const SOURCE: u8 = 1;
const SINK: u8 = 2;

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = &self.text;
        match self.kind {
            SOURCE => write!(out, "the source of the topic `{text}`"),
            SINK => write!(out, "the sink of {text}"),
            _ => write!(out, "the step `{text}`"),
        }
    }
}

/// Names of the nodes, by number.
pub(super) fn names(topology: &Topology, shape: &SubTopology) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::with_capacity(shape.nodes.len());
    for (number, node) in shape.nodes.iter().enumerate() {
        let mut name = match node.operator {
            Operator::Source { topic, .. } => Name { kind: SOURCE, text: name_of(topology, topic).into() },
            Operator::Sink { topic, key } => Name { kind: SINK, text: sink(topology, shape, number, (topic, key)) },
            _ => Name { kind: STEP, text: node.name.clone() },
        };
        let same = names.iter().filter(|known| **known == name).count();
        if same > 0 {
            // Two sinks write the same records to the same topic.
            name.text = format!("{}, number {}", name.text, same + 1);
        }
        names.push(name);
    }
    names
}

/// Describes the records that a sink writes, and its topic.
fn sink(topology: &Topology, shape: &SubTopology, sink: usize, (topic, key): (TopicId, SinkKey)) -> String {
    let feeds = |node: &Node| node.edges.iter().find(|edge| edge.to.0 == sink).map(|edge| edge.port);
    let from = shape.nodes.iter().find_map(|node| Some((node, feeds(node)?)));
    let from = match from {
        Some((Node { operator: Operator::Source { topic, .. }, .. }, _)) => {
            format!("the topic `{}`", name_of(topology, *topic))
        }
        Some((node, LATE_PORT)) => format!("`{}.late`", node.name),
        Some((node, port)) => {
            let port = node.operator.call().and_then(|call| call.manifest.ports.get(port));
            format!("`{}{}`", node.name, port.map(|port| format!(".{}", port.name)).unwrap_or_default())
        }
        None => String::new(),
    };
    let windows = if key == SinkKey::Windowed { " with windows in the keys" } else { "" };
    format!("{from} to the topic `{}`{windows}", name_of(topology, topic))
}

/// The name of a topic; empty if there is none.
pub(super) fn name_of(topology: &Topology, topic: TopicId) -> &str {
    topology.topics.get(topic.0).map_or("", |topic| topic.name.as_str())
}
