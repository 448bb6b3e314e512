//! Where tasks start to read: from the committed offsets, and only from offsets that belong to the state and the topics
//! that are there.
//!
//! | offset | kept in the meta store | start |
//! |---|---|---|
//! | committed by this app, of this topic | | there |
//! | set by a person | | there |
//! | committed by this app, of another topic of that name | | refused: made anew |
//! | committed in another life of the app | | refused: the state is gone |
//! | none | that there was one | refused: the offset is gone, or the topic made anew |
//! | none | nothing, and no state | at the first record: the input is new |

use std::collections::BTreeMap;

use millrace_engine::meta::input_key;
use millrace_engine::ports::{Backend, Scan, StoreId};

use super::answers::inputs;
use crate::cluster::contradictions::{self, InputPartition};
use crate::cluster::metadata::{Note, Origin};
use crate::error::{Error, Reaction};
use crate::tasks::TaskId;
use crate::worker::Shared;

/// Where the partitions of topics start.
pub(in crate::worker) type InputStarts = BTreeMap<(String, i32), InputStart>;

/// Where an input partition starts.
#[derive(Clone, Debug, Default)]
pub(in crate::worker) struct InputStart {
    /// Offset of the next record to process.
    pub(in crate::worker) offset: i64,
    /// Highest timestamp processed.
    pub(in crate::worker) time: Option<i64>,
    /// Of the topic that is there, in this life of the app.
    pub(in crate::worker) origin: Origin,
    /// Whether the app has committed this offset itself.
    pub(in crate::worker) noted: bool,
    /// The generations of the plugins that have processed the records before, by name.
    pub(in crate::worker) generations: BTreeMap<String, u32>,
    /// Whether the offset lies in the middle of a run.
    pub(in crate::worker) unfinished: bool,
    /// Whether an offset is committed at all.
    committed: bool,
}

impl InputStart {
    /// At an offset that is committed.
    ///
    /// # Errors
    /// [`Reaction::Stop`]: it is one of another topic, or of another life of the app.
    pub(in crate::worker) fn at(
        place: InputPartition<'_>,
        offset: i64,
        note: Note,
        origin: Origin,
    ) -> Result<Self, Reaction> {
        contradictions::check_origin(place, offset, note.origin.as_ref(), &origin).map_err(stop)?;
        let Note { time, origin: before, generations, unfinished } = note;
        Ok(Self { offset, time, noted: before.is_some(), origin, generations, unfinished, committed: true })
    }

    /// At the first record, because nothing is committed.
    pub(in crate::worker) fn first(offset: i64, origin: Origin) -> Self {
        Self { offset, origin, ..Self::default() }
    }
}

/// The changelog of the app's meta store.
pub(in crate::worker) fn meta_changelog(shared: &Shared) -> Option<&str> {
    let part = shared.topology.subtopologies.first()?;
    shared.changelogs.get(part.meta.0).map(String::as_str)
}

/// The origin of offsets of a topic from now on; none if the topic isn't there.
pub(in crate::worker) fn origin(shared: &Shared, topic: &str, ids: &BTreeMap<String, String>) -> Option<Origin> {
    let life = meta_changelog(shared).and_then(|meta| ids.get(meta)).cloned().unwrap_or_default();
    Some(Origin { topic: ids.get(topic)?.clone(), life })
}

/// A task whose inputs have no committed offset is new, or was never given a record: then it has no state either.
/// To be called when its state is restored.
///
/// # Errors
/// [`Reaction::Stop`]: everything that the state holds would be processed again.
pub(in crate::worker) fn check_state_has_offsets(
    shared: &Shared,
    task: TaskId,
    starts: &InputStarts,
) -> Result<(), Reaction> {
    let inputs = inputs(shared, task);
    let lacking = inputs.iter().filter_map(|place| Some((place, starts.get(place).filter(|start| !start.committed)?)));
    let lacking: Vec<_> = lacking.collect();
    let Some(part) = shared.topology.subtopologies.get(task.subtopology) else { return Ok(()) };
    let app = shared.settings.app();
    for ((topic, partition), start) in &lacking {
        let kept = shared.database.backend(task.partition).get(part.meta, &input_key(topic));
        let here = InputPartition { app, topic, partition: *partition };
        if let Some(before) = kept.map_err(|error| Reaction::Fail(Error::Task(error.to_string())))? {
            let text = contradictions::without_offset(here, &String::from_utf8_lossy(&before), &start.origin);
            return Err(stop(text));
        }
    }
    // An input that is added to others begins at its first record, whatever state there is of those.
    if let (Some(((topic, partition), _)), true) = (lacking.first(), lacking.len() == inputs.len()) {
        for store in part.stores.iter().filter(|store| !shared.shared_stores.contains(store)) {
            if holds_any(shared, *store, task.partition)? {
                let store = shared.topology.stores.get(store.0).map_or("", |store| store.name.as_str());
                return Err(stop(contradictions::state_without_offset(
                    InputPartition { app, topic, partition: *partition },
                    store,
                )));
            }
        }
    }
    Ok(())
}

fn holds_any(shared: &Shared, store: StoreId, partition: u32) -> Result<bool, Reaction> {
    let mut any = false;
    let scanned = shared.database.backend(partition).scan(store, &[], None, &mut |_, _| {
        any = true;
        Scan::Stop
    });
    scanned.map_err(|error| Reaction::Fail(Error::Task(error.to_string())))?;
    Ok(any)
}

fn stop(text: String) -> Reaction {
    Reaction::Stop(Error::Setup(text))
}
