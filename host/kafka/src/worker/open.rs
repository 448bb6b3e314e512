//! Opening tasks: committed offsets first, then the ends of the changelogs, then what is missing between them and the
//! local state. In this order, everything that belongs to the offsets is restored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_engine::ports::StoreId;
use millrace_engine::task::{Task, TaskOptions};
use millrace_engine::topology::{StoreKind, TopicKind};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, error::KafkaError};

use super::seat::{Input, Seat, Slot};
use super::{Event, Phase, Worker, task_error};
use crate::cluster::REQUEST;
use crate::error::{Error, Reaction};
use crate::metadata;
use crate::native::{Fetcher, c_name};
use crate::positions;
use crate::postponed::{LateBackend, Postponed};
use crate::producer::Transactions;
use crate::reactions::said;
use crate::restore::{Changelog, Restore};
use crate::tasks::TaskId;

/// Timers that a step fires at a time. After a pause there may be millions: what they put out must fit into memory, and
/// into a transaction.
const TIMERS: usize = 1000;

/// What is committed for an input partition.
#[derive(Clone, Copy, Debug)]
struct Start {
    offset: i64,
    time: Option<i64>,
}

/// Whether a task stands where the group says that it does.
fn is_current(seat: &Seat, starts: &BTreeMap<(String, i32), Start>) -> bool {
    seat.inputs.iter().all(|input| {
        let Some(partition) = input.partition else { return true };
        let place = (input.name.to_string_lossy().into_owned(), partition);
        starts.get(&place).is_some_and(|start| start.offset == input.committed)
    })
}

impl Worker {
    /// Opens the tasks that are wanted and not open, and starts reading. Returns early when it is called.
    pub(super) fn open(&mut self) -> Result<(), Reaction> {
        if self.producer.is_none() && !self.open_producer()? {
            return Ok(());
        }
        let ids = self.internal_ids()?;
        let starts = self.starts()?;
        // What stayed here while the group rebalanced was committed before, and nobody else has gone on with it.
        self.seats.retain(|seat| is_current(seat, &starts));
        let missing: Vec<TaskId> =
            self.wanted.iter().copied().filter(|task| self.seats.iter().all(|seat| seat.id != *task)).collect();
        if !missing.is_empty() {
            if !self.restore(&missing, &ids)? {
                return Ok(());
            }
            for task in missing {
                let seat = self.seat(task, &starts, &ids)?;
                self.seats.push(seat);
            }
            self.seats.sort_by_key(|seat| seat.id);
        }
        self.number_slots();
        self.fetch()?;
        self.phase = Phase::Running;
        self.told_idle = false;
        self.tell(Event::Running { worker: self.number });
        Ok(())
    }

    /// Takes over the worker's transactional id. Whatever its last owner left open is aborted by it.
    fn open_producer(&mut self) -> Result<bool, Reaction> {
        let shared = Arc::clone(&self.shared);
        let (own, most) = (shared.topic_names(), shared.settings.record_bytes());
        let topics = (own.as_slice(), shared.changelogs.as_slice());
        self.limits = shared.learned.limits(&shared.cluster, topics, most, self.limits.alone)?;
        let settings = shared.settings.with_batch_bytes(self.limits.batch);
        let id = format!("{}-{}-{}", shared.topology.app, shared.instance, self.number);
        let topics = own.into_iter().chain(shared.changelogs.iter().map(String::as_str));
        self.producer = Transactions::open(&settings, &id, topics, Arc::clone(&self.pulse), &|| self.may_go_on())?;
        Ok(self.producer.is_some())
    }

