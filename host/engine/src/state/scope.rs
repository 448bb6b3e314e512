//! The stores and timers of one call of a process function.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::TaskState;
use super::keys::{decode_stored, encode_stored};
use super::overlay::PreviousWrite;
use super::timers::{self, Timers};
use crate::ports::{Backend, BackendError, Clock, Scan, StoreId, Stored};
use crate::provenance::Origin;
use crate::record::{END_OF_TIME, Timestamp};

/// The stores and timers of a process step, for one call. An implementation of
/// [`Logic::process`](crate::logic::Logic::process) gets the scope and returns it. The engine undoes the writes if the
/// call or the record fails.
pub struct ProcessScope {
    state: TaskState,
    stores: Arc<[StoreId]>,
    undo: Vec<(StoreId, Bytes, PreviousWrite)>,
    timer_scope: Option<TimerScope>,
}

/// Timers that a call has set, with their times, or cancelled, by clock and name.
pub(crate) type TimerChanges = BTreeMap<(Clock, String), Option<Timestamp>>;

/// The timers of a call.
#[derive(Clone)]
pub(crate) struct TimerScope {
    pub(crate) timers: Timers,
    /// Key of the record, or of the due timer.
    pub(crate) key: Option<Bytes>,
    /// The driver's clock.
    pub(crate) now: Timestamp,
    /// Origin of the record, for the dead letter of a timer that fails.
    pub(crate) origin: Option<Origin>,
    /// What caused the call.
    pub(crate) cause: Cause,
}

/// What caused a call of a process function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A record.
    Record,
    /// A stream-time timer, in the round with this number. A timer that it sets and that is already due waits for the
    /// next round.
    Stream(u64),
    /// A timer of the driver's clock, at this time. A timer that it sets for this time or earlier is set for the next
    /// millisecond instead.
    Wall(Timestamp),
}

/// An entry that a call has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScopeWrite {
    /// Index of the store in the function's manifest.
    pub(crate) store: usize,
    /// Its key.
    pub(crate) key: Bytes,
    /// Its value; `None` if it was deleted.
    pub(crate) value: Option<Stored>,
}

/// A page of a range of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys in order, with their values.
    pub items: Vec<(Bytes, Stored)>,
    /// The first key of the next page, if there is one.
    pub next: Option<Bytes>,
}

impl Page {
    /// Memory of an item in the host beside its bytes.
    pub const ITEM: usize = 64;

    /// Most bytes of a page.
    const MAX_BYTES: usize = 1 << 20;
}

impl ProcessScope {
    pub(crate) fn new(state: TaskState, stores: Arc<[StoreId]>, timer_scope: Option<TimerScope>) -> Self {
        Self { state, stores, undo: Vec::new(), timer_scope }
    }

    /// A scope over committed state, with stores 0 to `stores - 1` of the backend, for tests of an implementation of
    /// [`Logic`](crate::logic::Logic).
    pub fn over(backend: Box<dyn Backend>, stores: usize) -> Self {
        Self::new(TaskState::new(backend, stores), (0..stores).map(StoreId).collect(), None)
    }

    /// The same with timers, in store number `stores` of the backend, for a record with this key. Its timestamp is the
    /// stream time, and `now` is the driver's clock.
    pub fn with_timers(
        backend: Box<dyn Backend>,
        stores: usize,
        key: Option<Bytes>,
        timestamp: Timestamp,
        now: Timestamp,
    ) -> Result<Self, BackendError> {
        let state = TaskState::new(backend, stores.saturating_add(1));
        let mut timers = Timers::open(&state, StoreId(stores))?;
        timers.observe(timestamp);
        let timer_scope = TimerScope { timers, key, now, origin: None, cause: Cause::Record };
        Ok(Self::new(state, (0..stores).map(StoreId).collect(), Some(timer_scope)))
    }

    /// Returns the state, with the writes of the call if `keep`, and the timers as they are after the call.
    pub(crate) fn into_parts(mut self, keep: bool) -> (TaskState, Option<TimerScope>) {
        if !keep {
            for (store, key, before) in self.undo.drain(..).rev() {
                self.state.restore(store, key, before);
            }
        }
        (self.state, self.timer_scope)
    }

