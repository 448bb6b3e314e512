//! Stream-stream join: pairs records of two streams with the same key whose times are within a window.
//!
//! As in Kafka Streams: a record first probes the other side, then is stored itself. Both ends of the window are
//! inclusive. Matches are emitted at once, also for records out of order. A late record still probes the live records
//! of the other side (KAFKA-16123). A record that is too large for a store fails (`state-too-large`) and makes no pair.
//!
//! In a left or outer join, an unmatched record waits, and is emitted alone when it can't match any more (KAFKA-10847).
//! A record whose window has closed, or without a key, is emitted alone at once. A record whose timestamp is the join's
//! stream time, the highest of both sides, emits the expired unmatched records before its own pairs. Records with null
//! values are dropped and counted, and so are records with null keys on a side that isn't emitted alone; but their
//! times count.
//!
//! A record that is too late to be stored is counted (`late`). If it wasn't emitted, it leaves by the port `late` if
//! that has edges, otherwise `on-late` decides.
//!
//! Unlike in Kafka Streams, an unmatched record keeps its own headers, not those of the record that caused it to be
//! emitted, and the clocks survive a restart (KAFKA-20099).

use std::collections::VecDeque;

use super::pairs::{self, JoinPair, PendingPairs};
use crate::ledger::Fate;
use crate::logic::Logic;
use crate::path::Path;
use crate::ports::Failure;
use crate::record::{END_OF_TIME, Headers, Record, Timestamp};
use crate::state::join::JoinStore;
use crate::state::keys::WINDOW_KEY_OVERHEAD;
use crate::state::unmatched::{Side, UnmatchedRecord, UnmatchedRecords, entry_lengths};
use crate::step::{Item, Step, TaskError, UnusableRecord};
use crate::topology::{Call, JoinKind, JoinWindow, LATE_PORT};

const LEFT: usize = 0;

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    (kind, window): (JoinKind, JoinWindow),
    store: &mut JoinStore,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let names = [step.input_name(LEFT), step.input_name(1)];
    let (mut items, mut pending) = (VecDeque::from(items), PendingPairs::default());
    let mut remainder = step.take_remainder();
    if let Some(rest) = remainder.take_if(|remainder| items.front().is_none_or(|item| item.path != remainder.path)) {
        // The remainder of a close, which belongs to no item.
        emit_expired(step, window, store, (&rest.path, rest.child), true, &mut pending)?;
    }
    while !step.is_full()
        && let Some(item) = items.pop_front()
    {
        let side = if item.input == LEFT { Side::Left } else { Side::Right };
        let (resumes, child) = remainder.take().map_or((false, 0), |remainder| (true, remainder.child));
        let mut join = JoinStep { item: &item, side, kind, window, resumes, child, pending: &mut pending };
        if !join.process(step, store)? {
            items.push_front(item);
        }
        if pending.is_full(step) {
            pairs::join(step, &mut pending, names, call, logic)?;
        }
    }
    pairs::join(step, &mut pending, names, call, logic)?;
    step.requeue(items);
    Ok(())
}

/// Emits all unmatched records, at the end of the input.
pub(super) fn close(
    step: &mut Step<'_>,
    window: JoinWindow,
    store: &mut JoinStore,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let Some(unmatched) = &mut store.unmatched else { return Ok(()) };
    unmatched.observe(END_OF_TIME);
    if !unmatched.is_scan_due(Side::Left, END_OF_TIME, window) {
        return Ok(());
    }
    let (place, mut pending) = (step.next_wake_path(), PendingPairs::default());
    emit_expired(step, window, store, (&place, 0), false, &mut pending)?;
    let names = [step.input_name(LEFT), step.input_name(1)];
    pairs::join(step, &mut pending, names, call, logic)
}

