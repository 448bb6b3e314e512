//! A commit: everything that the tasks have read, put out and changed, in one transaction; then the local state.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_engine::ledger::Ledger;
use millrace_engine::ports::{Logic, StoreChanges};
use millrace_engine::task::{Produced, TaskError};
use millrace_engine::topology::TopicKind;
use millrace_store::{Batch, Durability};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::{Offset, TopicPartitionList};

use super::pace::Paces;
use super::run::WorkKind;
use super::seat::ActiveTask;
use super::{Commit, Event, Generation, Phase, Shared, Worker, entry, sendable};
use crate::client::producer::Transactions;
use crate::clock::wall_clock;
use crate::cluster::metadata;
use crate::error::Reaction;
use crate::faults::{self, Point};
use crate::state::positions::Position;

/// Which tasks a commit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitScope {
    /// All that have done anything.
    All,
    /// Those that have put records out. Nobody waits for the others before a commit is due, and each partition that a
    /// transaction writes to costs the broker a request: without their changelogs, results are there sooner.
    Results,
}

impl Worker {
    /// Commits what the tasks have done since their last commit, if they have done anything.
    pub(super) fn commit(&mut self, of: CommitScope) -> Result<(), Reaction> {
        let (began, time) = (Instant::now(), self.run_time());
        let Some(producer) = &mut self.producer else { return Ok(()) };
        let mut ledger = Ledger::default();
        let mut changed = Vec::new();
        for seat in self.seats.iter_mut().filter(|seat| seat.dirty && (of == CommitScope::All || seat.sent)) {
            let (unclear, shared) = (&mut self.unclear, &self.shared);
            let mut send = |record: Produced| {
                producer.send(record.topic.0, &sendable(&record), None)?;
                unclear.sent(&shared.topology, std::slice::from_ref(&record));
                Ok(())
            };
            flush(seat, self.logic.as_mut(), &mut self.paces, (began, time), &mut send)?;
            let mut prepared = seat.task.prepare();
            add_notes(&mut prepared.changes, notes(&self.shared, seat));
            send_changes(&self.shared, seat, producer, &prepared.changes)?;
            self.unclear.sent_changes(&self.shared.changelogs, seat.id.partition, &prepared.changes);
            seat.locate(&prepared.offsets);
            ledger.add(&prepared.ledger);
            ledger.logs.extend(prepared.ledger.logs);
            changed.push((seat, prepared.changes));
        }
        if changed.is_empty() {
            self.leave();
            return Ok(());
        }
        let offsets = offsets(changed.iter().map(|(seat, _)| &**seat))?;
        let committed = producer.commit(offsets, generation(&self.generation)?)?;
        store(&self.shared, &changed, &committed.ends)?;
        faults::hit(Point::Stored);
        for (seat, _) in changed {
            seat.settle();
            self.apart.committed(seat.id);
        }
        self.write_postponed()?;
        self.unclear.committed();
        // What was sent alone to find out what is refused has arrived: the next batches are whole again.
        let found = self.unclear.is_empty() && std::mem::take(&mut self.limits.alone);
        self.after_commit(ledger, began, committed.disturbed || found)
    }

    /// Commits everything and brings the local state up to it: for who stops, or gives tasks away. What can't be
    /// committed any more is dropped.
    pub(super) fn finish(&mut self) -> Result<(), Reaction> {
        self.commit(CommitScope::All)?;
        self.write_all_postponed()?;
        self.seats.retain(|seat| !seat.dirty);
        self.leave();
        Ok(())
    }

    /// Commits that inputs are read to their ends, where these are marks of transactions. Of tasks that are in the middle of
    /// a backlog, the next commit does.
    pub(super) fn commit_ends(&mut self) -> Result<(), Reaction> {
        let began = Instant::now();
        if self.last_commit.elapsed() < self.shared.topology.settings.commit_interval {
            return Ok(());
        }
        let Some(producer) = &mut self.producer else { return Ok(()) };
        let moved: Vec<&mut ActiveTask> =
            self.seats.iter_mut().filter_map(|seat| (seat.is_idle() && seat.skip_marks()).then_some(seat)).collect();
        if moved.is_empty() {
            return Ok(());
        }
        let offsets = offsets(moved.iter().map(|seat| &**seat))?;
        let noted: Vec<_> = moved
            .into_iter()
            .map(|seat| {
                let notes = notes(&self.shared, seat);
                (seat, Vec::from_iter(notes))
            })
            .collect();
        for (seat, changes) in &noted {
            send_changes(&self.shared, seat, producer, changes)?;
        }
        let committed = producer.commit(offsets, generation(&self.generation)?)?;
        store(&self.shared, &noted, &committed.ends)?;
        noted.into_iter().for_each(|(seat, _)| seat.settle());
        self.after_commit(Ledger::default(), began, committed.disturbed)
    }

    /// Lets global tables change, unless a task is still in the middle of something.
    pub(super) fn leave(&mut self) {
        if self.seats.iter().all(|seat| !seat.dirty) {
            self.pass = None;
            self.begun = None;
        }
    }

    fn after_commit(&mut self, ledger: Ledger, began: Instant, disturbed: bool) -> Result<(), Reaction> {
        self.ended = Instant::now();
        self.failures = 0;
        if disturbed {
            // Its next transaction must not be ended by a late request of this one. Who is in the middle of something
            // begins anew: it may take long until there is a producer.
            self.write_all_postponed()?;
            self.seats.retain(|seat| !seat.dirty);
            self.producer = None;
            if self.phase == Phase::Running {
                self.phase = Phase::Opening;
            }
        }
        self.leave();
        if self.seats.iter().all(|seat| !seat.dirty) {
            self.last_commit = Instant::now();
        }
        let repartition = |topic: &millrace_engine::topology::TopicId| {
            self.shared.topology.topics.get(topic.0).is_some_and(|topic| topic.kind == TopicKind::Repartition)
        };
        let inputs = self.seats.iter().flat_map(|seat| &seat.inputs).filter(|input| repartition(&input.topic));
        let purgeable =
            inputs.filter_map(|input| Some((input.topic, input.partition?.cast_unsigned(), input.committed)));
        let commit = Commit { ledger, took: began.elapsed(), purgeable: purgeable.collect() };
        self.tell(Event::Committed(Box::new(commit)));
        Ok(())
    }
}

