//! Opening: a producer, then the tasks, one by one as the [opener](super::opener) hands them over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_engine::ports::StoreId;
use millrace_engine::task::{Task, TaskError, TaskOptions};
use millrace_engine::topology::StoreKind;
use rdkafka::TopicPartitionList;
use rdkafka::{Offset, error::KafkaError};

use super::active_task::{ActiveTask, ChangelogSlot, Input};
use super::commit::CommitScope;
use super::key_sample::KeySample;
use super::opener::{OpenRequest, Opened, Opener, StartingPoint, check_state_has_offsets, stores};
use super::phase::{Fetching, Phase};
use super::swap::EarlyTasks;
use super::transactions::WorkerTransactions;
use super::{Assignment, Event, Shared, Worker, may_go_on, task_error};
use crate::client::native::{Fetcher, c_name};
use crate::client::producer::Transactions;
use crate::error::{Error, Reaction};
use crate::state::positions;
use crate::state::postponed::{CatchUpBackend, PostponedWrites};
use crate::tasks::TaskId;

/// Timers that a step fires at a time. After a pause millions may be due: their output must fit into memory, and into a
/// transaction.
pub(super) const TIMERS_PER_STEP: usize = 1000;

/// Assigned tasks that aren't open yet.
#[derive(Default)]
pub(super) struct AwaitedTasks {
    ids: BTreeSet<TaskId>,
    /// The thread that opens them.
    opener: Option<Opener>,
    /// Tasks that are opened, and not yet taken in.
    opened: Vec<Opened>,
    early: EarlyTasks,
    /// Tasks of them that stayed open, without uncommitted work and with all changes written.
    pub(super) stayed: Vec<ActiveTask>,
}

impl AwaitedTasks {
    pub(super) fn are_all_here(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many partitions the awaited tasks read.
    pub(super) fn awaited_partitions(&self, shared: &Shared) -> usize {
        let inputs =
            |task: &TaskId| shared.topology.subtopologies.get(task.subtopology).map_or(0, |part| part.inputs.len());
        self.ids.iter().map(inputs).sum()
    }

    /// Opens none of them any more.
    pub(super) fn expect_nothing(&mut self) {
        self.opener = None;
        self.opened.clear();
        self.early = EarlyTasks::default();
        self.ids.clear();
    }

    /// Takes a task out that has stayed open, if it has.
    fn take_stayed(&mut self, task: TaskId) -> Option<ActiveTask> {
        let place = self.stayed.iter().position(|active| active.id == task)?;
        Some(self.stayed.swap_remove(place))
    }
}

impl Worker {
    /// Makes sure of a producer, and has the assigned tasks opened that aren't on their way. Returns early when a
    /// command comes.
    pub(super) fn open(&mut self) -> Result<(), Reaction> {
        if self.transactions.producer.is_none() && !self.open_producer()? {
            return Ok(());
        }
        let Phase::Opening(Assignment { tasks: assigned, .. }) = &self.phase else { return Ok(()) };
        let assigned = assigned.clone();
        self.unreadable.retry_all();
        self.write_all_postponed()?;
        // Whether their offsets are those that the group has committed is asked first.
        self.awaited.stayed.append(&mut self.tasks.take());
        // The producer may be new, and the limits of topics may be others than when the tasks were opened.
        self.awaited.stayed.retain(|active| active.limits.agree_with(&self.transactions.limits));
        let AwaitedTasks { ids, stayed, .. } = &self.awaited;
        let missing: Vec<_> = assigned.into_iter().filter(|task| !ids.contains(task)).collect();
        if !missing.is_empty() {
            let stayed = |task| stayed.iter().find(|active| active.id == task).map(ActiveTask::committed);
            let requests = missing.iter().map(|task| OpenRequest { task: *task, stayed: stayed(*task) }).collect();
            self.opener()?.open(requests);
            self.awaited.ids.extend(missing);
        }
        self.phase.run();
        self.publisher.forget_idle();
        self.publish_running();
        Ok(())
    }

    /// Takes in the tasks that are open by now: between two transactions, because the producer learns of their
    /// changelogs.
    pub(super) fn admit(&mut self) -> Result<(), Reaction> {
        let result = self.take_in();
        if result.is_err() {
            // All tasks that aren't here yet are asked for again.
            self.awaited.expect_nothing();
        }
        result
    }

    fn take_in(&mut self) -> Result<(), Reaction> {
        let Some(opener) = &self.awaited.opener else { return Ok(()) };
        let opened = opener.opened()?;
        let ready = self.awaited.early.sort(opened, &self.plugins);
        self.awaited.opened.extend(ready);
        if self.awaited.opened.is_empty() {
            return Ok(());
        }
        self.commit(CommitScope::All)?;
        for opened in std::mem::take(&mut self.awaited.opened) {
            let task = opened.task();
            let active = match (opened, self.awaited.take_stayed(task)) {
                (Opened::Stayed(_), Some(active)) => active,
                (Opened::Restored(task, beginning), _) => {
                    check_state_has_offsets(&self.shared, task, &beginning.starts)?;
                    match self.open_task(task, &beginning) {
                        Ok(mut active) => {
                            self.resume_walk(&mut active);
                            active
                        }
                        // Its offsets have no note of the generation, as when a person has set them.
                        Err(TaskError::OldDeployment { plugin, recorded, .. }) => {
                            self.awaited.early.wait_for(Opened::Restored(task, beginning), plugin, recorded);
                            continue;
                        }
                        Err(error) => return Err(task_error(error)),
                    }
                }
                // It was dropped meanwhile: it is asked about again.
                (Opened::Stayed(_), None) => {
                    self.awaited.ids.remove(&task);
                    self.phase.reopen();
                    continue;
                }
            };
            self.awaited.ids.remove(&task);
            self.tasks.add([active]);
        }
        if self.phase.is_running() {
            let slots = self.tasks.number_slots();
            if let Some(producer) = &mut self.transactions.producer {
                producer.set_slots(slots);
            }
            self.start_fetching()?;
            self.publish_running();
        }
        Ok(())
    }

