//! A topology as JSON, for tools. Members are only ever added.

use serde_json::{Value, json};

use super::view::{
    call_name, edge_words, is_queryable, kind, reads, store_kind, store_name, stores, topic_kind, topic_name, writes,
};
use millrace_engine::ports::StoreId;
use millrace_engine::topology::{Node, StoreSpec, SubTopology, Topology};

/// One line of JSON for each line of a person's reading: indented.
pub(super) fn json(topology: &Topology) -> String {
    let document = json!({
        "app": topology.app,
        "plugins": topology.plugins.iter().map(|plugin| json!({
            "name": plugin.name, "component": plugin.component.to_string_lossy(),
        })).collect::<Vec<_>>(),
        "topics": topology.topics.iter().map(|topic| json!({
            "name": topic.name, "kind": topic_kind(topic.kind), "key": topic.key.name(), "partitions": topic.partitions,
        })).collect::<Vec<_>>(),
        "stores": topology.stores.iter().enumerate().map(|(id, it)| store(topology, StoreId(id), it)).collect::<Vec<_>>(),
        "subtopologies": topology.subtopologies.iter().map(|it| subtopology(topology, it)).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn store(topology: &Topology, id: StoreId, store: &StoreSpec) -> Value {
    // None: they share it.
    let owner = topology.subtopologies.iter().position(|subtopology| subtopology.stores.contains(&id));
    let retention = store.kind.retention();
    json!({
        "name": store.name, "kind": store_kind(store.kind), "key": store.key.name(), "queryable": is_queryable(store),
        "retentionMs": retention, "subtopology": owner,
    })
}

fn subtopology(topology: &Topology, subtopology: &SubTopology) -> Value {
    json!({
        "inputs": subtopology.inputs.iter().map(|topic| topic_name(topology, *topic)).collect::<Vec<_>>(),
        "meta": store_name(topology, subtopology.meta),
        "nodes": subtopology.nodes.iter().map(|it| node(topology, subtopology, it)).collect::<Vec<_>>(),
    })
}

fn node(topology: &Topology, subtopology: &SubTopology, node: &Node) -> Value {
    let edges = node.edges.iter().filter_map(|edge| {
        let to = subtopology.nodes.get(edge.to.0)?;
        let label = edge_words(node, edge, to).join(" ");
        Some(json!({
            "node": edge.to.0, "name": to.name, "port": edge.port, "input": edge.input, "label": label,
        }))
    });
    json!({
        "name": node.name,
        "kind": kind(&node.operator),
        "call": node.operator.call().map(|call| call_name(topology, call)),
        "reads": reads(&node.operator).map(|topic| topic_name(topology, topic)),
        "writes": writes(&node.operator).map(|topic| topic_name(topology, topic)),
        "stores": stores(&node.operator).into_iter().map(|store| store_name(topology, store)).collect::<Vec<_>>(),
        "deadLetters": topic_name(topology, node.dlq),
        "to": edges.collect::<Vec<_>>(),
    })
}
