//! Old rows: where a table's rows go to an aggregate, the old row goes along with the new one, so that the aggregate
//! can subtract it.

use super::diagnostic::Problems;
use super::graph::{Graph, Link};
use super::model::StepKind;

/// The links with old rows: those from tables to aggregates, through transforms.
pub(super) struct OldRowLinks {
    /// By step: whether rows of a table come out of it.
    rows: Vec<bool>,
    /// By step: whether its input gets to an aggregate.
    aggregated: Vec<bool>,
}

impl OldRowLinks {
    /// Finds the links. `order` is a topological order of the steps.
    pub fn find(graph: &Graph<'_>, order: &[usize]) -> Self {
        let mut links = Self { rows: vec![false; graph.nodes.len()], aggregated: vec![false; graph.nodes.len()] };
        for step in order {
            let Some(node) = graph.nodes.get(*step) else { continue };
            let passes = is_transform(&node.step.kind) && node.links.iter().any(|link| is(&links.rows, link.from));
            if let Some(rows) = links.rows.get_mut(*step) {
                *rows = passes || matches!(node.step.kind, StepKind::Table { .. });
            }
        }
        for step in order.iter().rev() {
            let Some(node) = graph.nodes.get(*step) else { continue };
            let mut behind = graph.links().filter(|(link, _)| link.from == *step);
            let passes = is_transform(&node.step.kind) && behind.any(|(_, to)| is(&links.aggregated, to));
            if let Some(aggregated) = links.aggregated.get_mut(*step) {
                *aggregated = passes || matches!(node.step.kind, StepKind::Aggregate { .. });
            }
        }
        links
    }

    /// Whether a link has old rows.
    pub fn has(&self, link: &Link, to: usize) -> bool {
        is(&self.rows, link.from) && is(&self.aggregated, to)
    }
}

fn is(flags: &[bool], step: usize) -> bool {
    flags.get(step).copied().unwrap_or(false)
}

fn is_transform(kind: &StepKind) -> bool {
    matches!(kind, StepKind::Transform { .. })
}

/// Reports aggregates of a join of tables, which has no old rows to subtract, and windowed aggregates of tables.
pub(super) fn check_aggregates(graph: &Graph<'_>, order: &[usize], problems: &mut Problems) {
    let links = OldRowLinks::find(graph, order);
    // By step: the join of tables whose rows come out of it.
    let mut joined: Vec<Option<&str>> = vec![None; graph.nodes.len()];
    for step in order {
        let Some(node) = graph.nodes.get(*step) else { continue };
        let found = match &node.step.kind {
            StepKind::TableJoin { .. } => Some(node.step.name.as_str()),
            StepKind::Transform { .. } => node.links.iter().find_map(|link| joined.get(link.from).copied().flatten()),
            _ => None,
        };
        if let Some(slot) = joined.get_mut(*step) {
            *slot = found;
        }
    }
    for node in &graph.nodes {
        let StepKind::Aggregate { windows, .. } = &node.step.kind else { continue };
        for link in &node.links {
            if let Some(join) = joined.get(link.from).copied().flatten() {
                let message = format!("{} aggregates rows of `{join}`, which keeps no old ones", node.step.title());
                problems.add(link.at, message, format!("put a [[table]] between: from = \"{join}\""));
            } else if windows.is_some() && is(&links.rows, link.from) {
                let message = format!("{} has a window, and aggregates rows of a table", node.step.title());
                let help = "leave `window` out: the result is that of the rows as they are; windows are for streams";
                problems.add(link.at, message, help);
            }
        }
    }
}
