//! A commit: the tasks' output, their changes of state and their offsets, in one transaction; then the local state.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_engine::ledger::Ledger;
use millrace_engine::logic::Logic;
use millrace_engine::ports::StoreChanges;
use millrace_engine::task::{Produced, TaskError};
use millrace_engine::topology::TopicKind;
use millrace_store::{Batch, Durability};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::{Offset, TopicPartitionList};

use super::active_task::ActiveTask;
use super::pace::Paces;
use super::phase::Phase;
use super::processing::WorkKind;
use super::transactions::WorkerTransactions;
use super::{Commit, Event, Shared, Worker, entry, sendable};
use crate::client::producer::Transactions;
use crate::clock::wall_clock;
use crate::cluster::metadata;
use crate::error::Reaction;
use crate::faults::{self, Point};
use crate::state::positions::Position;

/// Which tasks a commit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitScope {
    /// All tasks with uncommitted work.
    All,
    /// Those that have put out records. The work of the others can wait until a commit is due: each partition that a
    /// transaction writes to costs the broker a request, so without their changelogs, results are there sooner.
    Results,
}

impl Worker {
    /// Commits the tasks' uncommitted work, if there is any.
    pub(super) fn commit(&mut self, scope: CommitScope) -> Result<(), Reaction> {
        let (began, time) = (Instant::now(), self.run_time());
        let Self { transactions, tasks, shared, phase, logic, paces, plugins, number, .. } = self;
        let WorkerTransactions { producer: Some(producer), unclear, .. } = transactions else { return Ok(()) };
        let mut ledger = Ledger::default();
        let mut changed = Vec::new();
        let is_meant = |active: &&mut ActiveTask| active.dirty && (scope == CommitScope::All || active.sent);
        for active in tasks.iter_mut().filter(is_meant) {
            let mut send = |record: Produced| {
                producer.send(record.topic.0, &sendable(&record), None)?;
                unclear.sent(&shared.topology, std::slice::from_ref(&record));
                Ok(())
            };
            flush(active, logic.as_mut(), paces, (began, time), &mut send)?;
            let mut prepared = active.task.prepare();
            add_notes(&mut prepared.changes, notes(shared, active));
            send_changes(shared, active, producer, &prepared.changes)?;
            unclear.sent_changes(&shared.changelogs, active.id.partition, &prepared.changes);
            active.locate(&prepared.offsets);
            ledger.add(&prepared.ledger);
            ledger.logs.extend(prepared.ledger.logs);
            changed.push((active, prepared.changes));
        }
        if changed.is_empty() {
            self.release_if_clean();
            return Ok(());
        }
        if let Some(reason) = shared.trials.before_commit(*number, plugins, &ledger) {
            return Err(Reaction::Abort(reason));
        }
        let offsets = offsets(changed.iter().map(|(active, _)| &**active))?;
        let committed = producer.commit(offsets, generation(phase)?)?;
        store(shared, &changed, &committed.ends)?;
        faults::hit(Point::Stored);
        for (active, _) in changed {
            active.settle();
            self.isolated.note_commit(active.id);
        }
        self.write_postponed()?;
        let WorkerTransactions { unclear, limits, .. } = &mut self.transactions;
        unclear.committed();
        // The records that were sent alone to find the refused one have arrived: the next batches are whole again.
        let found = unclear.is_empty() && std::mem::take(&mut limits.alone);
        self.after_commit(ledger, began, committed.disturbed || found)
    }

    /// Commits everything and brings the local state up to it, before the worker stops or gives tasks away. What can't
    /// be committed any more is dropped.
    pub(super) fn finish(&mut self) -> Result<(), Reaction> {
        self.commit(CommitScope::All)?;
        self.write_all_postponed()?;
        self.tasks.drop_dirty();
        self.release_if_clean();
        Ok(())
    }