    /// The committed offsets of the tasks' inputs. What has none starts at its first record: a group that has some and
    /// then lost them can't be told from a new one, which is what `offsets.retention.minutes` is for.
    fn starts(&self) -> Result<BTreeMap<(String, i32), Start>, Reaction> {
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
            let offset = match place.offset() {
                Offset::Offset(offset) => offset,
                _ => self.first_offset(&topic, partition)?,
            };
            starts.insert((topic, partition), Start { offset, time: metadata::decode(place.metadata()) });
        }
        Ok(starts)
    }

    fn first_offset(&self, topic: &str, partition: i32) -> Result<i64, Reaction> {
        match self.shared.cluster.range(topic, partition.cast_unsigned()) {
            Ok((first, _)) => Ok(first),
            Err(Error::Kafka(error)) => {
                Err(Reaction::Rebuild(format!("topic `{topic}`, partition {partition}: {}", said(&error))))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn inputs(&self, task: TaskId) -> Vec<(String, i32)> {
        let Some(part) = self.shared.topology.subtopologies.get(task.subtopology) else { return Vec::new() };
        let inputs = crate::tasks::inputs_of(&self.shared.topology, part, &self.shared.partitions, task.partition);
        inputs.map(|(name, partition)| (name, partition.cast_signed())).collect()
    }

    /// The ids of the changelogs. Repartition topics are asked for too: that of one which was deleted tells what is lost.
    fn internal_ids(&self) -> Result<BTreeMap<String, String>, Reaction> {
        let shared = &self.shared;
        let repartitions = shared.topology.topics.iter().filter(|topic| topic.kind == TopicKind::Repartition);
        let repartitions: Vec<_> = repartitions.map(|topic| topic.name.as_str()).collect();
        let changelogs = shared.changelogs.iter().map(String::as_str);
        let ids = shared.cluster.ids(&changelogs.chain(repartitions.iter().copied()).collect::<Vec<_>>())?;
        let of = |name: &&str| Some(((*name).to_owned(), ids.get(*name)?.clone()));
        let found: BTreeMap<_, _> = repartitions.iter().filter_map(of).collect();
        let first = shared.repartitions.get_or_init(|| found.clone());
        match repartitions.into_iter().find(|name| first.get(*name).is_none_or(|id| found.get(*name) != Some(id))) {
            None => Ok(ids),
            Some(name) => Err(Reaction::Stop(Error::Setup(format!(
                "the repartition topic `{name}` has been deleted: records that were on their way in it are lost. Start the \
                 app again to go on without them, or `millrace reset` to start anew"
            )))),
        }
    }

    /// Brings the local state of these tasks up to their changelogs. False if it was called before it was done.
    fn restore(&self, tasks: &[TaskId], ids: &BTreeMap<String, String>) -> Result<bool, Reaction> {
        let mut changelogs = Vec::new();
        for task in tasks {
            for store in self.stores(*task) {
                changelogs.extend(self.changelog(*task, store, ids)?);
            }
        }
        let Some(mut restore) = Restore::plan(&self.shared, changelogs, &|| self.may_go_on())? else {
            return Ok(false);
        };
        if restore.is_done() {
            return Ok(true);
        }
        self.tell(Event::Restoring { worker: self.number, records: restore.left() });
        restore.run(&self.shared, &|| self.may_go_on(), &|records| self.tell(Event::Restored { records }))
    }

    /// A task's stores, the meta store last, where it has anything in that.
    fn stores(&self, task: TaskId) -> Vec<StoreId> {
        let topology = &self.shared.topology;
        let Some(part) = topology.subtopologies.get(task.subtopology) else { return Vec::new() };
        let meta = topology.keeps_meta(task.subtopology).then_some(part.meta);
        part.stores.iter().copied().chain(meta).collect()
    }

    fn changelog(
        &self,
        task: TaskId,
        store: StoreId,
        ids: &BTreeMap<String, String>,
    ) -> Result<Option<Changelog>, Reaction> {
        let Some(topic) = self.shared.changelogs.get(store.0) else { return Ok(None) };
        let Some(id) = ids.get(topic) else {
            return Err(Reaction::Stop(Error::Setup(format!(
                "the changelog topic `{topic}` has been deleted: start the app again, and it is made anew and filled only \
                 with what changes from then on; or `millrace reset` to start anew"
            ))));
        };
        let key = positions::key(&self.shared.topology, store, task);
        Ok(Some(Changelog { task, store, topic: topic.clone(), id: id.clone(), key }))
    }

    fn seat(
        &self,
        id: TaskId,
        starts: &BTreeMap<(String, i32), Start>,
        ids: &BTreeMap<String, String>,
    ) -> Result<Seat, Reaction> {
        let shared = &self.shared;
        let options = TaskOptions {
            batch: shared.options.batch,
            window_memory: shared.options.window_memory,
            record_bytes: Arc::clone(&self.limits.records),
            refused: self.limits.refused.clone(),
            state_bytes: self.state_bytes(id),
            timers: TIMERS,
            ..TaskOptions::new(
                id.subtopology,
                id.partition,
                Arc::clone(&shared.partitions),
                Arc::clone(&shared.deployments),
            )
        };
        let slots: Vec<_> = self.stores(id).into_iter().filter_map(|store| self.slot(id, store, ids)).collect();
        let backend = Box::new(LateBackend {
            database: Arc::clone(&shared.database),
            written: shared.database.backend(id.partition).sharing(Arc::clone(&shared.shared_stores)),
            postponed: slots.iter().filter_map(|slot| slot.postponed.clone()).collect(),
        });
        let mut task = Task::open(Arc::clone(&shared.topology), options, backend).map_err(task_error)?;
        let mut inputs = Vec::new();
        for (number, topic) in task.inputs().to_vec().into_iter().enumerate() {
            let name = shared.topology.topics.get(topic.0).map(|topic| topic.name.clone()).unwrap_or_default();
            let has = shared.partitions.get(topic.0).is_some_and(|count| id.partition < *count);
            let partition = has.then_some(id.partition.cast_signed());
            let start = partition.and_then(|partition| starts.get(&(name.clone(), partition)).copied());
            let start = start.unwrap_or(Start { offset: 0, time: None });
            if let Some(time) = start.time {
                task.restore_time(number, time);
            }
            let (next, position, committed) = (start.offset, start.offset, start.offset);
            let (name, time) = (c_name(&name), start.time);
            let (end, left, paused) = (None, None, false);
            inputs.push(Input { topic, name, partition, next, position, committed, time, end, left, paused });
            task.expect_more(number, partition.is_some());
        }
        Ok(Seat { id, task, inputs, slots, dirty: false, sent: false })
    }

    /// The most bytes of an entry of any store of a task.
    fn state_bytes(&self, task: TaskId) -> usize {
        let limits = self.stores(task).into_iter().filter_map(|store| self.limits.states.get(store.0));
        limits.copied().min().unwrap_or(usize::MAX)
    }

    fn slot(&self, id: TaskId, store: StoreId, ids: &BTreeMap<String, String>) -> Option<Slot> {
        let topology = &self.shared.topology;
        let topic = self.shared.changelogs.get(store.0).and_then(|name| ids.get(name)).cloned()?;
        let key = positions::key(topology, store, id);
        let expires = matches!(topology.stores.get(store.0)?.kind, StoreKind::Window { .. });
        let postponed = expires.then(|| Postponed::new(store, id.partition, key.clone()));
        Some(Slot { store, number: 0, key, topic, postponed })
    }

    fn number_slots(&mut self) {
        let slots = self.seats.iter_mut().flat_map(|seat| &mut seat.slots);
        let count = slots.enumerate().map(|(number, slot)| slot.number = number).count();
        if let Some(producer) = &mut self.producer {
            producer.set_slots(count);
        }
    }

    /// Reads all inputs of the tasks, each from the record that its queue lacks.
    fn fetch(&mut self) -> Result<(), Reaction> {
        self.stop_fetching();
        let mut list = TopicPartitionList::new();
        let mut seen = BTreeSet::new();
        for seat in &mut self.seats {
            for input in &mut seat.inputs {
                let Some(partition) = input.partition else { continue };
                let name = input.name.to_string_lossy().into_owned();
                input.paused = false;
                input.end = None;
                list.add_partition_offset(&name, partition, Offset::Offset(input.next)).map_err(Error::from)?;
                if !seen.insert((name, partition)) {
                    return Err(Reaction::Stop(Error::Kafka(KafkaError::Subscription("a partition twice".into()))));
                }
            }
        }
        if list.count() > 0 {
            let fetcher = Fetcher::new(&self.shared.settings.fetcher(&format!("worker-{}", self.number)))?;
            fetcher.assign(&list)?;
            self.fetcher = Some(fetcher);
        }
        Ok(())
    }
}