/// Emits the expired unmatched records, as many as fit into a pass, as children of `place` from number `child` on.
/// Returns the number of the next child, and whether these were all.
fn emit_expired(
    step: &mut Step<'_>,
    window: JoinWindow,
    store: &mut JoinStore,
    (place, mut child): (&Path, u32),
    resumes: bool,
    pending: &mut PendingPairs,
) -> Result<(u32, bool), TaskError> {
    let Some(unmatched) = &mut store.unmatched else { return Ok((child, true)) };
    let mut budget = step.budget();
    let (expired, more) = unmatched.take_expired(step.state, window, &mut budget, resumes)?;
    step.set_budget(budget);
    for UnmatchedRecord { side, record, origin } in expired {
        let path = step.attribute(&place.child(child), &record, Some(origin));
        child += 1;
        pending.push(one_sided(path, side, &record));
    }
    if more {
        step.set_remainder(place, child, None);
    }
    Ok((child, !more))
}

/// The processing of one record.
struct JoinStep<'a> {
    item: &'a Item,
    side: Side,
    kind: JoinKind,
    window: JoinWindow,
    /// Whether it resumes a scan of the unmatched records.
    resumes: bool,
    /// Number of the next child.
    child: u32,
    pending: &'a mut PendingPairs,
}

/// How a record was emitted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Emission {
    /// In pairs, or alone.
    Emitted,
    /// Not yet: it waits for a match.
    Waiting,
    /// Not at all.
    None,
}