    /// Commits that inputs are read to their ends, where these are markers of transactions. For tasks that are in the
    /// middle of a backlog, the next commit does.
    pub(super) fn commit_ends(&mut self) -> Result<(), Reaction> {
        let began = Instant::now();
        if self.transactions.since_commit() < self.shared.topology.settings.commit_interval {
            return Ok(());
        }
        let Self { transactions, tasks, shared, phase, .. } = self;
        let Some(producer) = &mut transactions.producer else { return Ok(()) };
        let has_moved = |active: &mut ActiveTask| active.is_idle() && active.skip_markers();
        let moved: Vec<&mut ActiveTask> =
            tasks.iter_mut().filter_map(|active| has_moved(active).then_some(active)).collect();
        if moved.is_empty() {
            return Ok(());
        }
        let offsets = offsets(moved.iter().map(|active| &**active))?;
        let noted: Vec<_> = moved
            .into_iter()
            .map(|active| {
                let notes = notes(shared, active);
                (active, Vec::from_iter(notes))
            })
            .collect();
        for (active, changes) in &noted {
            send_changes(shared, active, producer, changes)?;
        }
        let committed = producer.commit(offsets, generation(phase)?)?;
        store(shared, &noted, &committed.ends)?;
        noted.into_iter().for_each(|(active, _)| active.settle());
        self.after_commit(Ledger::default(), began, committed.disturbed)
    }

    /// Lets global tables change, unless a task has uncommitted work.
    pub(super) fn release_if_clean(&mut self) {
        if !self.tasks.is_any_dirty() {
            self.transactions.release();
        }
    }

    fn after_commit(&mut self, ledger: Ledger, began: Instant, disturbed: bool) -> Result<(), Reaction> {
        self.transactions.note_end();
        self.failures = 0;
        self.shared.trials.committed(self.number, &self.plugins, &ledger, &self.logic.take_times());
        if disturbed {
            // The next transaction must not be ended by a late request of this one. A task with uncommitted work begins
            // anew: it may take long until there is a producer.
            self.write_all_postponed()?;
            self.tasks.drop_dirty();
            self.transactions.producer = None;
        }
        self.release_if_clean();
        if !self.tasks.is_any_dirty() {
            self.transactions.note_all_committed();
        }
        let repartition = |topic: &millrace_engine::topology::TopicId| {
            self.shared.topology.topics.get(topic.0).is_some_and(|topic| topic.kind == TopicKind::Repartition)
        };
        let inputs = self.tasks.iter().flat_map(|active| &active.inputs).filter(|input| repartition(&input.topic));
        let purgeable =
            inputs.filter_map(|input| Some((input.topic, input.partition?.cast_unsigned(), input.committed)));
        let commit = Commit { ledger, took: began.elapsed(), purgeable: purgeable.collect() };
        self.publisher.publish(Event::Committed(Box::new(commit)));
        if disturbed {
            // Last, since it closes the consumer, which takes a while.
            self.phase.reopen();
        }
        Ok(())
    }
}

/// Has a task put out the results that wait for a commit: one pass of them, and the rest comes with the next runs, in
/// transactions of their own. While a run isn't done, the task puts out none of them.
///
/// Rules of later steps may be slow: then fewer records go into a transaction. The tasks of a commit share its time,
/// from when it began. The results of a single record may take longer; if even that is too long for the open
/// transaction, all of them come after the commit.
fn flush(
    active: &mut ActiveTask,
    logic: &mut dyn Logic,
    paces: &mut Paces,
    (began, time): (Instant, Duration),
    send: &mut dyn FnMut(Produced) -> Result<(), Reaction>,
) -> Result<(), Reaction> {
    let (done, waited) = (active.taken + active.fired, !active.task.may_commit());
    if waited && paces.entry((active.id, WorkKind::Records)).or_default().flushes_behind() {
        active.task.begin_flush(wall_clock(), 0);
    }
    let time = if done > 1 { time } else { time * 2 };
    let (mut flushed, mut took) = (Ok(()), Duration::ZERO);
    while flushed.is_ok() && !active.task.may_commit() {
        let pass = Instant::now();
        logic.limit_time(Some(time.saturating_sub(began.elapsed())));
        let produced = active.task.flush(logic, wall_clock(), 0);
        took += pass.elapsed();
        flushed = match produced {
            Ok(produced) => {
                produced.into_iter().try_for_each(&mut *send)?;
                Ok(())
            }
            Err(error) => Err(error),
        };
    }
    for kind in [WorkKind::Records, WorkKind::Timers] {
        let pace = paces.entry((active.id, kind)).or_default();
        match &flushed {
            Err(TaskError::Overrun { .. }) => pace.flush_cut_off(done),
            _ => pace.flushed(done, waited.then_some(took)),
        }
    }
    flushed.map_err(|error| active.reaction(error))
}