/// Has a task put out what waits for a commit: a pass of it, and what is left comes with the next runs, in transactions of
/// their own. While a run isn't done, nothing comes out.
///
/// Rules behind it may be slow: then fewer records go into a transaction. The time is for the tasks of a commit together,
/// from when it began. What one record alone has left may take longer; if even that is too long for the open transaction, it
/// comes behind the commit as a whole.
fn flush(
    seat: &mut ActiveTask,
    logic: &mut dyn Logic,
    paces: &mut Paces,
    (began, time): (Instant, Duration),
    send: &mut dyn FnMut(Produced) -> Result<(), Reaction>,
) -> Result<(), Reaction> {
    let (done, waited) = (seat.taken + seat.fired, !seat.task.may_commit());
    if waited && paces.entry((seat.id, WorkKind::Records)).or_default().flushes_behind() {
        seat.task.begin_flush(wall_clock(), 0);
    }
    let time = if done > 1 { time } else { time * 2 };
    let (mut flushed, mut took) = (Ok(()), Duration::ZERO);
    while flushed.is_ok() && !seat.task.may_commit() {
        let pass = Instant::now();
        logic.limit_time(Some(time.saturating_sub(began.elapsed())));
        let produced = seat.task.flush(logic, wall_clock(), 0);
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
        let pace = paces.entry((seat.id, kind)).or_default();
        match &flushed {
            Err(TaskError::Overrun { .. }) => pace.flush_cut_off(done),
            _ => pace.flushed(done, waited.then_some(took)),
        }
    }
    flushed.map_err(|error| seat.reaction(error))
}

/// Sends what the task has changed in its stores to their changelogs.
fn send_changes(
    shared: &Shared,
    seat: &ActiveTask,
    producer: &mut Transactions,
    changes: &[StoreChanges],
) -> Result<(), Reaction> {
    let (first, now) = (shared.topology.topics.len(), wall_clock());
    for change in changes {
        let slot = seat.slots.iter().find(|slot| slot.store == change.store).map(|slot| slot.number);
        for (key, value) in &change.entries {
            producer.send(first + change.store.0, &entry(seat.id.partition, key, value.as_deref(), now), slot)?;
        }
    }
    Ok(())
}

/// Adds what the task's part of the meta store lacks: to its other changes, since each store's part of a commit is written
/// as a whole.
fn add_notes(changes: &mut Vec<StoreChanges>, notes: Option<StoreChanges>) {
    let Some(notes) = notes else { return };
    match changes.iter_mut().find(|change| change.store == notes.store) {
        Some(change) => change.entries.extend(notes.entries),
        None => changes.push(notes),
    }
}

/// What the task's part of the meta store lacks.
fn notes(shared: &Shared, seat: &ActiveTask) -> Option<StoreChanges> {
    seat.notes(shared.topology.subtopologies.get(seat.id.subtopology)?.meta)
}

/// Where the tasks stand in all their inputs: also where nothing has moved, because it is these that fence who had them
/// before.
fn offsets<'s>(seats: impl Iterator<Item = &'s ActiveTask>) -> Result<TopicPartitionList, Reaction> {
    let mut list = TopicPartitionList::new();
    let inputs = seats.flat_map(|seat| seat.inputs.iter().map(|input| (input, seat.task.is_unfinished())));
    for (input, unfinished) in inputs {
        let Some(partition) = input.partition else { continue };
        let mut place = list.add_partition(&input.name.to_string_lossy(), partition);
        let set = place.set_offset(Offset::Offset(input.position));
        set.map_err(|error| Reaction::Abort(error.to_string()))?;
        place.set_metadata(metadata::encode(input.time, &input.origin, unfinished));
    }
    Ok(list)
}

/// The generation that the tasks were assigned in, not the one that the group has come to since.
fn generation(generation: &Option<Generation>) -> Result<Arc<ConsumerGroupMetadata>, Reaction> {
    generation
        .as_ref()
        .map(|generation| Arc::clone(&generation.metadata))
        .ok_or_else(|| Reaction::Abort("the tasks are no longer assigned".into()))
}

/// Bytes of a write to the local state. Each store's part of a commit is whole in it, and stands for itself: what is
/// missing after a crash comes from the changelog.
pub(super) const WRITE_LIMIT_BYTES: usize = 512 << 10;

/// Writes the changes to the local state, with the changelog positions that they reflect.
fn store(
    shared: &Shared,
    changed: &[(&mut ActiveTask, Vec<StoreChanges>)],
    ends: &[Option<i64>],
) -> Result<(), Reaction> {
    let mut batch = Batch::new(&shared.database);
    let at = wall_clock();
    for (seat, changes) in changed {
        for change in changes {
            let slot = seat.slots.iter().find(|slot| slot.store == change.store);
            let end = slot.and_then(|slot| Some((slot, ends.get(slot.number).copied().flatten()?)));
            let position = end.map(|(slot, next)| Position { topic: slot.topic.clone(), next, at });
            if let Some(postponed) = slot.and_then(|slot| slot.postponed.as_ref())
                && postponed.keep(change, position.clone())
            {
                continue;
            }
            batch.apply(change, seat.id.partition)?;
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
