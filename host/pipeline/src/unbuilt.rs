//! Reports what the vocabulary has and no operator implements yet, with an alternative.

use super::diagnostic::{Place, Problems};
use super::graph::Graph;

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
    }
}

fn not_yet(problems: &mut Problems, at: Place, what: impl std::fmt::Display, instead: &str) {
    problems.add(at, format!("{what}: not yet"), instead);
}
