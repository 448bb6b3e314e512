//! What the cluster is asked before a task is opened: its committed offsets first, then the ends of its changelogs. In
//! this order, all state that belongs to the offsets is restored.
//!
//! One request asks about many tasks, and each task gets an answer of its own: a task that can't be opened holds up no
//! other one.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::ports::StoreId;
use millrace_engine::topology::TopicKind;
use rdkafka::TopicPartitionList;

use super::starts::{InputStart, InputStarts, meta_changelog, origin};
use crate::client::app::hanging;
use crate::client::native::{self, CommittedOffset, Topic, Topics};
use crate::cluster::contradictions::{self, InputPartition};
use crate::cluster::metadata::{self, Origin};
use crate::error::codes::describe;
use crate::error::{Error, Reaction};
use crate::state::lease::RestoreLease;
use crate::state::positions;
use crate::state::restore::{Changelog, ChangelogGap, PartitionTrouble, RestorePlan, plan};
use crate::tasks::{TaskId, inputs_of};
use crate::worker::Shared;

/// Offsets by topic and partition, with where they come from.
pub(in crate::worker) type TaskOffsets = BTreeMap<(String, i32), (i64, Origin)>;

/// Where a task begins.
#[derive(Clone, Debug)]
pub(in crate::worker) struct StartingPoint {
    /// Its committed offsets, by topic and partition.
    pub(in crate::worker) starts: InputStarts,
    /// The ids of its inputs and changelogs, by name.
    pub(in crate::worker) ids: Arc<BTreeMap<String, String>>,
}

impl StartingPoint {
    /// Whether a newer version of a plugin has processed the records before than the one with these generations.
    pub(in crate::worker) fn is_ahead_of(&self, generations: &BTreeMap<String, u32>) -> bool {
        let mut noted = self.starts.values().flat_map(|start| &start.generations);
        noted.any(|(plugin, noted)| generations.get(plugin).is_some_and(|generation| generation < noted))
    }
}

/// The answer about a task.
pub(in crate::worker) enum Answer {
    /// It has stayed open, and its offsets are those committed.
    Stayed,
    /// It can begin when this is restored.
    Begins {
        /// From there.
        beginning: StartingPoint,
        /// The parts of changelogs that its local state lacks.
        gaps: Vec<ChangelogGap>,
        /// No other thread restores it.
        lease: RestoreLease,
    },
    /// It can't be opened yet.
    NotYet(PartitionTrouble),
    /// It can't be opened, as far as one broker tells: a changelog has lost records.
    Lost(PartitionTrouble),
}

/// The brokers' answers about some tasks.
pub(in crate::worker) struct Answers<'s> {
    shared: &'s Shared,
    committed: BTreeMap<(String, i32), CommittedOffset>,
    topics: Topics,
    ids: Arc<BTreeMap<String, String>>,
    /// Names of the topics that were asked about.
    asked: Vec<String>,
    /// For how long deletions can be seen in a changelog, as far as that was looked up.
    retentions: BTreeMap<String, i64>,
}

