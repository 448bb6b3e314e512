//! One side of a stream-stream join: records by key and time, kept for as long as a match can come.
//!
//! Live entries are in memory while they fit, and then a probe touches no database; entries that expire before their
//! transaction commits are never written at all. Past the limit the store reads and writes through the overlay. Both
//! ways give the same answers.

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::TaskState;
use super::keys::{CLOCK_KEY, decode_window_key, window_key};
use crate::ports::{BackendError, Scan, StoreId};
use crate::record::Timestamp;

/// The store of one side.
pub(crate) struct WindowStore {
    store: StoreId,
    retention: i64,
    /// Highest timestamp put, and the number of the next entry. Kept in the store too.
    clock: WindowClock,
    memory: Option<Memory>,
    limit: usize,
    /// The horizon at the last commit.
    committed_horizon: Timestamp,
    /// The clock at the last commit.
    committed_clock: WindowClock,
}

/// What a window store must know after a restart beside its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WindowClock {
    /// Highest timestamp put: the store's own stream time.
    observed: Timestamp,
    /// Number of the next entry: keeps duplicates apart and in order.
    next_sequence: u64,
}

impl Default for WindowClock {
    fn default() -> Self {
        Self { observed: Timestamp::MIN, next_sequence: 0 }
    }
}

impl WindowClock {
    fn encode(self) -> Bytes {
        let mut out = BytesMut::with_capacity(16);
        out.put_i64(self.observed);
        out.put_u64(self.next_sequence);
        out.freeze()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (observed, rest) = bytes.split_first_chunk::<8>()?;
        let next: [u8; 8] = rest.try_into().ok()?;
        Some(Self { observed: i64::from_be_bytes(*observed), next_sequence: u64::from_be_bytes(next) })
    }
}

impl WindowStore {
    /// Opens the store and loads its live entries, up to `limit` bytes.
    pub(crate) fn open(state: &TaskState, store: StoreId, retention: i64, limit: usize) -> Result<Self, BackendError> {
        let clock = state.get(store, &CLOCK_KEY)?.and_then(|bytes| WindowClock::decode(&bytes)).unwrap_or_default();
        let mut this = Self {
            store,
            retention,
            clock,
            memory: None,
            limit,
            committed_horizon: Timestamp::MIN,
            committed_clock: clock,
        };
        let mut memory = Memory::new(retention);
        let (horizon, mut fits) = (this.horizon(), true);
        state.scan(store, &[], None, &mut |entry, value| {
            if let Some((key, timestamp, sequence)) = decode_window_key(entry)
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

    pub(crate) fn id(&self) -> StoreId {
        self.store
    }

    /// Memory it holds, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.bytes)
    }

    /// Memory of the entries that wait for the next commit, in bytes, roughly.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.pending_bytes)
    }

    /// The first timestamp that is still kept. Kafka Streams bounds its reads so: `observed - retention + 1`.
    fn horizon(&self) -> Timestamp {
        self.clock.observed.saturating_sub(self.retention).saturating_add(1)
    }

    /// Puts a record, unless it is expired already. Tells whether it was kept.
    pub(crate) fn put(&mut self, state: &mut TaskState, key: &[u8], timestamp: Timestamp, value: &[u8]) -> bool {
        if timestamp > self.clock.observed {
            self.clock.observed = timestamp;
            let horizon = self.horizon();
            if let Some(memory) = &mut self.memory {
                memory.expire(horizon);
            }
        }
        if timestamp < self.horizon() {
            return false;
        }
        let entry = Entry::new(key, value, timestamp, self.clock.next_sequence);
        self.clock.next_sequence += 1;
        match &mut self.memory {
            Some(memory) => {
                memory.pending_bytes += entry.cost();
                memory.pending.push_back(entry.clone());
                memory.insert(entry);
                if memory.bytes > self.limit {
                    self.leave_memory(state);
                }
            }
            None => write(state, self.store, entry),
        }
        true
    }

    /// Visits the live entries of a key with timestamps in `[from, to]`, in the order of time, then of arrival.
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
        let end = window_key(key, to, u64::MAX);
        state.scan(self.store, &window_key(key, from, 0), Some(&end), &mut |entry, value| {
            if let Some((_, timestamp, _)) = decode_window_key(entry) {
                visit(timestamp, &Bytes::copy_from_slice(value));
            }
            Scan::Continue
        })
    }

