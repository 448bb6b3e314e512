//! Opening tasks: committed offsets first, then the ends of the changelogs, then what is missing between them and the
//! local state. In this order, everything that belongs to the offsets is restored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_engine::ports::StoreId;
use millrace_engine::task::{Task, TaskError, TaskOptions};
use millrace_engine::topology::StoreKind;
use rdkafka::TopicPartitionList;
use rdkafka::{Offset, error::KafkaError};

use super::seat::{Input, Seat, Slot};
use super::starts::Starts;
use super::{Event, Phase, Worker, task_error};
use crate::contradictions;
use crate::error::{Error, Reaction};
use crate::limits;
use crate::native::{Fetcher, c_name};
use crate::positions;
use crate::postponed::{LateBackend, Postponed};
use crate::producer::Transactions;
use crate::restore::{Changelog, Restore};
use crate::tasks::TaskId;

/// Timers that a step fires at a time. After a pause there may be millions: what they put out must fit into memory, and
/// into a transaction.
const TIMERS: usize = 1000;

/// Whether a task stands where the group says that it does.
fn is_current(seat: &Seat, starts: &Starts) -> bool {
    seat.inputs.iter().all(|input| {
        let Some(partition) = input.partition else { return true };
        let place = (input.name.to_string_lossy().into_owned(), partition);
        starts.get(&place).is_some_and(|start| start.offset == input.committed && start.origin == input.origin)
    })
}

