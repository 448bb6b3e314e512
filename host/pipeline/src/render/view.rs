//! Texts for the parts of a topology, for all formats.

use super::super::scalars::show_milliseconds;
use millrace_engine::ports::StoreId;
use millrace_engine::topology::{
    Call, Edge, EventTime, JoinKind, Node, Operator, StoreKind, StoreSpec, TopicId, TopicKind, Topology, ValueCodec,
};

/// The name of a kind of operator, as in pipeline files if they have it.
pub(super) fn kind(operator: &Operator) -> &'static str {
    match operator {
        Operator::Source { .. } => "source",
        Operator::Table { .. } => "table",
        Operator::Transform { .. } => "transform",
        Operator::Merge => "merge",
        Operator::StreamJoin { .. } => "join",
        Operator::Lookup { .. } => "lookup",
        Operator::TableJoin { .. } => "table-join",
        Operator::Aggregate { .. } => "aggregate",
        Operator::Process { .. } => "process",
        Operator::Dedup { .. } => "dedup",
        Operator::Repartition { .. } => "repartition",
        Operator::Sink { .. } => "sink",
    }
}

/// `plugin.function`.
pub(super) fn call_name(topology: &Topology, call: &Call) -> String {
    let plugin = topology.plugins.get(call.plugin.0).map_or("", |plugin| &plugin.name);
    format!("{plugin}.{}", call.manifest.name)
}

/// The topic it reads.
pub(super) fn reads(operator: &Operator) -> Option<TopicId> {
    match operator {
        Operator::Source { topic, .. } => Some(*topic),
        _ => None,
    }
}

/// The topic it writes.
pub(super) fn writes(operator: &Operator) -> Option<TopicId> {
    match operator {
        Operator::Sink { topic, .. } | Operator::Repartition { topic } => Some(*topic),
        _ => None,
    }
}

/// The stores that it uses, in their order; for a lookup or a join of tables, those of its tables.
pub(super) fn stores(operator: &Operator) -> Vec<StoreId> {
    match operator {
        Operator::Table { store } | Operator::StreamJoin { store, .. } | Operator::Dedup { store, .. } => vec![*store],
        Operator::Aggregate { store, open, .. } => [*store].into_iter().chain(*open).collect(),
        Operator::Lookup { table, .. } => vec![table.store],
        Operator::TableJoin { left, right, .. } => vec![left.store, right.store],
        Operator::Process { stores, timers, .. } => stores.iter().copied().chain(*timers).collect(),
        Operator::Source { .. }
        | Operator::Transform { .. }
        | Operator::Merge
        | Operator::Repartition { .. }
        | Operator::Sink { .. } => Vec::new(),
    }
}

pub(super) fn topic_name(topology: &Topology, topic: TopicId) -> &str {
    topology.topics.get(topic.0).map_or("", |topic| &topic.name)
}

pub(super) fn store_name(topology: &Topology, store: StoreId) -> &str {
    topology.stores.get(store.0).map_or("", |store| &store.name)
}

pub(super) fn topic_kind(kind: TopicKind) -> &'static str {
    match kind {
        TopicKind::External => "external",
        TopicKind::Repartition => "repartition",
        TopicKind::DeadLetters => "dead-letters",
    }
}

pub(super) fn value_codec(codec: ValueCodec) -> &'static str {
    match codec {
        ValueCodec::Json => "json",
        ValueCodec::Bytes => "bytes",
    }
}

pub(super) fn join_kind(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "inner",
        JoinKind::Left => "left",
        JoinKind::Outer => "outer",
    }
}

/// The layout of a store, in a word.
pub(super) fn store_kind(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::KeyValue => "key-value",
        StoreKind::Table => "table",
        StoreKind::WindowRecords { .. } => "window",
        StoreKind::AggregateWindows { .. } => "windowed",
    }
}

/// Whether `table` looks it up.
pub(super) fn is_queryable(store: &StoreSpec) -> bool {
    store.queryable && store.kind == StoreKind::Table
}

/// A store, in words.
pub(super) fn describe_store(store: &StoreSpec) -> String {
    let mut words = store_kind(store.kind).to_owned();
    if let Some(retention) = store.kind.retention() {
        words.push_str(&format!(", kept {}", show_milliseconds(retention)));
    }
    if is_queryable(store) {
        words.push_str(", queryable");
    }
    words
}

/// The text for an operator after its kind and name.
pub(super) fn details(topology: &Topology, node: &Node) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(node.operator.call().map(|call| format!("calls {}", call_name(topology, call))));
    match &node.operator {
        Operator::Source { topic, key, value, timestamp, .. } => {
            words.insert(0, format!("topic {}", topic_name(topology, *topic)));
            words.insert(1, format!("{} keys, {} values", key.name(), value_codec(*value)));
            if let EventTime::Field(name) = timestamp {
                words.insert(2, format!("time in field {name}"));
            }
        }
        Operator::StreamJoin { kind, window, .. } => {
            let (before, after) = (show_milliseconds(window.before), show_milliseconds(window.after));
            let time = format!("{before} before to {after} after, grace {}", show_milliseconds(window.grace));
            words.insert(0, format!("{}, {time}", join_kind(*kind)));
        }
        Operator::Lookup { kind, table, .. } => {
            words.insert(0, format!("{}, table {}", join_kind(*kind), table.name));
        }
        Operator::TableJoin { kind, left, right, .. } => {
            words.insert(0, format!("{}, tables {} and {}", join_kind(*kind), left.name, right.name));
        }
        _ => {}
    }
    words.extend(writes(&node.operator).map(|topic| format!("topic {}", topic_name(topology, topic))));
    words
}

/// The text for an edge: its port, if the function has several, and its side, if it leads to a join.
pub(super) fn edge_words(from: &Node, edge: &Edge, to: &Node) -> Vec<String> {
    let mut words = Vec::new();
    let ports = from.operator.call().filter(|_| reads(&from.operator).is_none()).map(|call| &call.manifest.ports);
    if let Some(port) = ports.filter(|ports| ports.len() > 1).and_then(|ports| ports.get(edge.port)) {
        words.push(port.name.clone());
    }
    if let Operator::StreamJoin { .. } = to.operator {
        words.push(if edge.input == 0 { "left" } else { "right" }.to_owned());
    }
    words
}