    /// The entries that the call has written: store, and current lengths of key and value.
    pub(crate) fn written(&self) -> impl Iterator<Item = (StoreId, usize, usize)> {
        self.undo.iter().filter_map(|(store, key, _)| {
            let value = self.state.written(*store, key)?;
            Some((*store, key.len(), value.len()))
        })
    }

    /// The timers as they are, for [`rewind`](Self::rewind).
    pub(crate) fn timers(&self) -> Option<TimerScope> {
        self.timer_scope.clone()
    }

    /// Undoes all that was written, and goes back to these timers.
    pub(crate) fn rewind(&mut self, timers: Option<TimerScope>) {
        for (store, key, before) in self.undo.drain(..).rev() {
            self.state.restore(store, key, before);
        }
        self.timer_scope = timers;
    }

    /// The entries of the function's stores that the call has written, as they are now, in the order of their keys.
    pub(crate) fn writes(&self) -> Vec<ScopeWrite> {
        let mut writes = Vec::new();
        for (written, key, _) in &self.undo {
            let Some(store) = self.stores.iter().position(|store| store == written) else { continue };
            let value = self.state.written(*written, key).cloned().and_then(|bytes| decode_stored(&bytes));
            writes.push(ScopeWrite { store, key: key.clone(), value });
        }
        writes.sort_by(|one, other| (one.store, &one.key).cmp(&(other.store, &other.key)));
        writes.dedup_by(|one, other| (one.store, &one.key) == (other.store, &other.key));
        writes
    }

    /// The timers that the call has set or cancelled, as they are now.
    pub(crate) fn timer_changes(&self) -> TimerChanges {
        let Some(TimerScope { timers, key, .. }) = &self.timer_scope else { return TimerChanges::new() };
        let of_timers = self.undo.iter().filter(|(store, ..)| *store == timers.store());
        let named = of_timers.filter_map(|(_, entry, _)| timers::named(key.as_deref(), entry));
        // One that can't be read is missing in both versions.
        let change = |(clock, name): (Clock, String)| {
            let time = timers.time(&self.state, key.as_deref(), &name, clock).ok()?;
            Some(((clock, name), time))
        };
        named.filter_map(change).collect()
    }

    /// Number of stores: valid indexes are below it.
    pub fn stores(&self) -> usize {
        self.stores.len()
    }

    /// The value of a key in a store of the function, by the store's index in the manifest.
    pub fn get(&self, store: usize, key: &[u8]) -> Result<Option<Stored>, BackendError> {
        let store = self.store(store)?;
        let Some(bytes) = self.state.get(store, key)? else { return Ok(None) };
        decode_stored(&bytes).map(Some).ok_or_else(|| corrupt(store))
    }

    /// Sets a key. An index that isn't below [`stores`](Self::stores) is ignored.
    pub fn put(&mut self, store: usize, key: Bytes, value: Stored) {
        self.write(store, key, Some(encode_stored(&value)));
    }

    /// Deletes a key. An index that isn't below [`stores`](Self::stores) is ignored.
    pub fn delete(&mut self, store: usize, key: Bytes) {
        self.write(store, key, None);
    }

    /// The first page of keys from `from` (inclusive) to `to` (exclusive; `None`: the last): about `max_bytes`, at most
    /// a megabyte, but at least one item. Each item also counts [`ITEM`](Page::ITEM) bytes.
    pub fn range(&self, store: usize, from: &[u8], to: Option<&[u8]>, max_bytes: usize) -> Result<Page, BackendError> {
        let store = self.store(store)?;
        let (mut page, most) = (Page::default(), max_bytes.min(Page::MAX_BYTES));
        let (mut bytes, mut readable) = (0, true);
        self.state.scan(store, from, to, &mut |key, value| {
            bytes += key.len() + value.len() + Page::ITEM;
            if !page.items.is_empty() && bytes > most {
                page.next = Some(Bytes::copy_from_slice(key));
                return Scan::Stop;
            }
            match decode_stored(&Bytes::copy_from_slice(value)) {
                Some(stored) => page.items.push((Bytes::copy_from_slice(key), stored)),
                None => readable = false,
            }
            if readable { Scan::Continue } else { Scan::Stop }
        })?;
        if readable { Ok(page) } else { Err(corrupt(store)) }
    }

