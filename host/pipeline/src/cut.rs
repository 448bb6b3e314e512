//! Cuts the graph of steps into sub-topologies.
//!
//! Operators that are connected, or share a store, are in one sub-topology. If a step with state comes after a port
//! that changes the key, before the next such port, the records go through a repartition topic, and the graph is cut
//! there.

use std::collections::HashMap;

use super::changes::OldRowLinks;
use super::graph::{Graph, Link};
use super::model::StepKind;
use super::order::{topological, topological_or_first};

/// An operator: a step has up to four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OperatorId {
    /// The step.
    pub step: usize,
    pub role: OperatorRole,
}

/// The role of an operator in its step. The order breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum OperatorRole {
    /// Reads the topic of a table.
    TableSource,
    /// The step itself.
    Step,
    /// Writes the outputs of this port to its repartition topic.
    Repartition(usize),
    /// Reads the repartition topic of this port.
    Repartitioned(usize),
}

/// An edge between operators.
#[derive(Clone, Copy, Debug)]
pub(super) struct OperatorEdge {
    pub from: usize,
    pub port: usize,
    pub to: usize,
    pub input: usize,
    /// Whether old rows of a table go along the edge.
    pub changes: bool,
}

/// The operators and their sub-topologies.
pub(super) struct CutGraph {
    /// In the order of the files.
    pub parts: Vec<OperatorId>,
    pub arrows: Vec<OperatorEdge>,
    /// The operators of each sub-topology, in topological order; sub-topologies in the order of the topics between
    /// them.
    pub subtopologies: Vec<Vec<usize>>,
}

/// Cuts a graph without cycles. `order` is a topological order of its steps.
pub(super) fn cut(graph: &Graph<'_>, order: &[usize]) -> CutGraph {
    let crossing = crossing_links(graph, order);
    let parts = parts(graph, &crossing);
    let index: HashMap<OperatorId, usize> = parts.iter().enumerate().map(|(index, part)| (*part, index)).collect();
    let arrows = arrows(graph, &crossing, &index, &OldRowLinks::find(graph, order));
    let tables = graph.nodes.iter().enumerate().filter_map(|(step, node)| {
        let part = |step| index.get(&OperatorId { step, role: OperatorRole::Step }).copied();
        Some((part(node.table?)?, part(step)?))
    });
    let mut pairs: Vec<_> = arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
    pairs.extend(tables);
    let order = topological(parts.len(), &pairs);
    let group_of = groups(parts.len(), &pairs);
    let subtopologies = order_groups(graph, &parts, &index, &order, &group_of);
    CutGraph { parts, arrows, subtopologies }
}

/// The ports `(step, port)` with a repartition topic, and the steps that read it.
fn crossing_links(graph: &Graph<'_>, order: &[usize]) -> HashMap<(usize, usize), Vec<usize>> {
    let mut outgoing: HashMap<usize, Vec<(&Link, usize)>> = HashMap::new();
    for (link, to) in graph.links() {
        outgoing.entry(link.from).or_default().push((link, to));
    }
    let changes = |link: &Link| graph.nodes.get(link.from).is_some_and(|node| node.changes_key(link.port));
    // By step: whether its input gets to a step with state before the key changes again.
    let mut keyed = vec![false; graph.nodes.len()];
    for step in order.iter().rev() {
        let behind = outgoing.get(step).into_iter().flatten();
        let mut behind =
            behind.filter(|(link, _)| !changes(link)).map(|(_, to)| keyed.get(*to).copied().unwrap_or(false));
        let needs = graph.nodes.get(*step).is_some_and(|node| node.is_stateful()) || behind.any(|needs| needs);
        if let Some(slot) = keyed.get_mut(*step) {
            *slot = needs;
        }
    }
    let mut crossing: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
    for (link, to) in graph.links().filter(|(link, to)| changes(link) && keyed.get(*to).copied().unwrap_or(false)) {
        crossing.entry((link.from, link.port)).or_default().push(to);
    }
    crossing
}

fn parts(graph: &Graph<'_>, crossing: &HashMap<(usize, usize), Vec<usize>>) -> Vec<OperatorId> {
    // A global table is no part of any sub-topology: the driver keeps it.
    let runs = |node: &super::graph::StepNode<'_>| !matches!(node.step.kind, StepKind::GlobalTable { .. });
    let steps = graph.nodes.iter().enumerate().filter(|(_, node)| runs(node));
    let mut parts: Vec<OperatorId> = steps.map(|(step, _)| OperatorId { step, role: OperatorRole::Step }).collect();
    let is_table = |node: &super::graph::StepNode<'_>| node.step.table_name() == "table" && node.step.read().is_some();
    let tables = graph.nodes.iter().enumerate().filter(|(_, node)| is_table(node));
    parts.extend(tables.map(|(step, _)| OperatorId { step, role: OperatorRole::TableSource }));
    for (step, port) in crossing.keys().copied() {
        parts.push(OperatorId { step, role: OperatorRole::Repartition(port) });
        parts.push(OperatorId { step, role: OperatorRole::Repartitioned(port) });
    }
    parts.sort();
    parts
}