    fn opener(&mut self) -> Result<&Opener, Reaction> {
        let opener = match self.awaited.opener.take() {
            Some(opener) => opener,
            None => Opener::start(self.number, Arc::clone(&self.shared), self.publisher.sender())?,
        };
        Ok(self.awaited.opener.insert(opener))
    }

    fn publish_running(&self) {
        if self.awaited.are_all_here() {
            self.publisher.publish(Event::Running { worker: self.number });
        }
    }

    /// Takes over the worker's transactional id. That aborts a transaction that its last owner left open.
    fn open_producer(&mut self) -> Result<bool, Reaction> {
        let Self { shared, transactions: WorkerTransactions { producer, limits, .. }, mailbox, .. } = self;
        let (own, most) = (shared.topic_names(), shared.settings.record_bytes());
        let topics = (own.as_slice(), shared.changelogs.as_slice());
        *limits = shared.learned.limits(&shared.cluster, topics, most, limits.alone)?;
        let settings = shared.settings.with_batch_bytes(limits.batch);
        let id = format!("{}-{}-{}", shared.topology.app, shared.instance, self.number);
        let topics = own.into_iter().chain(shared.changelogs.iter().map(String::as_str));
        let go_on = || may_go_on(mailbox, shared);
        *producer = Transactions::open(&settings, &id, topics, Arc::clone(&shared.stopping), &go_on)?;
        Ok(producer.is_some())
    }

    fn open_task(&self, id: TaskId, StartingPoint { starts, ids }: &StartingPoint) -> Result<ActiveTask, TaskError> {
        let (shared, plugins) = (&self.shared, &self.plugins);
        let options = TaskOptions {
            batch: shared.options.batch,
            window_memory: shared.options.window_memory,
            record_bytes: Arc::clone(&self.transactions.limits.records),
            refused: self.transactions.limits.refused.clone(),
            state_bytes: self.state_bytes(id),
            timers: TIMERS_PER_STEP,
            ..TaskOptions::new(
                id.subtopology,
                id.partition,
                Arc::clone(&shared.partitions),
                Arc::clone(&plugins.deployments),
            )
        };
        let slots: Vec<_> = stores(shared, id).into_iter().filter_map(|store| self.slot(id, store, ids)).collect();
        let backend = Box::new(CatchUpBackend {
            database: Arc::clone(&shared.database),
            written: shared.database.backend(id.partition).sharing(Arc::clone(&shared.shared_stores)),
            postponed: slots.iter().filter_map(|slot| slot.postponed.clone()).collect(),
        });
        let mut task = Task::open(Arc::clone(&plugins.topology), options, backend)?;
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
        // An earlier pipeline may have connected the steps otherwise and left the rest of the run with another task:
        // then this task's next commit takes the note off its offsets.
        let dirty = starts.values().any(|start| start.unfinished) && !task.is_unfinished();
        let limits = self.transactions.limits.clone();
        let generations = plugins.generations_of(id.subtopology);
        let (sent, taken, fired, version) = (false, 0, 0, self.version);
        Ok(ActiveTask { id, task, inputs, slots, limits, dirty, sent, taken, fired, generations, version })
    }

    /// The most bytes of an entry of any store of a task.
    fn state_bytes(&self, task: TaskId) -> usize {
        let limits =
            stores(&self.shared, task).into_iter().filter_map(|store| self.transactions.limits.states.get(store.0));
        limits.copied().min().unwrap_or(usize::MAX)
    }

    fn slot(&self, id: TaskId, store: StoreId, ids: &BTreeMap<String, String>) -> Option<ChangelogSlot> {
        let topology = &self.shared.topology;
        let topic = self.shared.changelogs.get(store.0).and_then(|name| ids.get(name)).cloned()?;
        let key = positions::key(topology, store, id);
        let expires = matches!(topology.stores.get(store.0)?.kind, StoreKind::WindowRecords { .. });
        let postponed = expires.then(|| PostponedWrites::new(store, id.partition, key.clone()));
        Some(ChangelogSlot { store, number: 0, key, topic, postponed })
    }

    /// Reads all inputs of the tasks, each from the record that its queue lacks.
    fn start_fetching(&mut self) -> Result<(), Reaction> {
        let Self { phase: Phase::Running(_, fetching), tasks, unreadable, shared, .. } = self else { return Ok(()) };
        *fetching = Fetching::default();
        unreadable.retry_all();
        let mut list = TopicPartitionList::new();
        let (mut seen, mut ids) = (BTreeSet::new(), BTreeMap::new());
        for active in tasks.iter_mut() {
            for input in &mut active.inputs {
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
            let mut fetcher = Fetcher::new(&shared.settings.fetcher(&format!("worker-{}", self.number)))?;
            fetcher.expect(ids);
            fetcher.assign(&list)?;
            fetching.fetcher = Some(fetcher);
        }
        Ok(())
    }
}
