//! What the vocabulary has and no operator does yet: said plainly, with what is there instead.

use super::diagnostic::{Place, Problems};
use super::graph::{Graph, StepNode};
use super::model::StepKind;

/// Reports every step and setting that can't run yet.
pub(super) fn check_unbuilt(graph: &Graph<'_>, problems: &mut Problems) {
    if let Some(at) = graph.pipeline.breaker {
        not_yet(problems, at, "`breaker`", "leave it out: failures are dead-lettered one by one");
    }
    for node in &graph.nodes {
        if let Some(at) = node.step.common.retry {
            let what = format!("`retry` of {}", node.step.title());
            not_yet(problems, at, what, "leave it out: what fails is dead-lettered at once");
        }
        check_table_aggregate(graph, node, problems);
    }
}

/// An aggregate of a table takes the old row back when a new one comes: a table doesn't pass old rows on yet.
fn check_table_aggregate(graph: &Graph<'_>, node: &StepNode<'_>, problems: &mut Problems) {
    let StepKind::Aggregate { .. } = node.step.kind else { return };
    for link in &node.links {
        let table = graph.nodes.get(link.from).filter(|from| matches!(from.step.kind, StepKind::Table { .. }));
        if let Some(table) = table {
            let what = format!("{} of the table `{}`", node.step.title(), table.step.name);
            not_yet(problems, link.at, what, "aggregates of streams are there");
        }
    }
}

fn not_yet(problems: &mut Problems, at: Place, what: impl std::fmt::Display, instead: &str) {
    problems.add(at, format!("{what}: not yet"), instead);
}