impl<'s> Answers<'s> {
    /// Asks about these tasks.
    ///
    /// # Errors
    /// [`Error::Kafka`]: no broker answers. Otherwise an internal topic has been deleted and made anew.
    pub(in crate::worker) fn ask(shared: &'s Shared, tasks: &[TaskId]) -> Result<Self, Error> {
        let mut places = TopicPartitionList::new();
        for (topic, partition) in tasks.iter().flat_map(|task| inputs(shared, *task)) {
            if places.find_partition(&topic, partition).is_none() {
                places.add_partition(&topic, partition);
            }
        }
        let committed = shared.cluster.committed(&shared.topology.app, &places)?;
        let names = tasks.iter().flat_map(|task| names(shared, *task));
        // If a repartition topic is missing, its records are lost: so all of them are looked up.
        let repartitions: Vec<_> = repartitions(shared).map(str::to_owned).collect();
        let mut names: Vec<_> = names.chain(repartitions).collect();
        names.sort();
        names.dedup();
        let topics = shared.cluster.describe(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let id = |(name, topic): (&String, &Result<Topic, _>)| Some((name.clone(), topic.as_ref().ok()?.id.clone()));
        let ids: BTreeMap<_, _> = topics.iter().filter_map(id).collect();
        check_internal(shared, &ids)?;
        Ok(Self { shared, committed, topics, ids: Arc::new(ids), asked: names, retentions: BTreeMap::new() })
    }

    /// The answer about one of them; `stayed` are its offsets, if it has stayed open. `go_on` turns false once the task
    /// needn't be opened any more.
    ///
    /// # Errors
    /// The state can't be read, or a changelog is gone.
    pub(in crate::worker) fn about(
        &mut self,
        task: TaskId,
        stayed: Option<&TaskOffsets>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Answer, Reaction> {
        let mut starts = BTreeMap::new();
        for (topic, partition) in inputs(self.shared, task) {
            match self.start(&topic, partition)? {
                Ok(start) => drop(starts.insert((topic, partition), start)),
                Err(text) => {
                    return Ok(Answer::NotYet(PartitionTrouble { topic, partition: partition.cast_unsigned(), text }));
                }
            }
        }
        let stands = |(place, (offset, origin)): (&(String, i32), &(i64, Origin))| {
            starts.get(place).is_some_and(|start| start.offset == *offset && start.origin == *origin)
        };
        // The task was committed before it was suspended, and no other member has committed since.
        if stayed.is_some_and(|stayed| stayed.iter().all(stands)) {
            return Ok(Answer::Stayed);
        }
        let Some(lease) = self.shared.leases.take(task) else {
            let text = "another worker of this process, which had the task before, is still restoring it".to_owned();
            return Ok(Answer::NotYet(first_trouble(self.shared, task, text)));
        };
        // After the lease: the group may have given the task away meanwhile, and another worker may have its state.
        if !go_on() {
            return Ok(Answer::NotYet(first_trouble(self.shared, task, "it has been given away".into())));
        }
        let mut gaps = Vec::new();
        for store in stores(self.shared, task) {
            match self.gap(task, store)? {
                Ok(RestorePlan::Whole) => {}
                Ok(RestorePlan::ChangelogGap(gap)) => gaps.push(gap),
                Ok(RestorePlan::Lost(text)) => return Ok(Answer::Lost(first_trouble(self.shared, task, text))),
                Err(trouble) => return Ok(Answer::NotYet(trouble)),
            }
        }
        Ok(Answer::Begins { beginning: StartingPoint { starts, ids: Arc::clone(&self.ids) }, gaps, lease })
    }

    /// Where an input partition begins, or why that isn't known yet. A partition without a committed offset starts at
    /// its first record, if nothing [contradicts that](super::starts).
    fn start(&self, topic: &str, partition: i32) -> Result<Result<InputStart, String>, Reaction> {
        if self.is_leaderless(topic, partition) {
            return Ok(Err(LEADERLESS.into()));
        }
        let meta = meta_changelog(self.shared).unwrap_or(topic);
        if let Some(text) = self.untold(topic).or_else(|| self.untold(meta)) {
            return Ok(Err(text));
        }
        let Some(origin) = origin(self.shared, topic, &self.ids) else { return Ok(Err(UNTOLD.into())) };
        let here = InputPartition { app: self.shared.settings.app(), topic, partition };
        let place = (topic.to_owned(), partition);
        let committed = match self.committed.get(&place) {
            Some(CommittedOffset::At(offset, text)) => {
                Ok(InputStart::at(here, *offset, metadata::decode(text), origin)?)
            }
            Some(CommittedOffset::Nothing) => match self.shared.cluster.range(topic, partition.cast_unsigned()) {
                Ok((first, _)) => Ok(InputStart::first(first, origin)),
                Err(Error::Kafka(error)) => Err(format!("its first offset is unknown: {}", describe(&error))),
                Err(error) => return Err(error.into()),
            },
            Some(CommittedOffset::Undecided) => {
                let hanging = hanging(here.app.bootstrap, "__consumer_offsets");
                Err(format!("{UNDECIDED}; {hanging}"))
            }
            Some(CommittedOffset::Refused(code)) => Err(format!("its committed offset is unknown: {code}")),
            None => Err("the group's coordinator gives no answer about its committed offset".into()),
        };
        Ok(committed)
    }

    /// The part of a store that is to be restored, or why that isn't known yet.
    fn gap(&mut self, task: TaskId, store: StoreId) -> Result<Result<RestorePlan, PartitionTrouble>, Reaction> {
        let Some(name) = self.shared.changelogs.get(store.0) else { return Ok(Ok(RestorePlan::Whole)) };
        let trouble = |text: String| PartitionTrouble { topic: name.clone(), partition: task.partition, text };
        let untold = |this: &Self| this.untold(name).unwrap_or_else(|| UNTOLD.into());
        let Some(Ok(topic)) = self.topics.get(name) else { return Ok(Err(trouble(untold(self)))) };
        if self.is_leaderless(name, task.partition.cast_signed()) {
            return Ok(Err(trouble(LEADERLESS.into())));
        }
        let key = positions::key(&self.shared.topology, store, task);
        let changelog = Changelog { task, store, topic: name.clone(), id: topic.id.clone(), key };
        match plan(self.shared.state(), changelog, &mut self.retentions) {
            Ok(plan) => Ok(Ok(plan)),
            Err(Reaction::Abort(text) | Reaction::Rebuild(text)) => {
                Ok(Err(trouble(format!("the ends of the changelog are unknown: {text}"))))
            }
            Err(reaction) => Err(reaction),
        }
    }

    fn is_leaderless(&self, topic: &str, partition: i32) -> bool {
        let topic = self.topics.get(topic).and_then(|topic| topic.as_ref().ok());
        topic.is_some_and(|topic| !topic.leaders.contains_key(&partition.cast_unsigned()))
    }

    /// The broker that leads a partition, if one is known.
    pub(in crate::worker) fn leader(&self, topic: &str, partition: u32) -> Option<i32> {
        self.topics.get(topic)?.as_ref().ok()?.leaders.get(&partition).copied()
    }

    /// The brokers that lead the partitions of a task.
    pub(in crate::worker) fn leaders(&self, task: TaskId) -> impl Iterator<Item = i32> {
        let names = names(self.shared, task).into_iter();
        names.filter_map(move |name| self.leader(&name, task.partition))
    }

    /// Why the broker doesn't describe a topic, if it doesn't.
    fn untold(&self, topic: &str) -> Option<String> {
        match self.topics.get(topic) {
            Some(Ok(_)) => None,
            Some(Err(code)) => Some(format!("the broker doesn't describe the topic `{topic}`: {code}")),
            None => Some(UNTOLD.into()),
        }
    }

    /// The internal topics that were asked about, and whether the broker knows of each. It may not have heard of one
    /// yet; if it stays so, the topic has been deleted.
    pub(in crate::worker) fn internal(&self) -> impl Iterator<Item = (&str, bool)> {
        let internal = self.asked.iter().filter(|name| self.shared.internal_ids.contains_key(*name));
        internal.map(|name| (name.as_str(), self.topics.contains_key(name)))
    }
}

const UNTOLD: &str = "the broker knows of no such topic: it has been deleted, or the broker is behind";

const LEADERLESS: &str = "no broker leads the partition: those that have it are away";

const UNDECIDED: &str = "its committed offset waits for a transaction that is neither committed nor aborted yet";

fn repartitions(shared: &Shared) -> impl Iterator<Item = &str> {
    let topics = shared.topology.topics.iter().filter(|topic| topic.kind == TopicKind::Repartition);
    topics.map(|topic| topic.name.as_str())
}

/// Whether the internal topics are those that were there when the instance started.
fn check_internal(shared: &Shared, ids: &BTreeMap<String, String>) -> Result<(), Error> {
    let is_other = |(name, id): &(&String, &String)| ids.get(*name).is_some_and(|now| native::differ(now, id));
    match shared.internal_ids.iter().find(is_other) {
        None => Ok(()),
        Some((name, _)) => Err(Error::Setup(contradictions::internal_made_anew(shared.settings.app(), name))),
    }
}

/// A reason that concerns the whole task, told of its first input.
pub(in crate::worker) fn first_trouble(shared: &Shared, task: TaskId, text: String) -> PartitionTrouble {
    let topic = inputs(shared, task).into_iter().next().map(|(topic, _)| topic).unwrap_or_default();
    PartitionTrouble { topic, partition: task.partition, text }
}

/// The inputs of a task.
pub(in crate::worker) fn inputs(shared: &Shared, task: TaskId) -> Vec<(String, i32)> {
    let Some(part) = shared.topology.subtopologies.get(task.subtopology) else { return Vec::new() };
    let inputs = inputs_of(&shared.topology, part, &shared.partitions, task.partition);
    inputs.map(|(name, partition)| (name, partition.cast_signed())).collect()
}

/// Names of a task's inputs and changelogs.
fn names(shared: &Shared, task: TaskId) -> Vec<String> {
    let inputs = inputs(shared, task).into_iter().map(|(topic, _)| topic);
    let changelogs = stores(shared, task).into_iter().filter_map(|store| shared.changelogs.get(store.0).cloned());
    inputs.chain(changelogs).collect()
}

/// A task's stores, the meta store last.
pub(in crate::worker) fn stores(shared: &Shared, task: TaskId) -> Vec<StoreId> {
    let topology = &shared.topology;
    let Some(part) = topology.subtopologies.get(task.subtopology) else { return Vec::new() };
    part.stores.iter().copied().chain([part.meta]).collect()
}