    /// Whether the function may set timers, by its manifest.
    pub fn has_timers(&self) -> bool {
        self.timer_scope.is_some()
    }

    /// Sets a timer of the record's key, in place of one with the same name and clock. A timer for a past time is due
    /// at once: a stream-time timer after this record, or after the next record if a timer sets it; a timer of the
    /// driver's clock at the next tick. Fails also if the function has no timers.
    pub fn set_at(&mut self, name: &str, time: Timestamp, clock: Clock) -> Result<(), BackendError> {
        self.cancel(name, clock)?;
        let timer_scope = self.timer_scope.as_mut().ok_or_else(no_timers)?;
        let time = match timer_scope.cause {
            Cause::Wall(passed) if clock == Clock::Wall => time.max(passed.saturating_add(1)),
            _ => time,
        };
        let time = time.min(END_OF_TIME);
        let round = match timer_scope.cause {
            Cause::Stream(round) if clock == Clock::Stream && Some(time) <= timer_scope.timers.stream_time() => {
                Some(round)
            }
            _ => None,
        };
        let [by_time, by_name] = timers::keys(timer_scope.key.as_deref(), name, time, clock);
        let (store, origin) =
            (timer_scope.timers.store(), timer_scope.origin.as_ref().map(Origin::encode).unwrap_or_default());
        timer_scope.timers.added(time, clock);
        self.write_to(store, by_time, Some(origin));
        self.write_to(store, by_name, Some(timers::set_for(time, round)));
        Ok(())
    }

    /// Sets a timer for `delay` milliseconds after the step's stream time, or after the driver's clock when the record
    /// arrived or the timer fired. Otherwise like [`set_at`](Self::set_at).
    pub fn set_after(&mut self, name: &str, delay: u64, clock: Clock) -> Result<(), BackendError> {
        let timer_scope = self.timer_scope.as_ref().ok_or_else(no_timers)?;
        let now = match clock {
            Clock::Stream => timer_scope.timers.stream_time().unwrap_or(timer_scope.now),
            Clock::Wall => timer_scope.now,
        };
        self.set_at(name, now.saturating_add_unsigned(delay), clock)
    }

    /// Cancels a timer of the record's key, if it is set. Fails also if the function has no timers.
    pub fn cancel(&mut self, name: &str, clock: Clock) -> Result<(), BackendError> {
        let Some(time) = self.timer(name, clock)? else { return Ok(()) };
        let timer_scope = self.timer_scope.as_ref().ok_or_else(no_timers)?;
        let (store, keys) = (timer_scope.timers.store(), timers::keys(timer_scope.key.as_deref(), name, time, clock));
        keys.into_iter().for_each(|key| self.write_to(store, key, None));
        let timer_scope = self.timer_scope.as_mut().ok_or_else(no_timers)?;
        timer_scope.timers.removed(&self.state, time, clock)
    }

    /// The time for which a timer of the record's key is set, if it is set. Fails also if the function has no timers.
    pub fn timer(&self, name: &str, clock: Clock) -> Result<Option<Timestamp>, BackendError> {
        let timer_scope = self.timer_scope.as_ref().ok_or_else(no_timers)?;
        timer_scope.timers.time(&self.state, timer_scope.key.as_deref(), name, clock)
    }

    fn write(&mut self, store: usize, key: Bytes, value: Option<Bytes>) {
        if let Some(store) = self.stores.get(store).copied() {
            self.write_to(store, key, value);
        }
    }

    fn write_to(&mut self, store: StoreId, key: Bytes, value: Option<Bytes>) {
        let before = self.state.put(store, key.clone(), value);
        self.undo.push((store, key, before));
    }

    fn store(&self, index: usize) -> Result<StoreId, BackendError> {
        self.stores.get(index).copied().ok_or_else(|| BackendError {
            store: format!("number {index}"),
            reason: format!("the function has {} stores", self.stores.len()),
        })
    }
}

fn no_timers() -> BackendError {
    BackendError { store: "timers".into(), reason: "the function has no timers".into() }
}

fn corrupt(store: StoreId) -> BackendError {
    BackendError { store: format!("number {}", store.0), reason: "a value is shorter than its header".into() }
}
