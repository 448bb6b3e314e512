//! Opening: a producer, then the tasks, one by one as the [opener](super::opener) hands them over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_engine::ports::StoreId;
use millrace_engine::task::{Task, TaskError, TaskOptions};
use millrace_engine::topology::StoreKind;
use rdkafka::TopicPartitionList;
use rdkafka::{Offset, error::KafkaError};

use super::ask::{StartingPoint, stores};
use super::commit::CommitScope;
use super::opener::{OpenRequest, Opened, Opener};
use super::seat::{ActiveTask, ChangelogSlot, Input};
use super::spread::KeySample;
use super::starts::check_state_has_offsets;
use super::{Event, Phase, Shared, Worker, task_error};
use crate::client::native::{Fetcher, c_name};
use crate::client::producer::Transactions;
use crate::error::{Error, Reaction};
use crate::state::positions;
use crate::state::postponed::{CatchUpBackend, PostponedWrites};
use crate::tasks::TaskId;

/// Timers that a step fires at a time. After a pause there may be millions: what they put out must fit into memory, and
/// into a transaction.
pub(super) const TIMERS_PER_STEP: usize = 1000;

/// Tasks that a worker is to have and doesn't have yet.
#[derive(Default)]
pub(super) struct AwaitedTasks {
    awaited: BTreeSet<TaskId>,
    /// What opens them.
    opener: Option<Opener>,
    /// Those that are open, and not yet taken in.
    opened: Vec<Opened>,
    /// Seats of some of them from before: with nothing that isn't committed, or isn't written.
    pub(super) stayed: Vec<ActiveTask>,
}

impl AwaitedTasks {
    pub(super) fn are_all_here(&self) -> bool {
        self.awaited.is_empty()
    }

    /// How many partitions those read that aren't here yet.
    pub(super) fn awaited_partitions(&self, shared: &Shared) -> usize {
        let inputs =
            |task: &TaskId| shared.topology.subtopologies.get(task.subtopology).map_or(0, |part| part.inputs.len());
        self.awaited.iter().map(inputs).sum()
    }

    /// Has none opened any more.
    pub(super) fn expect_nothing(&mut self) {
        self.opener = None;
        self.opened.clear();
        self.awaited.clear();
    }

    /// Takes the seat of a task that has stayed, if it has.
    fn seat(&mut self, task: TaskId) -> Option<ActiveTask> {
        let place = self.stayed.iter().position(|seat| seat.id == task)?;
        Some(self.stayed.swap_remove(place))
    }
}

impl Worker {
    /// Makes sure of a producer, and has the tasks opened that are wanted and not on their way. Returns early when it is
    /// called.
    pub(super) fn open(&mut self) -> Result<(), Reaction> {
        if self.producer.is_none() && !self.open_producer()? {
            return Ok(());
        }
        self.stop_fetching();
        self.write_all_postponed()?;
        // Whether they stand where the group says that they do is asked first.
        self.arrivals.stayed.append(&mut self.seats);
        // The producer may be new, and more be known of what topics take than when they were opened.
        self.arrivals.stayed.retain(|seat| seat.limits.agree_with(&self.limits));
        let AwaitedTasks { awaited, stayed, .. } = &self.arrivals;
        let missing: Vec<_> = self.wanted.iter().copied().filter(|task| !awaited.contains(task)).collect();
        if !missing.is_empty() {
            let stayed = |task| stayed.iter().find(|seat| seat.id == task).map(ActiveTask::committed);
            let wishes = missing.iter().map(|task| OpenRequest { task: *task, stayed: stayed(*task) }).collect();
            self.opener()?.open(wishes);
            self.arrivals.awaited.extend(missing);
        }
        self.phase = Phase::Running;
        self.told_idle = false;
        self.tell_running();
        Ok(())
    }

    /// Takes in the tasks that are open by now: between two transactions, because the producer learns of their changelogs.
    pub(super) fn admit(&mut self) -> Result<(), Reaction> {
        let result = self.take_in();
        if result.is_err() {
            // All that isn't here yet is asked for again.
            self.arrivals.expect_nothing();
        }
        result
    }

