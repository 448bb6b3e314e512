//! A topology as a diagram, for Mermaid and Graphviz.

use super::view::{call_name, edge_words, kind, reads, store_name, stores, topic_name, writes};
use millrace_engine::topology::{Node, TopicId, Topology};

/// A Mermaid flowchart.
pub(super) fn mermaid(topology: &Topology) -> String {
    let mut lines = vec!["flowchart LR".to_owned()];
    for (index, name) in drawn_topics(topology) {
        lines.push(format!("  t{index}[/\"{name}\"/]"));
    }
    for (number, subtopology) in topology.subtopologies.iter().enumerate() {
        lines.push(format!("  subgraph s{number}[\"sub-topology {number}\"]"));
        for (index, node) in subtopology.nodes.iter().enumerate() {
            lines.push(format!("    n{number}_{index}[\"{}\"]", label(topology, node, "<br/>")));
        }
        for store in subtopology.nodes.iter().flat_map(own_stores) {
            lines.push(format!("    st{}[(\"{}\")]", store.0, store_name(topology, store)));
        }
        lines.push("  end".to_owned());
    }
    for DiagramEdge { from, to, words, both } in drawn_lines(topology) {
        let words = if words.is_empty() { String::new() } else { format!("|\"{words}\"|") };
        let arrow = if both { "<-->" } else { "-->" };
        lines.push(format!("  {from} {arrow}{words} {to}"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A Graphviz digraph.
pub(super) fn dot(topology: &Topology) -> String {
    let mut lines = vec![format!("digraph \"{}\" {{", topology.app), "  rankdir=LR;".to_owned()];
    for (index, name) in drawn_topics(topology) {
        lines.push(format!("  t{index} [shape=parallelogram, label=\"{name}\"];"));
    }
    for (number, subtopology) in topology.subtopologies.iter().enumerate() {
        lines.push(format!("  subgraph cluster_{number} {{"));
        lines.push(format!("    label=\"sub-topology {number}\";"));
        for (index, node) in subtopology.nodes.iter().enumerate() {
            lines.push(format!("    n{number}_{index} [shape=box, label=\"{}\"];", label(topology, node, "\\n")));
        }
        for store in subtopology.nodes.iter().flat_map(own_stores) {
            lines.push(format!("    st{} [shape=cylinder, label=\"{}\"];", store.0, store_name(topology, store)));
        }
        lines.push("  }".to_owned());
    }
    for DiagramEdge { from, to, words, both } in drawn_lines(topology) {
        let words = if words.is_empty() { None } else { Some(format!("label=\"{words}\"")) };
        let attributes: Vec<_> = words.into_iter().chain(both.then(|| "dir=both".to_owned())).collect();
        let attributes = if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) };
        lines.push(format!("  {from} -> {to}{attributes};"));
    }
    lines.extend(["}".to_owned(), String::new()]);
    lines.join("\n")
}

/// Kind and name, and the function below. Only names of functions need escaping: the others have letters, digits, `.`,
/// `-` and `_` only.
fn label(topology: &Topology, node: &Node, newline: &str) -> String {
    let mut label = format!("{} {}", kind(&node.operator), node.name);
    if let Some(call) = node.operator.call() {
        let name = plain(&call_name(topology, call));
        label.push_str(&format!("{newline}{name}"));
    }
    label
}

fn plain(name: &str) -> String {
    name.chars().map(|it| if it.is_alphanumeric() || matches!(it, '.' | '-' | '_' | ' ') { it } else { '?' }).collect()
}

/// Topics that steps read or write. Dead-letter topics would add an arrow to every step.
fn drawn_topics(topology: &Topology) -> Vec<(usize, &str)> {
    let nodes = || topology.subtopologies.iter().flat_map(|subtopology| &subtopology.nodes);
    let used: Vec<TopicId> =
        nodes().flat_map(|node| [reads(&node.operator), writes(&node.operator)]).flatten().collect();
    let topics = (0..topology.topics.len()).filter(|index| used.contains(&TopicId(*index)));
    topics.map(|index| (index, topic_name(topology, TopicId(index)))).collect()
}

/// Stores to draw with this node: a lookup's is drawn with its table.
fn own_stores(node: &Node) -> Vec<millrace_engine::ports::StoreId> {
    if kind(&node.operator) == "lookup" { Vec::new() } else { stores(&node.operator) }
}

struct DiagramEdge {
    from: String,
    to: String,
    words: String,
    /// Whether the arrow points both ways.
    both: bool,
}

fn drawn_lines(topology: &Topology) -> Vec<DiagramEdge> {
    let mut lines = Vec::new();
    for (number, subtopology) in topology.subtopologies.iter().enumerate() {
        for (index, node) in subtopology.nodes.iter().enumerate() {
            let own = format!("n{number}_{index}");
            let line = |from: String, to: String| DiagramEdge { from, to, words: String::new(), both: false };
            lines.extend(reads(&node.operator).map(|topic| line(format!("t{}", topic.0), own.clone())));
            for edge in &node.edges {
                let Some(to) = subtopology.nodes.get(edge.to.0) else { continue };
                let words = plain(&edge_words(node, edge, to).join(" "));
                lines.push(DiagramEdge { words, ..line(own.clone(), format!("n{number}_{}", edge.to.0)) });
            }
            for store in stores(&node.operator) {
                let store = format!("st{}", store.0);
                lines.push(match kind(&node.operator) {
                    "lookup" => line(store, own.clone()),
                    _ => DiagramEdge { both: true, ..line(own.clone(), store) },
                });
            }
            lines.extend(writes(&node.operator).map(|topic| line(own.clone(), format!("t{}", topic.0))));
        }
    }
    lines
}
