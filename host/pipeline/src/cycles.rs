//! Cycles: routes on which a record would return to a step, through steps, topics or dead letters.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::diagnostic::{Place, Problems};
use super::graph::Graph;
use super::model::Step;
use super::order::{find_cycle, topological};
use super::scalars::listed;

/// A route of a record from one step to the next.
struct Route {
    from: usize,
    to: usize,
    through: RouteVia,
}

/// What is between them.
enum RouteVia {
    Nothing,
    Topic(String),
    /// The dead-letter topic.
    DeadLetters(String),
}

impl Route {
    fn pair(&self) -> (usize, usize) {
        (self.from, self.to)
    }

    fn dead_letters(&self) -> Option<&str> {
        match &self.through {
            RouteVia::DeadLetters(topic) => Some(topic),
            RouteVia::Nothing | RouteVia::Topic(_) => None,
        }
    }
}

/// Reports cycles of steps, through topics that the app itself writes, and of dead letters. If there is none, returns
/// the steps in topological order.
pub(super) fn check_cycles(graph: &Graph<'_>, problems: &mut Problems) -> Option<Vec<usize>> {
    let mut arrows = arrows(graph);
    let order = topological(graph.nodes.len(), &pairs(&arrows));
    for (topic, steps) in returning(&arrows) {
        report_dead_letters(graph, &topic, &steps, problems);
        arrows.retain(|arrow| arrow.dead_letters() != Some(&topic));
    }
    while let Some(cycle) = find_cycle(graph.nodes.len(), &pairs(&arrows)) {
        report_cycle(graph, &cycle, &arrows, problems);
        arrows.retain(|arrow| !cycle.contains(&arrow.from) && !cycle.contains(&arrow.to));
    }
    (order.len() == graph.nodes.len()).then_some(order)
}

fn pairs(arrows: &[Route]) -> Vec<(usize, usize)> {
    arrows.iter().map(Route::pair).collect()
}

/// All routes between steps.
fn arrows(graph: &Graph<'_>) -> Vec<Route> {
    let direct = |from, to| Route { from, to, through: RouteVia::Nothing };
    let mut arrows: Vec<_> = graph.links().map(|(link, to)| direct(link.from, to)).collect();
    arrows.extend(graph.nodes.iter().enumerate().filter_map(|(to, node)| Some(direct(node.table?, to))));
    let readers: HashMap<&str, usize> = graph
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| Some((node.step.read()?.topic.value.as_str(), index)))
        .collect();
    for (from, node) in graph.nodes.iter().enumerate() {
        let written = node.step.writes().map(|topic| RouteVia::Topic(topic.to_owned()));
        let failed = node.can_dead_letter().then(|| RouteVia::DeadLetters(graph.dlq(node.step)));
        for through in written.into_iter().chain(failed) {
            let (RouteVia::Topic(topic) | RouteVia::DeadLetters(topic)) = &through else { continue };
            if let Some(to) = readers.get(topic.as_str()) {
                arrows.push(Route { from, to: *to, through });
            }
        }
    }
    arrows
}

/// The steps whose dead letters return to them, by dead-letter topic.
fn returning(arrows: &[Route]) -> BTreeMap<String, Vec<usize>> {
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for arrow in arrows {
        if let Some(topic) = arrow.dead_letters().filter(|_| leads(arrows, arrow.to, arrow.from)) {
            found.entry(topic.to_owned()).or_default().push(arrow.from);
        }
    }
    found
}

/// Whether a record can get from one step to another.
fn leads(arrows: &[Route], from: usize, to: usize) -> bool {
    let (mut seen, mut left) = (HashSet::from([from]), vec![from]);
    while let Some(step) = left.pop() {
        if step == to {
            return true;
        }
        let next = arrows.iter().filter(|arrow| arrow.from == step).map(|arrow| arrow.to);
        left.extend(next.filter(|next| seen.insert(*next)));
    }
    false
}

/// The place to report: the `dlq` that names the topic, otherwise the source that reads it.
fn report_dead_letters(graph: &Graph<'_>, topic: &str, steps: &[usize], problems: &mut Problems) {
    let reads = |step: &Step| step.read().filter(|read| read.topic.value == topic).map(|read| read.topic.at);
    let reader = graph.nodes.iter().find_map(|node| Some((node.step, reads(node.step)?)));
    let Some((reader, read_at)) = reader else { return };
    let failing: Vec<_> = steps.iter().filter_map(|step| graph.nodes.get(*step)).map(|node| node.step).collect();
    let chosen: Option<Place> = failing.iter().find_map(|step| graph.dlq_at(step));
    let names = listed(failing.iter().map(|step| step.name.as_str()), "and");
    let (at, begin) = match chosen {
        Some(at) => {
            let line = graph.pipeline.sources.line_of(read_at);
            (at, format!("`{topic}` is for dead letters, and {} reads it ({line})", reader.title()))
        }
        None => (read_at, format!("{} reads `{topic}`, the topic of the app's dead letters", reader.title())),
    };
    let help = match chosen {
        Some(_) => {
            "give dead letters a topic that no step of this app reads, or leave `dlq` out: then it is \"APP-dlq\""
        }
        None => "name another topic for dead letters, dlq = \"NAME\", or read this one in an app of its own",
    };
    problems.add(at, format!("{begin}: what fails in {names} would come back as input"), help);
}

fn report_cycle(graph: &Graph<'_>, cycle: &[usize], arrows: &[Route], problems: &mut Problems) {
    let Some(first) = cycle.first().and_then(|first| graph.nodes.get(*first)) else { return };
    let mut way = format!("`{}`", first.step.name);
    for (from, to) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
        let through = arrows.iter().find(|arrow| arrow.pair() == (*from, *to)).map(|arrow| &arrow.through);
        if let Some(RouteVia::Topic(topic) | RouteVia::DeadLetters(topic)) = through {
            way.push_str(&format!(" -> topic `{topic}`"));
        }
        let name = graph.nodes.get(*to).map_or("", |node| &node.step.name);
        way.push_str(&format!(" -> `{name}`"));
    }
    let help = "a record would go round for ever: let one of these read from somewhere else";
    problems.add(first.step.name_at, format!("a cycle: {way}"), help);
}