impl Worker {
    /// Opens the tasks that are wanted and not open, and starts reading. Returns early when it is called.
    pub(super) fn open(&mut self) -> Result<(), Reaction> {
        if self.producer.is_none() && !self.open_producer()? {
            return Ok(());
        }
        let ids = self.topic_ids()?;
        let starts = self.starts(&ids)?;
        // What stayed here while the group rebalanced was committed before, and nobody else has gone on with it.
        self.seats.retain(|seat| is_current(seat, &starts));
        let missing: Vec<TaskId> =
            self.wanted.iter().copied().filter(|task| self.seats.iter().all(|seat| seat.id != *task)).collect();
        if !missing.is_empty() {
            if !self.restore(&missing, &ids)? {
                return Ok(());
            }
            for task in &missing {
                self.check_state_has_offsets(*task, &starts)?;
            }
            for task in missing {
                match self.seat(task, &starts, &ids)? {
                    Some(seat) => self.seats.push(seat),
                    None => return Ok(()),
                }
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
        self.limits = shared.learned.limits(&shared.cluster, &own, most)?;
        let settings = shared.settings.with_batch_bytes(self.limits.batch);
        let id = format!("{}-{}-{}", shared.topology.app, shared.instance, self.number);
        let topics = own.into_iter().chain(shared.changelogs.iter().map(String::as_str));
        self.producer = Transactions::open(&settings, &id, topics, Arc::clone(&self.pulse), &|| self.may_go_on())?;
        Ok(self.producer.is_some())
    }

    pub(super) fn inputs(&self, task: TaskId) -> Vec<(String, i32)> {
        let Some(part) = self.shared.topology.subtopologies.get(task.subtopology) else { return Vec::new() };
        let inputs = crate::tasks::inputs_of(&self.shared.topology, part, &self.shared.partitions, task.partition);
        inputs.map(|(name, partition)| (name, partition.cast_signed())).collect()
    }

    /// The ids of the changelogs, and of the topics that the tasks read.
    fn topic_ids(&self) -> Result<BTreeMap<String, String>, Reaction> {
        let inputs = self.wanted.iter().flat_map(|task| self.inputs(*task)).map(|(name, _)| name);
        let names: BTreeSet<String> = inputs.chain(self.shared.changelogs.iter().cloned()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        Ok(self.shared.cluster.ids(&names)?)
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

    /// A task's stores, the meta store last.
    pub(super) fn stores(&self, task: TaskId) -> Vec<StoreId> {
        let topology = &self.shared.topology;
        let Some(part) = topology.subtopologies.get(task.subtopology) else { return Vec::new() };
        part.stores.iter().copied().chain([part.meta]).collect()
    }

    fn changelog(
        &self,
        task: TaskId,
        store: StoreId,
        ids: &BTreeMap<String, String>,
    ) -> Result<Option<Changelog>, Reaction> {
        let Some(topic) = self.shared.changelogs.get(store.0) else { return Ok(None) };
        let Some(id) = ids.get(topic) else {
            let app = &self.shared.topology.app;
            return Err(Reaction::Stop(Error::Setup(contradictions::deleted(app, topic))));
        };
        let key = positions::key(&self.shared.topology, store, task);
        Ok(Some(Changelog { task, store, topic: topic.clone(), id: id.clone(), key }))
    }

    /// Opens a task; `None` if it can't be opened here, and the worker holds.
    fn seat(&mut self, id: TaskId, starts: &Starts, ids: &BTreeMap<String, String>) -> Result<Option<Seat>, Reaction> {
        let shared = &Arc::clone(&self.shared);
        let options = TaskOptions {
            batch: shared.options.batch,
            window_memory: shared.options.window_memory,
            record_bytes: Arc::clone(&self.limits.records),
            state_bytes: limits::state_bytes(shared.settings.record_bytes()),
            timers: TIMERS,
            ..TaskOptions::new(
                id.subtopology,
                id.partition,
                Arc::clone(&shared.partitions),
                Arc::clone(&shared.deployments),
            )
        };
        let slots: Vec<_> = self.stores(id).into_iter().filter_map(|store| self.slot(id, store, ids)).collect();
        let open = |options: TaskOptions| {
            let backend = Box::new(LateBackend {
                database: Arc::clone(&shared.database),
                written: shared.database.backend(id.partition).sharing(Arc::clone(&shared.shared_stores)),
                postponed: slots.iter().filter_map(|slot| slot.postponed.clone()).collect(),
            });
            Task::open(Arc::clone(&shared.topology), options, backend)
        };
        let opened = match open(options.clone()) {
            Err(TaskError::OldDeployment { plugin, recorded, .. }) => {
                if !self.can_go_on_as_older(id, &plugin, recorded)? {
                    return Ok(None);
                }
                open(TaskOptions { may_be_older: true, ..options })
            }
            opened => opened,
        };
        let mut task = opened.map_err(task_error)?;
        let mut inputs = Vec::new();
        for (number, topic) in task.inputs().to_vec().into_iter().enumerate() {
            let name = shared.topology.topics.get(topic.0).map(|topic| topic.name.clone()).unwrap_or_default();
            let has = shared.partitions.get(topic.0).is_some_and(|count| id.partition < *count);
            let partition = has.then_some(id.partition.cast_signed());
            let start = partition.and_then(|partition| starts.get(&(name.clone(), partition)).cloned());
            let start = start.unwrap_or_default();
            if let Some(time) = start.time {
                task.restore_time(number, time);
            }
            let (next, position, committed) = (start.offset, start.offset, start.offset);
            let (name, time) = (c_name(&name), start.time);
            let (origin, noted) = (start.origin, start.noted);
            let (end, left, paused) = (None, None, false);
            inputs.push(Input {
                topic,
                name,
                partition,
                next,
                position,
                committed,
                time,
                origin,
                noted,
                end,
                left,
                paused,
            });
            task.expect_more(number, partition.is_some());
        }
        Ok(Some(Seat { id, task, inputs, slots, dirty: false, sent: false }))
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
        let (mut seen, mut ids) = (BTreeSet::new(), BTreeMap::new());
        for seat in &mut self.seats {
            for input in &mut seat.inputs {
                let Some(partition) = input.partition else { continue };
                let name = input.name.to_string_lossy().into_owned();
                input.paused = false;
                input.end = None;
                list.add_partition_offset(&name, partition, Offset::Offset(input.next)).map_err(Error::from)?;
                ids.insert(name.clone(), input.origin.topic.clone());
                if !seen.insert((name, partition)) {
                    return Err(Reaction::Stop(Error::Kafka(KafkaError::Subscription("a partition twice".into()))));
                }
            }
        }
        if list.count() > 0 {
            let mut fetcher = Fetcher::new(&self.shared.settings.fetcher(&format!("worker-{}", self.number)))?;
            fetcher.expect(ids);
            fetcher.assign(&list)?;
            self.fetcher = Some(fetcher);
        }
        Ok(())
    }
}