    /// Moves what must be committed into the transaction. Called once, when it is prepared.
    pub(crate) fn prepare(&mut self, state: &mut TaskState) {
        let horizon = self.horizon();
        if let Some(memory) = &mut self.memory {
            memory.pending_bytes = 0;
            let live = memory.pending.drain(..).filter(|entry| entry.timestamp >= horizon);
            live.for_each(|entry| write(state, self.store, entry));
        }
        if self.clock.observed != Timestamp::MIN && horizon > self.committed_horizon {
            self.committed_horizon = horizon;
            state.expire(self.store, horizon);
        }
        if self.clock != self.committed_clock {
            self.committed_clock = self.clock;
            state.put(self.store, CLOCK_KEY, Some(self.clock.encode()));
        }
    }

    fn leave_memory(&mut self, state: &mut TaskState) {
        if let Some(memory) = self.memory.take() {
            memory.pending.into_iter().for_each(|entry| write(state, self.store, entry));
        }
    }
}

fn write(state: &mut TaskState, store: StoreId, entry: Entry) {
    state.put(store, window_key(&entry.key, entry.timestamp, entry.sequence), Some(entry.value));
}

/// A record of one side. Key and value are copied out of the batch they came in, which they would otherwise keep alive.
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

    /// Memory of an entry: its bytes, and what indexes and the allocator add.
    fn cost(&self) -> usize {
        self.key.len() + self.value.len() + 320
    }
}

/// All live entries, by key, and by time for expiry.
struct Memory {
    by_key: HashMap<Bytes, SmallVec<[Entry; 1]>>,
    /// Keys with entries in a slice of time, by the slice's number.
    slices: BTreeMap<i64, Vec<Bytes>>,
    slice: i64,
    /// Entries that no commit has seen yet.
    pending: VecDeque<Entry>,
    pending_bytes: usize,
    bytes: usize,
}

impl Memory {
    fn new(retention: i64) -> Self {
        let slice = (retention / 16).max(1);
        let (by_key, slices, pending) = (HashMap::new(), BTreeMap::new(), VecDeque::new());
        Self { by_key, slices, slice, pending, pending_bytes: 0, bytes: 0 }
    }

    fn insert(&mut self, entry: Entry) {
        self.bytes += entry.cost();
        let slice = |entry: &Entry| entry.timestamp.div_euclid(self.slice);
        let entries = self.by_key.entry_ref(&entry.key).or_default();
        let order = |entry: &Entry| (entry.timestamp, entry.sequence);
        let place = entries.partition_point(|other| order(other) <= order(&entry));
        // A slice names each of its keys once: the neighbours tell whether it does already.
        let neighbours = [place.checked_sub(1).and_then(|before| entries.get(before)), entries.get(place)];
        if !neighbours.into_iter().flatten().any(|neighbour| slice(neighbour) == slice(&entry)) {
            self.slices.entry(slice(&entry)).or_default().push(entry.key.clone());
        }
        entries.insert(place, entry);
    }

    /// Drops the slices that lie wholly before the horizon; reads check the rest.
    fn expire(&mut self, horizon: Timestamp) {
        let first = horizon.div_euclid(self.slice);
        while let Some(slice) = self.slices.first_entry()
            && *slice.key() < first
        {
            for key in slice.remove() {
                self.drop_expired(&key, horizon);
            }
        }
        // What has expired before its commit is never written. Stragglers behind a live entry go at the commit.
        while let Some(entry) = self.pending.pop_front_if(|entry| entry.timestamp < horizon) {
            self.pending_bytes -= entry.cost();
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
