//! Turns a cut graph into a [`Topology`].

use std::collections::HashMap;

use super::cut::{CutGraph, OperatorEdge, OperatorId, OperatorRole};
use super::graph::Graph;
use super::keys::StepKeys;
use super::model::StepKind;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::meta;
use millrace_engine::ports::StoreId;
use millrace_engine::topology::{
    Edge, GlobalTable, Node, NodeId, Operator, StoreKind, StoreSpec, SubTopology, Topic, TopicId, TopicKind, Topology,
};

/// Builds the topology. `None` if a step is incomplete, which was reported when it was read.
pub(super) fn emit(graph: &Graph<'_>, keys: &StepKeys, cut: &CutGraph) -> Option<Topology> {
    let mut emitter = Emitter { graph, keys, cut, topics: Vec::new(), stores: Vec::new(), tables: HashMap::new() };
    emitter.add_topics();
    let meta = emitter.add_store(StoreSpec {
        name: meta::STORE.to_owned(),
        kind: StoreKind::KeyValue,
        key: KeyCodec::Bytes,
        queryable: false,
        subtopology: 0,
    });
    let globals = emitter.globals()?;
    let subtopologies = (0..cut.subtopologies.len()).map(|index| emitter.subtopology(index, meta));
    let subtopologies = subtopologies.collect::<Option<_>>()?;
    let pipeline = graph.pipeline;
    Some(Topology {
        app: pipeline.app.clone(),
        settings: pipeline.settings.clone(),
        plugins: pipeline.plugins().cloned().collect(),
        topics: emitter.topics,
        stores: emitter.stores,
        globals,
        subtopologies,
        kafka: pipeline.kafka(),
    })
}

/// The topic behind a port that changes the key.
pub(super) fn repartition_topic(graph: &Graph<'_>, part: OperatorId) -> Option<String> {
    Some(format!("{}-{}", graph.pipeline.app, repartition_name(graph, part)?))
}

/// Names the port only where the function has several that change the key, whoever reads them: so that a new reader
/// doesn't rename the topic.
fn repartition_name(graph: &Graph<'_>, part: OperatorId) -> Option<String> {
    let (OperatorRole::Repartition(port) | OperatorRole::Repartitioned(port)) = part.role else { return None };
    let node = graph.nodes.get(part.step)?;
    let ports = &node.call?.manifest.ports;
    let step = &node.step.name;
    if ports.iter().filter(|port| port.changes_key).count() > 1 {
        return Some(format!("{step}.{}-repartition", ports.get(port)?.name));
    }
    Some(format!("{step}-repartition"))
}

pub(super) struct Emitter<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub keys: &'g StepKeys,
    cut: &'g CutGraph,
    topics: Vec<Topic>,
    pub stores: Vec<StoreSpec>,
    /// Stores of tables, by step.
    pub tables: HashMap<usize, StoreId>,
}

