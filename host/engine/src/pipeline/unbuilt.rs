//! What the vocabulary has and no operator does yet: said plainly, with what is there instead.

use super::diagnostic::{Place, Problems};
use super::graph::{Graph, StepNode};
use super::model::StepKind;
use crate::topology::{JoinKind, OnDrop, SinkKey};

/// Reports every step and setting that can't run yet.
pub(super) fn check_unbuilt(graph: &Graph<'_>, problems: &mut Problems) {
    if let Some(at) = graph.pipeline.breaker {
        not_yet(problems, at, "`breaker`", "leave it out: failures are dead-lettered one by one");
    }
    for node in &graph.nodes {
        check_kind(node, problems);
        check_common(node, problems);
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

fn check_kind(node: &StepNode<'_>, problems: &mut Problems) {
    let step = node.step;
    let title = step.title();
    match &step.kind {
        StepKind::Source { timestamp: Some(field), .. } => {
            let instead = "the record's own timestamp is there: timestamp = \"record\"";
            not_yet(problems, field.at, format!("timestamp = \"field:{}\" of {title}", **field), instead);
        }
        StepKind::Join { kind, .. } if kind.value != JoinKind::Inner => {
            let what = if kind.value == JoinKind::Left { "left" } else { "outer" };
            let instead = "inner joins are there: kind = \"inner\"";
            not_yet(problems, kind.at, format!("kind = \"{what}\" of {title}"), instead);
        }
        StepKind::Lookup { kind, .. } if kind.value != JoinKind::Inner => {
            not_yet(
                problems,
                kind.at,
                format!("kind = \"left\" of {title}"),
                "inner lookups are there: kind = \"inner\"",
            );
        }
        StepKind::GlobalTable { .. } => {
            not_yet(problems, step.at, title, "[[table]] is there, with as many partitions as what looks it up");
        }
        StepKind::TableJoin { .. } => {
            not_yet(problems, step.at, title, "[[lookup]] is there, for a stream and a table");
        }
        StepKind::Dedup { .. } => {
            not_yet(problems, step.at, title, "a [[process]] function with a store can do it");
        }
        StepKind::Aggregate { unbuilt, .. } => {
            for setting in unbuilt {
                not_yet(problems, setting.at, format!("{} of {title}", setting.what), setting.instead);
            }
        }
        StepKind::Sink { key, .. } if key.value == SinkKey::Windowed => {
            not_yet(
                problems,
                key.at,
                format!("key = \"windowed\" of {title}"),
                "plain keys are there: key = \"plain\"",
            );
        }
        _ => {}
    }
}

fn check_common(node: &StepNode<'_>, problems: &mut Problems) {
    let title = node.step.title();
    let common = &node.step.common;
    if let Some(at) = common.retry {
        not_yet(problems, at, format!("`retry` of {title}"), "leave it out: what fails is dead-lettered at once");
    }
    if let Some(late) = common.on_late.as_ref().filter(|late| late.value == OnDrop::DeadLetter) {
        let instead = "late records are dropped and counted: on-late = \"drop\"";
        not_yet(problems, late.at, format!("on-late = \"dead-letter\" of {title}"), instead);
    }
    let timers = node.call.is_some_and(|call| call.manifest.timers);
    if let Some(call) = node.step.call().filter(|_| timers) {
        let what = format!("`{}.{}` sets timers", call.plugin, call.function);
        not_yet(problems, call.at, what, "functions without timers are there");
    }
}