fn arrows(
    graph: &Graph<'_>,
    crossing: &HashMap<(usize, usize), Vec<usize>>,
    index: &HashMap<OperatorId, usize>,
    ways: &OldRowLinks,
) -> Vec<OperatorEdge> {
    let arrow = |from: OperatorId, port: usize, to: OperatorId, input: usize, changes: bool| {
        Some(OperatorEdge { from: *index.get(&from)?, port, to: *index.get(&to)?, input, changes })
    };
    let step = |step| OperatorId { step, role: OperatorRole::Step };
    let mut arrows = Vec::new();
    for (link, to) in graph.links() {
        let crosses = crossing.get(&(link.from, link.port)).is_some_and(|steps| steps.contains(&to));
        let behind = OperatorId { step: link.from, role: OperatorRole::Repartitioned(link.port) };
        arrows.extend(match crosses {
            true => arrow(behind, 0, step(to), link.input, ways.has(link, to)),
            false => arrow(step(link.from), link.port, step(to), link.input, ways.has(link, to)),
        });
    }
    for ((from, port), readers) in crossing {
        let (from, port) = (*from, *port);
        let mut links =
            graph.links().filter(|(link, to)| (link.from, link.port) == (from, port) && readers.contains(to));
        let changes = links.any(|(link, to)| ways.has(link, to));
        arrows.extend(arrow(
            step(from),
            port,
            OperatorId { step: from, role: OperatorRole::Repartition(port) },
            0,
            changes,
        ));
    }
    for part in index.keys().filter(|part| part.role == OperatorRole::TableSource) {
        arrows.extend(arrow(*part, 0, step(part.step), 0, false));
    }
    arrows.sort_by_key(|arrow| (arrow.from, arrow.to, arrow.input, arrow.port));
    arrows
}

/// The group of each operator: the smallest operator that it is connected with.
fn groups(count: usize, pairs: &[(usize, usize)]) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..count).collect();
    fn root(parents: &mut [usize], mut part: usize) -> usize {
        while let Some(parent) = parents.get(part).copied().filter(|parent| *parent != part) {
            let above = parents.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = parents.get_mut(part) {
                *slot = above;
            }
            part = parent;
        }
        part
    }
    for (one, other) in pairs {
        let (one, other) = (root(&mut parents, *one), root(&mut parents, *other));
        if let Some(slot) = parents.get_mut(one.max(other)) {
            *slot = one.min(other);
        }
    }
    (0..count).map(|part| root(&mut parents, part)).collect()
}

/// Sorts the groups by the topics between them, and the operators of each group.
fn order_groups(
    graph: &Graph<'_>,
    parts: &[OperatorId],
    index: &HashMap<OperatorId, usize>,
    order: &[usize],
    group_of: &[usize],
) -> Vec<Vec<usize>> {
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); parts.len()];
    for part in order {
        if let Some(list) = group_of.get(*part).and_then(|group| members.get_mut(*group)) {
            list.push(*part);
        }
    }
    let group = |part: &usize| group_of.get(*part).copied();
    let through_topics = topic_arrows(graph, parts, index);
    let pairs = through_topics.iter().filter_map(|(from, to)| Some((group(from)?, group(to)?)));
    let pairs: Vec<_> = pairs.filter(|(from, to)| from != to).collect();
    let groups = topological_or_first(parts.len(), &pairs);
    groups.into_iter().filter_map(|group| members.get(group).filter(|list| !list.is_empty()).cloned()).collect()
}

/// Pairs of operators of which the first writes the topic that the second reads.
fn topic_arrows(graph: &Graph<'_>, parts: &[OperatorId], index: &HashMap<OperatorId, usize>) -> Vec<(usize, usize)> {
    let mut readers: HashMap<&str, usize> = HashMap::new();
    for (step, node) in graph.nodes.iter().enumerate() {
        let Some(read) = node.step.read() else { continue };
        let source = [OperatorRole::TableSource, OperatorRole::Step]
            .iter()
            .find_map(|role| index.get(&OperatorId { step, role: *role }));
        readers.extend(source.map(|part| (read.topic.as_str(), *part)));
    }
    let mut pairs = Vec::new();
    for (from, part) in parts.iter().enumerate() {
        let Some(node) = graph.nodes.get(part.step) else { continue };
        match part.role {
            OperatorRole::Repartition(port) => {
                let behind = index.get(&OperatorId { role: OperatorRole::Repartitioned(port), ..*part });
                pairs.extend(behind.map(|to| (from, *to)));
            }
            OperatorRole::Step => {
                let topics = graph.written_topics(node);
                pairs.extend(topics.iter().filter_map(|topic| readers.get(topic.as_str())).map(|to| (from, *to)));
            }
            OperatorRole::TableSource | OperatorRole::Repartitioned(_) => {}
        }
    }
    pairs
}