    fn take_in(&mut self) -> Result<(), Reaction> {
        let Some(opener) = &self.arrivals.opener else { return Ok(()) };
        let opened = opener.opened()?;
        self.arrivals.opened.extend(opened);
        if self.arrivals.opened.is_empty() {
            return Ok(());
        }
        self.commit(CommitScope::All)?;
        for opened in std::mem::take(&mut self.arrivals.opened) {
            let task = opened.task();
            self.arrivals.awaited.remove(&task);
            let seat = match (opened, self.arrivals.seat(task)) {
                (Opened::Stayed(_), Some(seat)) => seat,
                (Opened::Restored(task, beginning), _) => {
                    check_state_has_offsets(&self.shared, task, &beginning.starts)?;
                    match self.seat(task, &beginning)? {
                        Some(seat) => seat,
                        // The worker holds, or is called: those that are taken in and those behind it are asked for again.
                        None => {
                            self.arrivals.expect_nothing();
                            if self.phase == Phase::Running {
                                self.phase = Phase::Opening;
                            }
                            return Ok(());
                        }
                    }
                }
                // It isn't here any more: it is asked about again.
                (Opened::Stayed(_), None) => {
                    self.phase = Phase::Opening;
                    continue;
                }
            };
            self.seats.push(seat);
        }
        self.seats.sort_by_key(|seat| seat.id);
        if self.phase == Phase::Running {
            self.number_slots();
            self.fetch()?;
            self.tell_running();
        }
        Ok(())
    }

    fn opener(&mut self) -> Result<&Opener, Reaction> {
        let opener = match self.arrivals.opener.take() {
            Some(opener) => opener,
            None => Opener::start(self.number, Arc::clone(&self.shared), self.events.clone())?,
        };
        Ok(self.arrivals.opener.insert(opener))
    }

    fn tell_running(&self) {
        if self.arrivals.are_all_here() {
            self.tell(Event::Running { worker: self.number });
        }
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
        self.producer = Transactions::open(&settings, &id, topics, Arc::clone(&shared.stopping), &|| self.may_go_on())?;
        Ok(self.producer.is_some())
    }

    /// Opens a task; `None` if it can't be opened here, and the worker holds.
    fn seat(
        &mut self,
        id: TaskId,
        StartingPoint { starts, ids }: &StartingPoint,
    ) -> Result<Option<ActiveTask>, Reaction> {
        let shared = &Arc::clone(&self.shared);
        let options = TaskOptions {
            batch: shared.options.batch,
            window_memory: shared.options.window_memory,
            record_bytes: Arc::clone(&self.limits.records),
            refused: self.limits.refused.clone(),
            state_bytes: self.state_bytes(id),
            timers: TIMERS_PER_STEP,
            ..TaskOptions::new(
                id.subtopology,
                id.partition,
                Arc::clone(&shared.partitions),
                Arc::clone(&shared.deployments),
            )
        };
        let slots: Vec<_> = stores(shared, id).into_iter().filter_map(|store| self.slot(id, store, ids)).collect();
        let open = |options: TaskOptions| {
            let backend = Box::new(CatchUpBackend {
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
            let (end, left, paused, quiet, stalled) = (None, None, false, None, false);
            let count = shared.partitions.get(topic.0).copied().unwrap_or(1);
            let sample = shared.alike.contains_key(&topic).then(|| KeySample::new(id.partition, count));
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
                quiet,
                stalled,
                sample,
            });
            task.expect_more(number, partition.is_some());
        }
        // Steps that were connected otherwise may have left the rest with another task: then this one's offsets say so no
        // more with its next commit.
        let dirty = starts.values().any(|start| start.unfinished) && !task.is_unfinished();
        let limits = self.limits.clone();
        Ok(Some(ActiveTask { id, task, inputs, slots, limits, dirty, sent: false, taken: 0, fired: 0 }))
    }

    /// The most bytes of an entry of any store of a task.
    fn state_bytes(&self, task: TaskId) -> usize {
        let limits = stores(&self.shared, task).into_iter().filter_map(|store| self.limits.states.get(store.0));
        limits.copied().min().unwrap_or(usize::MAX)
    }

    fn slot(&self, id: TaskId, store: StoreId, ids: &BTreeMap<String, String>) -> Option<ChangelogSlot> {
        let topology = &self.shared.topology;
        let topic = self.shared.changelogs.get(store.0).and_then(|name| ids.get(name)).cloned()?;
        let key = positions::key(topology, store, id);
        let expires = matches!(topology.stores.get(store.0)?.kind, StoreKind::Window { .. });
        let postponed = expires.then(|| PostponedWrites::new(store, id.partition, key.clone()));
        Some(ChangelogSlot { store, number: 0, key, topic, postponed })
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