impl Emitter<'_, '_> {
    /// Names all topics: those that are read, then those that are written.
    fn add_topics(&mut self) {
        let graph = self.graph;
        for node in &graph.nodes {
            if let Some(read) = node.step.read() {
                let name = read.topic.value.clone();
                self.topics.push(Topic { name, kind: TopicKind::External, key: read.key, partitions: read.partitions });
            }
        }
        let read = self.topics.len();
        for (index, node) in graph.nodes.iter().enumerate() {
            if let Some(topic) = node.step.writes() {
                self.add_written(read, topic, TopicKind::External, self.keys.read(index));
            }
        }
        for part in &self.cut.parts {
            if let Some(name) = repartition_topic(graph, *part) {
                self.add_written(read, &name, TopicKind::Repartition, None);
            }
        }
        for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.can_dead_letter()) {
            self.add_written(read, &graph.dlq(node.step), TopicKind::DeadLetters, self.keys.read(index));
        }
        for name in graph.nodes.iter().map(|node| graph.dlq(node.step)) {
            if self.topic(&name).is_none() {
                self.add_written(read, &name, TopicKind::DeadLetters, None);
            }
        }
    }

    /// Adds a topic that is written. The codec of its keys is that of the step that reads it (the first `read` topics
    /// are read); if none does, that of the steps that write it, if they agree.
    fn add_written(&mut self, read: usize, name: &str, kind: TopicKind, key: Option<KeyCodec>) {
        let key = key.unwrap_or_default();
        match self.topics.iter_mut().enumerate().find(|(_, topic)| topic.name == name) {
            Some((index, topic)) if index >= read && topic.key != key => topic.key = KeyCodec::Bytes,
            Some(_) => {}
            None => self.topics.push(Topic { name: name.to_owned(), kind, key, partitions: None }),
        }
    }

    pub fn topic(&self, name: &str) -> Option<TopicId> {
        self.topics.iter().position(|topic| topic.name == name).map(TopicId)
    }

    /// Global tables, which the driver updates.
    fn globals(&mut self) -> Option<Vec<GlobalTable>> {
        let graph = self.graph;
        let mut globals = Vec::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let StepKind::GlobalTable { .. } = node.step.kind else { continue };
            let (name, read) = (node.step.name.clone(), node.step.read()?);
            let store = self.add_store(StoreSpec {
                name: name.clone(),
                kind: StoreKind::Table,
                key: read.key,
                queryable: true,
                subtopology: 0,
            });
            self.tables.insert(index, store);
            globals.push(GlobalTable {
                name,
                topic: self.topic(&read.topic)?,
                key: read.key,
                value: read.value,
                store,
            });
        }
        Some(globals)
    }

    fn subtopology(&mut self, index: usize, meta: StoreId) -> Option<SubTopology> {
        let parts = self.cut.subtopologies.get(index)?;
        let ids: HashMap<usize, NodeId> = parts.iter().enumerate().map(|(id, part)| (*part, NodeId(id))).collect();
        let first_store = self.stores.len();
        let nodes = parts.iter().map(|part| self.node(index, *part, &ids)).collect::<Option<Vec<_>>>()?;
        let stores = (first_store..self.stores.len()).map(StoreId).collect();
        let mut sources: Vec<(usize, TopicId)> = Vec::new();
        for (part, node) in parts.iter().zip(&nodes) {
            if let Operator::Source { topic, .. } = node.operator {
                sources.push((*part, topic));
            }
        }
        // Parts are numbered in the order of the files.
        sources.sort();
        let inputs = sources.into_iter().map(|(_, topic)| topic).collect();
        Some(SubTopology { inputs, nodes, stores, meta })
    }

    fn node(&mut self, subtopology: usize, index: usize, ids: &HashMap<usize, NodeId>) -> Option<Node> {
        let part = *self.cut.parts.get(index)?;
        let node = self.graph.nodes.get(part.step)?;
        let operator = self.operator(subtopology, part, node)?;
        let arrows = self.cut.arrows.iter().filter(|arrow| arrow.from == index);
        // Sorted by where they lead, which is the order of the files.
        let edges = arrows.map(|arrow| {
            let OperatorEdge { port, input, changes, .. } = *arrow;
            Some(Edge { port, to: *ids.get(&arrow.to)?, input, changes })
        });
        let common = &node.step.common;
        // The source of a repartition topic has the name of the step before it: guests see that name as their input.
        let name = match part.role {
            OperatorRole::Repartition(_) => repartition_name(self.graph, part)?,
            _ => node.step.name.clone(),
        };
        Some(Node {
            name,
            operator,
            edges: edges.collect::<Option<_>>()?,
            on_error: common.on_error,
            on_late: common.on_late.as_ref().map(|late| late.value).unwrap_or_default(),
            on_null_key: common.on_null_key,
            dlq: self.topic(&self.graph.dlq(node.step))?,
        })
    }
}
