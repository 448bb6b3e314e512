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
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::Worker;
use crate::cluster::REQUEST;
use crate::contradictions::{self, Place};
use crate::error::{Error, Reaction};
use crate::metadata::{self, Origin};
use crate::tasks::TaskId;

/// Where the partitions of topics start.
pub(super) type Starts = BTreeMap<(String, i32), Start>;

/// Where an input partition starts.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    pub(super) offset: i64,
    pub(super) time: Option<i64>,
    /// Of the topic that is there, in this life of the app.
    pub(super) origin: Origin,
    /// Whether the app has committed this offset itself.
    pub(super) noted: bool,
    /// Whether an offset is committed at all.
    committed: bool,
}

impl Worker {
    /// The committed offsets of the tasks' inputs. What has none starts at its first record.
    pub(super) fn starts(&self, ids: &BTreeMap<String, String>) -> Result<Starts, Reaction> {
        let mut list = TopicPartitionList::new();
        for (name, partition) in self.wanted.iter().flat_map(|task| self.inputs(*task)) {
            list.add_partition(&name, partition);
        }
        let member = self.shared.member.get().ok_or_else(|| Reaction::Abort("not a member of the group".into()))?;
        // Those that a transaction is still to decide on aren't told, and the client asks again until its time is over.
        let committed = member.committed_offsets(list, REQUEST).map_err(|error| {
            Reaction::Rebuild(format!(
                "the committed offsets can't be had: {error}; if the cluster answers and this goes on, a transaction in \
                 `__consumer_offsets` is never ended: find it with `kafka-transactions.sh find-hanging`"
            ))
        })?;
        let mut starts = BTreeMap::new();
        for place in committed.elements() {
            place.error().map_err(Error::from)?;
            let (topic, partition) = (place.topic().to_owned(), place.partition());
            let origin = self.origin(&topic, ids)?;
            let note = metadata::decode(place.metadata());
            let start = match place.offset() {
                Offset::Offset(offset) => {
                    let here = Place { app: &self.shared.topology.app, topic: &topic, partition };
                    contradictions::check_origin(here, offset, note.origin.as_ref(), &origin).map_err(stop)?;
                    Start { offset, time: note.time, noted: note.origin.is_some(), origin, committed: true }
                }
                _ => {
                    let offset = self.shared.cluster.range(&topic, partition.cast_unsigned())?.0;
                    Start { offset, time: None, noted: false, origin, committed: false }
                }
            };
            starts.insert((topic, partition), start);
        }
        Ok(starts)
    }

    /// What goes with offsets of a topic from now on.
    fn origin(&self, topic: &str, ids: &BTreeMap<String, String>) -> Result<Origin, Reaction> {
        let meta = self.shared.topology.subtopologies.first().and_then(|part| self.shared.changelogs.get(part.meta.0));
        let life = meta.and_then(|meta| ids.get(meta)).cloned().unwrap_or_default();
        match ids.get(topic).cloned() {
            Some(topic) => Ok(Origin { topic, life }),
            None => Err(Reaction::Abort(format!("topic `{topic}` isn't there: it has been deleted"))),
        }
    }

    /// A task whose inputs have no committed offset is new, or was never given a record: then it has no state either.
    /// To be called when its state is restored.
    ///
    /// # Errors
    /// [`Reaction::Stop`]: everything that the state holds would be processed again.
    pub(super) fn check_state_has_offsets(&self, task: TaskId, starts: &Starts) -> Result<(), Reaction> {
        let inputs = self.inputs(task);
        let lacking =
            inputs.iter().filter_map(|place| Some((place, starts.get(place).filter(|start| !start.committed)?)));
        let lacking: Vec<_> = lacking.collect();
        let Some(part) = self.shared.topology.subtopologies.get(task.subtopology) else { return Ok(()) };
        let app = self.shared.topology.app.as_str();
        for ((topic, partition), start) in &lacking {
            let kept = self.shared.database.backend(task.partition).get(part.meta, &input_key(topic));
            let here = Place { app, topic, partition: *partition };
            if let Some(before) = kept.map_err(|error| Reaction::Fail(Error::Task(error.to_string())))? {
                let text = contradictions::without_offset(here, &String::from_utf8_lossy(&before), &start.origin);
                return Err(stop(text));
            }
        }
        // An input that is added to others begins at its first record, whatever state there is of those.
        if let (Some(((topic, partition), _)), true) = (lacking.first(), lacking.len() == inputs.len()) {
            for store in part.stores.iter().filter(|store| !self.shared.shared_stores.contains(store)) {
                if self.holds_any(*store, task.partition)? {
                    let store = self.shared.topology.stores.get(store.0).map_or("", |store| store.name.as_str());
                    return Err(stop(contradictions::state_without_offset(
                        Place { app, topic, partition: *partition },
                        store,
                    )));
                }
            }
        }
        Ok(())
    }

    fn holds_any(&self, store: StoreId, partition: u32) -> Result<bool, Reaction> {
        let mut any = false;
        let scanned = self.shared.database.backend(partition).scan(store, &[], None, &mut |_, _| {
            any = true;
            Scan::Stop
        });
        scanned.map_err(|error| Reaction::Fail(Error::Task(error.to_string())))?;
        Ok(any)
    }
}

fn stop(text: String) -> Reaction {
    Reaction::Stop(Error::Setup(text))
}
