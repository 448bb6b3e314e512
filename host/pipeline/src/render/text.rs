//! A topology as text.

use super::view::{describe_store, details, edge_words, kind, stores, topic_name};
use millrace_engine::ports::StoreId;
use millrace_engine::topology::{Node, Operator, SubTopology, Topology};

/// Sub-topologies with their operators, each with its stores and with where its records go.
pub(super) fn text(topology: &Topology) -> String {
    let mut lines = vec![format!("app {}", topology.app)];
    for (index, subtopology) in topology.subtopologies.iter().enumerate() {
        lines.push(String::new());
        lines.push(format!("sub-topology {index}"));
        for node in &subtopology.nodes {
            node_lines(topology, subtopology, node, &mut lines);
        }
        let mut letters: Vec<&str> = subtopology.nodes.iter().map(|node| topic_name(topology, node.dlq)).collect();
        letters.sort_unstable();
        letters.dedup();
        lines.push(format!("  dead letters: {}", letters.join(", ")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn node_lines(topology: &Topology, subtopology: &SubTopology, node: &Node, lines: &mut Vec<String>) {
    let details = details(topology, node).join("; ");
    let separator = if details.is_empty() { "" } else { ": " };
    lines.push(format!("  {} {}{separator}{details}", kind(&node.operator), node.name));
    // A lookup's store is its table's: it is named there.
    if !matches!(node.operator, Operator::Lookup { .. }) {
        lines.extend(stores(&node.operator).iter().filter_map(|store| store_line(topology, *store)));
    }
    for edge in &node.edges {
        if let Some(to) = subtopology.nodes.get(edge.to.0) {
            let words = edge_words(node, edge, to);
            let label = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
            lines.push(format!("    -> {} {}{label}", kind(&to.operator), to.name));
        }
    }
}

fn store_line(topology: &Topology, store: StoreId) -> Option<String> {
    let store = topology.stores.get(store.0)?;
    Some(format!("    store {}: {}", store.name, describe_store(store)))
}
