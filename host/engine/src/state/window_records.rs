//! One side of a stream-stream join: records by key and time, until they can't match any more. It is a
//! [part](super::keys::part) of a store, whose owner writes the clock.
//!
//! Live entries are in memory while they fit: then a probe reads no database, and entries that expire before the commit
//! are never written. Past the limit, the store reads and writes through the overlay. Both ways have the same results.

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::TaskState;
use super::keys::{decode_window_key, window_key};
use crate::ports::{BackendError, Scan, StoreId};
use crate::record::Timestamp;

/// The records of one side.
pub(crate) struct WindowRecords {
    store: StoreId,
    part: u8,
    retention: i64,
    clock: WindowClock,
    memory: Option<LiveEntries>,
    limit: usize,
}

/// The clock of one side, which must survive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowClock {
    /// Stream time of the side: the highest timestamp put.
    pub(crate) observed: Timestamp,
    /// Sequence number of the next entry: it keeps duplicates apart, in order.
    pub(crate) next_sequence: u64,
}

impl Default for WindowClock {
    fn default() -> Self {
        Self { observed: Timestamp::MIN, next_sequence: 0 }
    }
}

impl WindowRecords {
    /// Opens a part of a store with its clock at the last commit, and loads live entries, up to `limit` bytes.
    pub(crate) fn open(
        state: &TaskState,
        (store, part): (StoreId, u8),
        clock: WindowClock,
        retention: i64,
        limit: usize,
    ) -> Result<Self, BackendError> {
        let mut this = Self { store, part, retention, clock, memory: None, limit };
        let mut memory = LiveEntries::new(retention);
        let (horizon, mut fits) = (this.horizon(), true);
        state.scan(store, &[part], Some(&[part + 1]), &mut |entry, value| {
            if let Some((_, key, timestamp, sequence)) = decode_window_key(entry)
                && timestamp >= horizon
            {
                memory.insert(Entry::new(key, value, timestamp, sequence));
                fits = memory.bytes <= limit;
            }
            if fits { Scan::Continue } else { Scan::Stop }
        })?;
        this.memory = fits.then_some(memory);
        Ok(this)
    }

    pub(crate) fn clock(&self) -> WindowClock {
        self.clock
    }

    /// Memory of entries that aren't in the transaction yet, in bytes, roughly.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.unwritten_bytes)
    }

    /// The lowest live timestamp: `observed - retention + 1`, as in Kafka Streams.
    pub(crate) fn horizon(&self) -> Timestamp {
        self.clock.observed.saturating_sub(self.retention).saturating_add(1)
    }

    /// Advances stream time to a record's timestamp, even if the record isn't put.
    pub(crate) fn observe(&mut self, timestamp: Timestamp) {
        if timestamp > self.clock.observed {
            self.clock.observed = timestamp;
            let horizon = self.horizon();
            if let Some(memory) = &mut self.memory {
                memory.expire(horizon);
            }
        }
    }

    /// Puts a record, unless it has expired. Returns whether it was put.
    pub(crate) fn put(&mut self, state: &mut TaskState, key: &[u8], timestamp: Timestamp, value: &[u8]) -> bool {
        self.observe(timestamp);
        if timestamp < self.horizon() {
            return false;
        }
        let entry = Entry::new(key, value, timestamp, self.clock.next_sequence);
        self.clock.next_sequence += 1;
        match &mut self.memory {
            Some(memory) => {
                memory.unwritten_bytes += entry.cost();
                memory.unwritten.push_back(entry.clone());
                memory.insert(entry);
                if memory.bytes > self.limit {
                    self.spill(state);
                }
            }
            None => write(state, (self.store, self.part), entry),
        }
        true
    }

    /// Visits live entries of a key with timestamps in `[from, to]`, in the order of time, then arrival.
    pub(crate) fn fetch(
        &self,
        state: &TaskState,
        key: &[u8],
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(Timestamp, &Bytes),
    ) -> Result<(), BackendError> {
        let from = from.max(self.horizon());
        if from > to {
            return Ok(());
        }
        if let Some(memory) = &self.memory {
            let entries = memory.by_key.get(key).map(SmallVec::as_slice).unwrap_or_default();
            let first = entries.partition_point(|entry| entry.timestamp < from);
            let inside = entries.iter().skip(first).take_while(|entry| entry.timestamp <= to);
            inside.for_each(|entry| visit(entry.timestamp, &entry.value));
            return Ok(());
        }
        let (first, end) = (window_key(self.part, key, from, 0), window_key(self.part, key, to, u64::MAX));
        state.scan(self.store, &first, Some(&end), &mut |entry, value| {
            if let Some((_, _, timestamp, _)) = decode_window_key(entry) {
                visit(timestamp, &Bytes::copy_from_slice(value));
            }
            Scan::Continue
        })
    }

    /// Writes entries that are still in memory to the transaction. Called once per commit.
    pub(crate) fn prepare(&mut self, state: &mut TaskState) {
        let (place, horizon) = ((self.store, self.part), self.horizon());
        if let Some(memory) = &mut self.memory {
            memory.unwritten_bytes = 0;
            let live = memory.unwritten.drain(..).filter(|entry| entry.timestamp >= horizon);
            live.for_each(|entry| write(state, place, entry));
        }
    }

    /// Continues through the overlay, because the entries exceed the limit.
    fn spill(&mut self, state: &mut TaskState) {
        if let Some(memory) = self.memory.take() {
            memory.unwritten.into_iter().for_each(|entry| write(state, (self.store, self.part), entry));
        }
    }
}

