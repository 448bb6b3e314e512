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

use super::progress::Progress;
use super::{TaskError, TaskOptions};
use crate::operators::is_read;
use crate::state::TaskState;
use crate::topology::{SubTopology, TopicId, Topology};
use codec::Reader;
use form::{decode, encode};
use names::name_of;
use parts::Parts;

/// Where the run that wasn't done at the last commit is kept.
#[derive(Debug, Default)]
pub(super) struct Kept(Parts);

/// Keeps a run that isn't done, in place of the one that was kept at the last commit.
pub(super) fn prepare(
    unfinished: Option<&Progress>,
    (topology, shape): (&Topology, &SubTopology),
    options: &TaskOptions,
    state: &mut TaskState,
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
    parts.keep(&sections, options.state_bytes, shape.meta, state);
}

/// The run that wasn't done at the last commit, and where it is kept. The inputs may have been others then, so it is looked
/// for under each.
pub(super) fn open(
    (topology, shape): (&Topology, &SubTopology),
    partition: u32,
    state: &mut TaskState,
) -> Result<(Option<Progress>, Kept), TaskError> {
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
    let Some((parts, sections)) = found else { return Ok((None, Kept::default())) };
    let mut input = Reader::new(topology, shape);
    let read = sections.and_then(|sections| decode(&sections, &mut input, partition));
    let damaged = || "what is kept of it can't be read".to_owned();
    let mut progress = match input.refusal.map_or_else(|| read.ok_or_else(damaged), Err) {
        Ok(progress) => progress,
        Err(reason) => return Err(TaskError::Rest { topic: parts.topic, reason }),
    };
    progress.versions.settle_unread(state, |store| is_read(shape, store));
    Ok((Some(progress), Kept(parts)))
}