impl JoinStep<'_> {
    /// Processes the record. Returns false if the budget has ended the pass, and the record must be processed again.
    fn process(&mut self, step: &mut Step<'_>, store: &mut JoinStore) -> Result<bool, TaskError> {
        if let Some(failure) = self.too_large(step, store) {
            step.fail(&self.item.path, &failure, None)?;
            return Ok(true);
        }
        let Record { key, value, timestamp, .. } = &self.item.record;
        if let Some(unmatched) = &mut store.unmatched {
            unmatched.observe(*timestamp);
        }
        match (key, value) {
            (None, Some(_)) if self.emits_alone(self.side) => self.emit_alone(),
            (None, _) => {
                let text = "a join needs a key, and the record has none";
                step.reject(&self.item.path, UnusableRecord::null_key(step.node, text));
            }
            (_, None) => {
                let text = "a join has no use for a null value";
                step.reject(&self.item.path, UnusableRecord::null_value(text));
            }
            (Some(key), Some(value)) => {
                if !self.emit_expired(step, store)? {
                    return Ok(false);
                }
                let mut emission = self.probe(step, store, key)?;
                if emission == Emission::None && self.emits_alone(self.side) {
                    emission = self.wait(step, store);
                }
                let own = if self.side == Side::Left { &mut store.left } else { &mut store.right };
                if !own.put(step.state, key, *timestamp, value) {
                    self.late(step, emission);
                }
            }
        }
        Ok(true)
    }

    /// Whether the join emits unmatched records of a side.
    fn emits_alone(&self, side: Side) -> bool {
        match self.kind {
            JoinKind::Inner => false,
            JoinKind::Left => side == Side::Left,
            JoinKind::Outer => true,
        }
    }

    /// How much earlier and how much later a match may be.
    fn reach(&self) -> (i64, i64) {
        match self.side {
            Side::Left => (self.window.before, self.window.after),
            Side::Right => (self.window.after, self.window.before),
        }
    }

    /// The failure if the record is too large for the store. A record that may have to wait is stored with its headers.
    fn too_large(&self, step: &Step<'_>, store: &JoinStore) -> Option<Failure> {
        let record = &self.item.record;
        let (key, value) = (record.key.as_ref()?, record.value.as_ref()?);
        let (mut in_key, mut in_value) = (key.len() + WINDOW_KEY_OVERHEAD, value.len());
        if self.emits_alone(self.side) && step.options.state_bytes < usize::MAX {
            (in_key, in_value) = entry_lengths(key, value, &record.headers, &step.origin_of(&self.item.path)?);
        }
        step.entry_too_large(store.id(), in_key, in_value)
    }

    /// Emits expired unmatched records, and returns whether these were all.
    fn emit_expired(&mut self, step: &mut Step<'_>, store: &mut JoinStore) -> Result<bool, TaskError> {
        let looks =
            |unmatched: &UnmatchedRecords| unmatched.is_scan_due(self.side, self.item.record.timestamp, self.window);
        if !self.resumes && !store.unmatched.as_ref().is_some_and(looks) {
            return Ok(true);
        }
        let place = (&self.item.path, self.child);
        let (child, all) = emit_expired(step, self.window, store, place, self.resumes, self.pending)?;
        self.child = child;
        Ok(all)
    }

    /// Pairs the record with its matches on the other side.
    fn probe(&mut self, step: &mut Step<'_>, store: &mut JoinStore, key: &bytes::Bytes) -> Result<Emission, TaskError> {
        let (earlier, later) = self.reach();
        let from = self.item.record.timestamp.saturating_sub(earlier).max(0);
        let to = self.item.record.timestamp.saturating_add(later).max(0);
        let (other, other_side) = match self.side {
            Side::Left => (&store.right, Side::Right),
            Side::Right => (&store.left, Side::Left),
        };
        let first = self.pending.len();
        let mut matched: Option<Timestamp> = None;
        let mut times = Vec::new();
        other.fetch(step.state, key, from, to, &mut |timestamp, value| {
            let (key, value) = (Some(key.clone()), Some(value.clone()));
            self.pair(Record { key, value, timestamp, headers: Headers::EMPTY, window: None });
            if matched.replace(timestamp) != Some(timestamp) {
                times.push(timestamp);
            }
        })?;
        if let Some(unmatched) = store.unmatched.as_mut().filter(|_| self.emits_alone(other_side)) {
            for timestamp in times {
                unmatched.remove_matched(step.state, other_side, key, timestamp)?;
            }
        }
        Ok(if self.pending.len() > first { Emission::Emitted } else { Emission::None })
    }

    /// Keeps an unmatched record, or emits it alone if its window has closed.
    fn wait(&mut self, step: &mut Step<'_>, store: &mut JoinStore) -> Emission {
        let record = &self.item.record;
        let (_, later) = self.reach();
        let end = record.timestamp.saturating_add(later).max(0);
        let open = store.unmatched.as_mut().filter(|unmatched| end >= unmatched.clock().stream_time);
        let Some((unmatched, origin)) = open.zip(step.origin_of(&self.item.path)) else {
            self.emit_alone();
            return Emission::Emitted;
        };
        unmatched.put(step.state, self.side, record, &origin);
        Emission::Waiting
    }

    /// Emits the record without a match.
    fn emit_alone(&mut self) {
        let path = self.next_path();
        self.pending.push(one_sided(path, self.side, &self.item.record));
    }

    fn pair(&mut self, stored: Record) {
        let record = &self.item.record;
        let timestamp = record.timestamp.max(stored.timestamp);
        let result =
            Record { key: record.key.clone(), value: None, timestamp, headers: record.headers.clone(), window: None };
        let path = self.next_path();
        let (left, right) = if self.side == Side::Left { (record.clone(), stored) } else { (stored, record.clone()) };
        self.pending.push(JoinPair { path, left: Some(left), right: Some(right), result });
    }

    /// Counts a record that is too late to be stored, and rejects it if it wasn't emitted.
    fn late(&mut self, step: &mut Step<'_>, emission: Emission) {
        let path = &self.item.path;
        if emission != Emission::None {
            let why = "the window of the record has closed: the join has emitted it, but later records won't match it";
            step.drop_record(path, "late", 1, why, Fate::Dropped(None));
        } else if step.node.edges.iter().any(|edge| edge.port == LATE_PORT) {
            step.emit(path, &mut self.child, LATE_PORT, self.item.record.clone());
        } else {
            let JoinWindow { before, after, grace } = self.window;
            let text = match before.max(after).max(grace) {
                0 => "the window has neither length nor grace, and closes at once: add grace = \"1ms\"",
                _ => "the window of the record has closed, and the record has no match",
            };
            step.reject(path, UnusableRecord::late(step.node, text));
        }
    }

    fn next_path(&mut self) -> Path {
        self.child += 1;
        self.item.path.child(self.child - 1)
    }
}

/// The pair of an unmatched record. The result has the record's time and headers.
fn one_sided(path: Path, side: Side, record: &Record) -> JoinPair {
    let result = Record { value: None, window: None, ..record.clone() };
    let (left, right) = match side {
        Side::Left => (Some(record.clone()), None),
        Side::Right => (None, Some(record.clone())),
    };
    JoinPair { path, left, right, result }
}