fn write(state: &mut TaskState, (store, part): (StoreId, u8), entry: Entry) {
    state.put(store, window_key(part, &entry.key, entry.timestamp, entry.sequence), Some(entry.value));
}

/// A record of one side, with copies of its key and value: slices would keep the whole fetched batch in memory.
#[derive(Clone)]
struct Entry {
    key: Bytes,
    value: Bytes,
    timestamp: Timestamp,
    sequence: u64,
}

impl Entry {
    fn new(key: &[u8], value: &[u8], timestamp: Timestamp, sequence: u64) -> Self {
        let mut both = BytesMut::with_capacity(key.len() + value.len());
        both.put_slice(key);
        both.put_slice(value);
        let mut value = both.freeze();
        let key = value.split_to(key.len());
        Self { key, value, timestamp, sequence }
    }

    /// Memory of an entry: its bytes, and about what indexes and the allocator add.
    fn cost(&self) -> usize {
        self.key.len() + self.value.len() + 320
    }
}

/// All live entries, by key, and by time for their expiry.
struct LiveEntries {
    by_key: HashMap<Bytes, SmallVec<[Entry; 1]>>,
    /// Keys with entries in a slice of time, by the number of the slice.
    slices: BTreeMap<i64, Vec<Bytes>>,
    /// Length of a slice.
    slice: i64,
    /// Entries that aren't in the transaction yet.
    unwritten: VecDeque<Entry>,
    unwritten_bytes: usize,
    bytes: usize,
}

impl LiveEntries {
    fn new(retention: i64) -> Self {
        let slice = (retention / 16).max(1);
        let (by_key, slices, unwritten) = (HashMap::new(), BTreeMap::new(), VecDeque::new());
        Self { by_key, slices, slice, unwritten, unwritten_bytes: 0, bytes: 0 }
    }

    fn insert(&mut self, entry: Entry) {
        self.bytes += entry.cost();
        let slice = |entry: &Entry| entry.timestamp.div_euclid(self.slice);
        let entries = self.by_key.entry_ref(&entry.key).or_default();
        let order = |entry: &Entry| (entry.timestamp, entry.sequence);
        let place = entries.partition_point(|other| order(other) <= order(&entry));
        // A slice has each key once. It has this key already if a neighbour is in the same slice.
        let neighbours = [place.checked_sub(1).and_then(|before| entries.get(before)), entries.get(place)];
        if !neighbours.into_iter().flatten().any(|neighbour| slice(neighbour) == slice(&entry)) {
            self.slices.entry(slice(&entry)).or_default().push(entry.key.clone());
        }
        entries.insert(place, entry);
    }

    /// Drops slices that end before the horizon. Reads check the timestamps of the others.
    fn expire(&mut self, horizon: Timestamp) {
        let first = horizon.div_euclid(self.slice);
        while let Some(slice) = self.slices.first_entry()
            && *slice.key() < first
        {
            for key in slice.remove() {
                self.drop_expired(&key, horizon);
            }
        }
        // Entries that expire before the commit are never written. `prepare` drops those that are behind a live entry.
        while let Some(entry) = self.unwritten.pop_front_if(|entry| entry.timestamp < horizon) {
            self.unwritten_bytes -= entry.cost();
        }
    }

    fn drop_expired(&mut self, key: &Bytes, horizon: Timestamp) {
        let Some(entries) = self.by_key.get_mut(key) else { return };
        let live = entries.partition_point(|entry| entry.timestamp < horizon);
        self.bytes -= entries.drain(..live).map(|entry| entry.cost()).sum::<usize>();
        if entries.is_empty() {
            self.by_key.remove(key);
        }
    }
}
