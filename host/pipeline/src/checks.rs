//! Checks across steps: each topic is read once, every output is used, every name is unique.

use std::collections::{HashMap, HashSet};

use super::diagnostic::Problems;
use super::graph::Graph;
use super::model::StepKind;
use super::scalars::topic_error;
use millrace_engine::meta::STORE;
use millrace_engine::topology::{Operator, Topic, TopicKind, Topology, WindowKind, Windows, partitions};

/// Reports topics that several steps read.
pub(super) fn check_topics(graph: &Graph<'_>, problems: &mut Problems) {
    let mut readers: HashMap<&str, &str> = HashMap::new();
    for step in &graph.pipeline.steps {
        let Some(read) = step.read() else { continue };
        match readers.get(read.topic.as_str()) {
            // That two steps have one name is told already.
            Some(other) if **other == step.name => {}
            Some(other) => problems.add(
                read.topic.at,
                format!("{} reads the topic `{}`, which `{other}` reads already", step.title(), *read.topic),
                format!("read it once, and name `{other}` wherever its records are needed"),
            ),
            None => {
                readers.insert(&read.topic, &step.name);
            }
        }
    }
}

/// Reports sources and steps whose records no step reads, and plugins that no step calls.
pub(super) fn check_unused(graph: &Graph<'_>, problems: &mut Problems) {
    let mut used: HashSet<usize> = graph.links().map(|(link, _)| link.from).collect();
    used.extend(graph.nodes.iter().filter_map(|node| node.table));
    for (index, node) in graph.nodes.iter().enumerate() {
        let keeps = match node.step.kind {
            // Tables can be queried.
            StepKind::Table { .. } | StepKind::GlobalTable { .. } | StepKind::Sink { .. } => true,
            _ => false,
        };
        if !keeps && !used.contains(&index) {
            let name = &node.step.name;
            let help = match node.step.kind {
                StepKind::Aggregate { .. } => format!(
                    "write its results to a topic with a [[sink]], or keep them with a [[table]]: from = \"{name}\"; or take it \
                     out"
                ),
                _ => format!("name it in a step or sink: from = \"{name}\"; or take it out"),
            };
            problems.add(node.step.name_at, format!("{}: nothing reads it", node.step.title()), help);
        }
    }
    let called: HashSet<usize> = graph.nodes.iter().filter_map(|node| Some(node.call?.plugin)).collect();
    for (index, plugin) in graph.pipeline.plugins.iter().enumerate() {
        if !called.contains(&index) {
            let name = &plugin.plugin.name;
            problems.add(
                plugin.at,
                format!("[plugins.{name}]: nothing calls it"),
                format!("call = \"{name}.FUNCTION\" in a step does; or take it out"),
            );
        }
    }
}

/// Reports aggregates with sessions whose function can't merge two sessions.
pub(super) fn check_sessions(graph: &Graph<'_>, problems: &mut Problems) {
    for node in &graph.nodes {
        let StepKind::Aggregate { windows: Some(Windows { kind: WindowKind::Session { .. }, .. }), .. } =
            node.step.kind
        else {
            continue;
        };
        if let (Some(call), Some(name)) = (node.call, node.step.call())
            && !call.manifest.merges
        {
            let message = format!(
                "{} has sessions, and `{}.{}` can't merge the states of two",
                node.step.title(),
                name.plugin,
                name.function
            );
            problems.add(name.at, message, "give the function a `merge`, or take windows of another kind");
        }
    }
}

/// Reports mistakes that show in the topology only: names of the host's own that a step uses, and partition counts that
/// differ.
pub(super) fn check_topology(graph: &Graph<'_>, topology: &Topology, problems: &mut Problems) {
    check_stores(graph, topology, problems);
    for mismatch in partitions(topology, &|_| None).err().into_iter().flatten() {
        let at = place_of(graph, &mismatch.step);
        problems.add(at, mismatch.to_string(), "say the same `partitions` at both sources, or none");
    }
    let internal = internal_topics(topology);
    for topic in &topology.topics {
        let step = graph.nodes.iter().map(|node| node.step).find(|step| {
            step.writes() == Some(&topic.name) || step.read().is_some_and(|read| read.topic.value == topic.name)
        });
        let at = step.map(|step| step.name_at).unwrap_or_default();
        if topic.kind != TopicKind::Repartition && internal.contains(&topic.name) {
            let message = format!("the topic `{}` has the name of one that the host makes for itself", topic.name);
            problems.add(at, message, "give the topic another name");
        }
    }
    for name in topology.topics.iter().map(|topic: &Topic| &topic.name).chain(&internal) {
        if let Some(why) = topic_error(name) {
            let message = format!("the host's topic `{name}`: {why}");
            problems.add(Default::default(), message, "give the app and its steps shorter names");
        }
    }
}

/// Names of the topics that the host creates for itself.
fn internal_topics(topology: &Topology) -> HashSet<String> {
    let app = &topology.app;
    let nodes = topology.subtopologies.iter().flat_map(|subtopology| &subtopology.nodes);
    let repartition = nodes.filter_map(|node| match node.operator {
        Operator::Repartition { topic } => topology.topics.get(topic.0),
        _ => None,
    });
    let changelogs = topology.stores.iter().map(|store| format!("{app}-{}-changelog", store.name));
    let names = repartition.map(|topic| topic.name.clone()).chain(changelogs);
    names.chain([format!("{app}-control")]).collect()
}

fn check_stores(graph: &Graph<'_>, topology: &Topology, problems: &mut Problems) {
    let mut names = HashSet::new();
    for store in &topology.stores {
        if !names.insert(&store.name) {
            let at = graph.nodes.iter().find(|node| node.step.name == store.name);
            let message = if store.name == STORE {
                format!("the store `{STORE}` has the name of one that the host keeps for itself")
            } else {
                format!("two stores have the name `{}`: the host makes one for another step", store.name)
            };
            problems.add(at.map(|node| node.step.name_at).unwrap_or_default(), message, "rename one of the steps");
        }
    }
}

fn place_of(graph: &Graph<'_>, step: &str) -> super::diagnostic::Place {
    graph.nodes.iter().find(|node| node.step.name == step).map(|node| node.step.name_at).unwrap_or_default()
}
