//! A run that isn't done at a commit: the commit stores it, and the task goes on with it, also in another process.
//!
//! The meta store holds the run under the name of a topic that the sub-topology reads: the first one that has the
//! task's partition. So a task that reads that topic finds the run, whatever other topics it reads. A commit writes
//! what has changed since the last commit.
//!
//! Steps, topics and stores are stored by name. If something waits for a step that the pipeline no longer has, or that
//! another sub-topology has now, the task refuses to start ([`TaskError::UnfinishedRun`]): the offsets behind the run
//! are committed, so to drop it would lose records.

mod codec;
mod format;
mod names;
mod sections;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::operators::{NodeMemory, PendingResult, is_read};
use crate::state::TaskState;
use crate::step::{Progress, TaskError, TaskOptions};
use crate::topology::{NodeId, SubTopology, TopicId, Topology};
use codec::{Reader, Writer};
use format::{RESULTS, decode, decode_result, encode, encode_result};
use names::name_of;
use sections::StoredSections;

/// The sections that the last commit has stored.
#[derive(Debug, Default)]
pub(super) struct StoredRun(StoredSections);

impl StoredRun {
    /// The error if results of `step` wait for a commit, and the step no longer emits at commits.
    pub(super) fn refuse(&self, step: &str) -> TaskError {
        let reason = format!("results of the step `{step}` wait for a commit, and the step no longer emits at commits");
        TaskError::UnfinishedRun { topic: self.0.topic.clone(), reason }
    }
}

/// An unfinished run as it was at the last commit.
#[derive(Default)]
pub(super) struct UnfinishedRun {
    /// `None` if only pending results are stored: the run has ended since they were stored.
    pub(super) run: Option<Progress>,
    /// Results that wait for a commit, with their nodes.
    pub(super) results: Vec<(NodeId, PendingResult)>,
    pub(super) stored: StoredRun,
}

/// Stores an unfinished run and the results that wait for a commit, in place of what the last commit has stored.
pub(super) fn prepare(
    run: Option<&Progress>,
    (topology, shape): (&Topology, &SubTopology),
    options: &TaskOptions,
    (nodes, state): (&mut [NodeMemory], &mut TaskState),
    StoredRun(stored): &mut StoredRun,
) {
    if run.is_none() && stored.is_empty() {
        return;
    }
    if stored.is_empty() {
        let has_it = |topic: &&TopicId| options.partitions.get(topic.0).is_none_or(|count| *count > options.partition);
        let Some(first) = shape.inputs.iter().find(has_it) else { return };
        stored.topic = name_of(topology, *first).to_owned();
    }
    let encoded = run.map(|progress| encode(progress, topology, shape)).unwrap_or_default();
    for number in 0..encoded.len().max(stored.below(RESULTS)) {
        let bytes = encoded.get(number).map_or(&[][..], |bytes| bytes);
        stored.store(number, bytes, options.state_bytes, (shape.meta, state));
    }
    let mut out = Writer::new(topology, shape);
    for (node, memory) in nodes.iter_mut().enumerate() {
        let Some(pending) = memory.pending_results() else { continue };
        for number in pending.take_stale_sections() {
            stored.store(number, &[], options.state_bytes, (shape.meta, state));
        }
        // Without an unfinished run, the task emits them before the commit.
        for result in pending.changed().filter(|_| run.is_some()) {
            let number = *result.section.get_or_insert_with(|| stored.next(RESULTS));
            result.changed = false;
            let bytes = encode_result(&mut out, NodeId(node), result);
            stored.store(number, &bytes, options.state_bytes, (shape.meta, state));
        }
    }
}

/// Loads the unfinished run of the last commit. The sub-topology may have had other inputs then, so this looks under
/// the name of each.
pub(super) fn open(
    (topology, shape): (&Topology, &SubTopology),
    partition: u32,
    state: &mut TaskState,
) -> Result<UnfinishedRun, TaskError> {
    let mut found: Option<(StoredSections, _)> = None;
    for topic in shape.inputs.iter().map(|topic| name_of(topology, *topic)) {
        let (stored, sections) = StoredSections::load(topic, shape.meta, state)?;
        match &found {
            _ if stored.is_empty() => {}
            None => found = Some((stored, sections)),
            Some((StoredSections { topic: other, .. }, _)) => {
                let reason = format!(
                    "the steps that read it and those that read `{other}` are connected now, and that topic has an unfinished run too"
                );
                return Err(TaskError::UnfinishedRun { topic: topic.into(), reason });
            }
        }
    }
    let Some((stored, sections)) = found else { return Ok(UnfinishedRun::default()) };
    let mut input = Reader::new(topology, shape);
    let read = sections.and_then(|sections| read(sections, &mut input, partition));
    let damaged = || "its stored sections can't be read".to_owned();
    let (mut run, results) = match input.refusal.map_or_else(|| read.ok_or_else(damaged), Err) {
        Ok(read) => read,
        Err(reason) => return Err(TaskError::UnfinishedRun { topic: stored.topic, reason }),
    };
    if let Some(progress) = &mut run {
        progress.versions.flush_unread(state, |store| is_read(shape, store));
    }
    Ok(UnfinishedRun { run, results, stored: StoredRun(stored) })
}

type DecodedRun = (Option<Progress>, Vec<(NodeId, PendingResult)>);

fn read(mut sections: BTreeMap<usize, Bytes>, input: &mut Reader<'_>, partition: u32) -> Option<DecodedRun> {
    let results = sections.split_off(&RESULTS);
    let run = if sections.is_empty() { None } else { Some(decode(&sections, input, partition)?) };
    let result = |(number, bytes)| {
        input.begin(bytes)?;
        decode_result(number, input)
    };
    Some((run, results.into_iter().map(result).collect::<Option<_>>()?))
}
