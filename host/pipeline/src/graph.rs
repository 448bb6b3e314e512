//! The pipeline with its names resolved: the links between steps, and the function that each step calls.

use super::diagnostic::{Place, Placed};
use super::model::{Pipeline, Step, StepKind, TableOf};
use millrace_engine::manifest::{FunctionManifest, KeyCodec};
use millrace_engine::topology::{OnAhead, OnDrop, OnError, ValueCodec};

/// A pipeline with resolved names. Steps are in the order of the files, and referred to by their index.
pub(super) struct Graph<'a> {
    pub pipeline: &'a Pipeline,
    pub nodes: Vec<StepNode<'a>>,
}

/// A step with its resolved names.
pub(super) struct StepNode<'a> {
    pub step: &'a Step,
    /// The links to its inputs. An input that couldn't be resolved is missing, and reported.
    pub links: Vec<Link>,
    /// The table of a lookup.
    pub table: Option<usize>,
    /// Whether the table is a global one, which every partition can look up.
    pub global: bool,
    /// The function it calls.
    pub call: Option<ResolvedCall<'a>>,
}

/// A link from a port of a step to an input of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub from: usize,
    pub port: usize,
    pub input: usize,
    pub at: Place,
}

/// A function, found in its manifest.
#[derive(Clone, Copy)]
pub(super) struct ResolvedCall<'a> {
    pub plugin: usize,
    /// Name of the plugin in its manifest.
    pub plugin_name: &'a str,
    pub function: u32,
    pub manifest: &'a FunctionManifest,
}

impl StepNode<'_> {
    /// Whether it needs records of one key to be in one partition.
    pub fn is_stateful(&self) -> bool {
        match &self.step.kind {
            StepKind::Table { of } => matches!(of, Some(TableOf::Step(_))),
            StepKind::Lookup { .. } => !self.global,
            StepKind::Join { .. }
            | StepKind::TableJoin { .. }
            | StepKind::Aggregate { .. }
            | StepKind::Dedup { .. } => true,
            StepKind::Process { .. } => {
                self.call.is_some_and(|call| !call.manifest.stores.is_empty() || call.manifest.timers)
            }
            _ => false,
        }
    }

    /// Whether outputs of this port may have another key than their input. True if the function is unknown.
    pub fn changes_key(&self, port: usize) -> bool {
        // A source's function only validates: its outputs are not used.
        if matches!(self.step.kind, StepKind::Source { .. }) || self.step.call().is_none() {
            return false;
        }
        self.call.is_none_or(|call| call.manifest.ports.get(port).is_some_and(|port| port.changes_key))
    }

    /// Whether a record of this step can become a dead letter. Records that are too large for a topic or a store don't
    /// count: an app may copy its own dead letters to another topic, and no letter circulates for ever, because it
    /// grows with each round until its value is dropped.
    pub fn can_dead_letter(&self) -> bool {
        let reads = self.step.read().is_some_and(|read| read.key != KeyCodec::Bytes || read.value != ValueCodec::Bytes);
        let common = &self.step.common;
        let late = common.on_late.as_ref().is_some_and(|late| late.value == OnDrop::DeadLetter);
        let fails = common.on_error == OnError::DeadLetter && (self.step.call().is_some() || reads);
        let time = match &self.step.kind {
            StepKind::Source { on_bad_time, ahead, .. } => {
                *on_bad_time == OnDrop::DeadLetter || ahead.is_some_and(|ahead| ahead.then == OnAhead::DeadLetter)
            }
            _ => false,
        };
        fails || late || time || common.on_null_key == OnDrop::DeadLetter
    }
}

impl Graph<'_> {
    /// The dead-letter topic of a step.
    pub fn dlq(&self, step: &Step) -> String {
        self.named_dlq(step).map_or_else(|| format!("{}-dlq", self.pipeline.app), |dlq| dlq.value.clone())
    }

    /// The place that names a step's dead-letter topic; `None` if it is the default.
    pub fn dlq_at(&self, step: &Step) -> Option<Place> {
        self.named_dlq(step).map(|dlq| dlq.at)
    }

    fn named_dlq<'s>(&'s self, step: &'s Step) -> Option<&'s Placed<String>> {
        step.common.dlq.as_ref().or(self.pipeline.dlq.as_ref())
    }

    /// The topics that a step writes: a sink's own, and its dead-letter topic.
    pub fn written_topics(&self, node: &StepNode<'_>) -> Vec<String> {
        let dlq = node.can_dead_letter().then(|| self.dlq(node.step));
        node.step.writes().map(str::to_owned).into_iter().chain(dlq).collect()
    }

    /// All links, with the steps to which they lead.
    pub fn links(&self) -> impl Iterator<Item = (&Link, usize)> {
        self.nodes.iter().enumerate().flat_map(|(to, node)| node.links.iter().map(move |link| (link, to)))
    }
}