/// Sends the task's changes of its stores to their changelogs.
fn send_changes(
    shared: &Shared,
    active: &ActiveTask,
    producer: &mut Transactions,
    changes: &[StoreChanges],
) -> Result<(), Reaction> {
    let (first, now) = (shared.topology.topics.len(), wall_clock());
    for change in changes {
        let slot = active.slots.iter().find(|slot| slot.store == change.store).map(|slot| slot.number);
        for (key, value) in &change.entries {
            producer.send(first + change.store.0, &entry(active.id.partition, key, value.as_deref(), now), slot)?;
        }
    }
    Ok(())
}

/// Adds the lacking notes of the meta store to its other changes, since each store's part of a commit is written as a
/// whole.
fn add_notes(changes: &mut Vec<StoreChanges>, notes: Option<StoreChanges>) {
    let Some(notes) = notes else { return };
    match changes.iter_mut().find(|change| change.store == notes.store) {
        Some(change) => change.entries.extend(notes.entries),
        None => changes.push(notes),
    }
}

/// The notes that the task's part of the meta store lacks.
fn notes(shared: &Shared, active: &ActiveTask) -> Option<StoreChanges> {
    active.notes(shared.topology.subtopologies.get(active.id.subtopology)?.meta)
}

/// The tasks' positions in all their inputs. Offsets that haven't moved are committed too, because they fence earlier
/// owners of the tasks.
fn offsets<'s>(tasks: impl Iterator<Item = &'s ActiveTask>) -> Result<TopicPartitionList, Reaction> {
    let mut list = TopicPartitionList::new();
    let inputs = tasks.flat_map(|active| active.inputs.iter().map(move |input| (active, input)));
    for (active, input) in inputs {
        let Some(partition) = input.partition else { continue };
        let mut place = list.add_partition(&input.name.to_string_lossy(), partition);
        let set = place.set_offset(Offset::Offset(input.position));
        set.map_err(|error| Reaction::Abort(error.to_string()))?;
        let unfinished = active.task.is_unfinished();
        place.set_metadata(metadata::encode(input.time, &input.origin, &active.generations, unfinished));
    }
    Ok(list)
}

/// The generation that the tasks were assigned in, not the one that the group has come to since.
fn generation(phase: &Phase) -> Result<Arc<ConsumerGroupMetadata>, Reaction> {
    phase
        .generation()
        .map(|generation| Arc::clone(&generation.metadata))
        .ok_or_else(|| Reaction::Abort("the tasks are no longer assigned".into()))
}

/// Bytes of a write to the local state. Each store's part of a commit is whole in it, and independent of others: parts
/// that are missing after a crash come from the changelog.
pub(super) const WRITE_LIMIT_BYTES: usize = 512 << 10;

/// Writes the changes to the local state, with the changelog positions that they reflect.
fn store(
    shared: &Shared,
    changed: &[(&mut ActiveTask, Vec<StoreChanges>)],
    ends: &[Option<i64>],
) -> Result<(), Reaction> {
    let mut batch = Batch::new(&shared.database);
    let at = wall_clock();
    for (active, changes) in changed {
        for change in changes {
            let slot = active.slots.iter().find(|slot| slot.store == change.store);
            let end = slot.and_then(|slot| Some((slot, ends.get(slot.number).copied().flatten()?)));
            let position = end.map(|(slot, next)| Position { topic: slot.topic.clone(), next, at });
            if let Some(postponed) = slot.and_then(|slot| slot.postponed.as_ref())
                && postponed.keep(change, position.clone())
            {
                continue;
            }
            batch.apply(change, active.id.partition)?;
            if let (Some(slot), Some(position)) = (slot, position) {
                position.write(&mut batch, slot.store, &slot.key)?;
            }
            if batch.bytes() >= WRITE_LIMIT_BYTES {
                let whole = std::mem::replace(&mut batch, Batch::new(&shared.database));
                shared.database.write(whole, Durability::Buffered)?;
            }
        }
    }
    if !batch.is_empty() {
        shared.database.write(batch, Durability::Buffered)?;
    }
    Ok(())
}
