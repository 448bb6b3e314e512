//! A run that isn't done at a commit is kept with the state, and goes on after it, also in another process.
//!
//! It is kept in the meta store, under the name of a topic that the sub-topology reads: the first that has the task's
//! partition, so that a task which reads that topic finds it, whatever else is read with it. A commit writes what has changed
//! since the last one.
//!
//! Steps, topics and stores are known by their names. Where something waits for a step that the pipeline no longer has, or
//! that another sub-topology has now, the task refuses to start: see [`TaskError::Rest`]. Its offsets are committed, so to
//! drop it would be a loss.

mod codec;
mod form;
mod names;
mod parts;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::operators::NodeMemory;
use crate::operators::{PendingResult, is_read};
use crate::state::TaskState;
use crate::step::Progress;
use crate::step::{TaskError, TaskOptions};
use crate::topology::{NodeId, SubTopology, TopicId, Topology};
use codec::{Reader, Writer};
use form::{RESULTS, decode, decode_result, encode, encode_result};
use names::name_of;
use parts::Parts;

/// Where the run that wasn't done at the last commit is kept.
#[derive(Debug, Default)]
pub(super) struct Kept(Parts);

impl Kept {
    /// Why the results of a step that wait for a commit can't wait on.
    pub(super) fn refuse(&self, step: &str) -> TaskError {
        let reason = format!("results of the step `{step}` wait for a commit, and it no longer waits for commits");
        TaskError::Rest { topic: self.0.topic.clone(), reason }
    }
}

/// A run that isn't done, as it was at the last commit.
#[derive(Default)]
pub(super) struct Rest {
    /// None where only results wait: the run has come to its end since they were written down.
    pub(super) unfinished: Option<Progress>,
    /// Results that wait for a commit, with their nodes.
    pub(super) results: Vec<(NodeId, PendingResult)>,
    pub(super) kept: Kept,
}

/// Keeps a run that isn't done, and the results that wait for a commit behind it, in place of what was kept at the last
/// commit.
pub(super) fn prepare(
    unfinished: Option<&Progress>,
    (topology, shape): (&Topology, &SubTopology),
    options: &TaskOptions,
    (nodes, state): (&mut [NodeMemory], &mut TaskState),
    Kept(parts): &mut Kept,
) {
    if unfinished.is_none() && parts.is_empty() {
        return;
    }
    if parts.is_empty() {
        let has_it = |topic: &&TopicId| options.partitions.get(topic.0).is_none_or(|count| *count > options.partition);
        let Some(first) = shape.inputs.iter().find(has_it) else { return };
        parts.topic = name_of(topology, *first).to_owned();
    }
    let sections = unfinished.map(|progress| encode(progress, topology, shape)).unwrap_or_default();
    for number in 0..sections.len().max(parts.below(RESULTS)) {
        let bytes = sections.get(number).map_or(&[][..], |bytes| bytes);
        parts.keep(number, bytes, options.state_bytes, (shape.meta, state));
    }
    let mut out = Writer::new(topology, shape);
    for (node, memory) in nodes.iter_mut().enumerate() {
        let Some(pending) = memory.pending_results() else { continue };
        for number in pending.take_stale_sections() {
            parts.keep(number, &[], options.state_bytes, (shape.meta, state));
        }
        // Without such a run they are put out before the commit.
        for result in pending.changed().filter(|_| unfinished.is_some()) {
            let number = *result.section.get_or_insert_with(|| parts.next(RESULTS));
            result.changed = false;
            let bytes = encode_result(&mut out, NodeId(node), result);
            parts.keep(number, &bytes, options.state_bytes, (shape.meta, state));
        }
    }
}

/// The run that wasn't done at the last commit. The inputs may have been others then, so it is looked for under each.
pub(super) fn open(
    (topology, shape): (&Topology, &SubTopology),
    partition: u32,
    state: &mut TaskState,
) -> Result<Rest, TaskError> {
    let mut found: Option<(Parts, _)> = None;
    for topic in shape.inputs.iter().map(|topic| name_of(topology, *topic)) {
        let (parts, sections) = Parts::load(topic, shape.meta, state)?;
        match &found {
            _ if parts.is_empty() => {}
            None => found = Some((parts, sections)),
            Some((Parts { topic: other, .. }, _)) => {
                let reason = format!(
                    "the steps that read it and those that read `{other}` are connected now, and that topic has a rest too"
                );
                return Err(TaskError::Rest { topic: topic.into(), reason });
            }
        }
    }
    let Some((parts, sections)) = found else { return Ok(Rest::default()) };
    let mut input = Reader::new(topology, shape);
    let read = sections.and_then(|sections| read(sections, &mut input, partition));
    let damaged = || "what is kept of it can't be read".to_owned();
    let (mut unfinished, results) = match input.refusal.map_or_else(|| read.ok_or_else(damaged), Err) {
        Ok(read) => read,
        Err(reason) => return Err(TaskError::Rest { topic: parts.topic, reason }),
    };
    if let Some(progress) = &mut unfinished {
        progress.versions.flush_unread(state, |store| is_read(shape, store));
    }
    Ok(Rest { unfinished, results, kept: Kept(parts) })
}

type Read = (Option<Progress>, Vec<(NodeId, PendingResult)>);

fn read(mut sections: BTreeMap<usize, Bytes>, input: &mut Reader<'_>, partition: u32) -> Option<Read> {
    let results = sections.split_off(&RESULTS);
    let unfinished = if sections.is_empty() { None } else { Some(decode(&sections, input, partition)?) };
    let result = |(number, bytes)| {
        input.begin(bytes)?;
        decode_result(number, input)
    };
    Some((unfinished, results.into_iter().map(result).collect::<Option<_>>()?))
}
