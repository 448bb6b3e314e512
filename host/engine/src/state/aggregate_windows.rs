//! The store of an aggregate's windows: its keys, its clocks, and its expiry.
//!
//! A window store of Kafka Streams has a stream time of its own, the highest time put, and hides entries that are older
//! than its retention. Some results depend on that, so it is the same here. Unlike there, the clocks are committed with
//! the state, and a restart doesn't set them back.

use bytes::{BufMut, Bytes, BytesMut};

use super::TaskState;
use super::keys::{CLOCK_KEY, decode_window_key, ordered, part, unordered, window_key};
use super::window_cache::{CachedKey, MOST_WINDOWS, WindowCache};
use crate::ports::{BackendError, Scan, StoreId};
use crate::record::{Timestamp, Window};
use crate::topology::{Emit, WindowKind, Windows};

/// The clocks and settings of a step's store. The entries are in the task's state.
pub(crate) struct AggregateWindows {
    pub(crate) store: StoreId,
    /// With final results: the store of open windows, in the order of their ends.
    pub(crate) open: Option<StoreId>,
    pub(crate) windows: Windows,
    pub(crate) emit: Emit,
    retention: i64,
    pub(crate) clock: AggregateClock,
    /// No open window ends before this time, so no scan is needed until then.
    pub(crate) earliest: Timestamp,
    /// The first open window that has yet to be closed at the current stream time, if the budget has ended a scan.
    pub(crate) resume: Option<Bytes>,
    cache: WindowCache,
    committed_clock: AggregateClock,
    committed_horizon: Timestamp,
}

/// The clocks of an aggregate's windows, which must survive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AggregateClock {
    /// Stream time of the step: the highest timestamp that it has processed.
    pub(crate) time: Timestamp,
    /// Stream time of the store: the highest time of an entry put.
    pub(crate) observed: Timestamp,
    /// Windows that end before this time have closed.
    pub(crate) closed: Timestamp,
}

impl Default for AggregateClock {
    fn default() -> Self {
        Self { time: -1, observed: -1, closed: 0 }
    }
}

impl AggregateClock {
    fn encode(self) -> Bytes {
        let mut out = BytesMut::with_capacity(24);
        for time in [self.time, self.observed, self.closed] {
            out.put_i64(time);
        }
        out.freeze()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk::<8>()?;
        let (observed, rest) = rest.split_first_chunk::<8>()?;
        let closed: [u8; 8] = rest.try_into().ok()?;
        let [time, observed, closed] = [*time, *observed, closed].map(i64::from_be_bytes);
        Some(Self { time, observed, closed })
    }
}

impl AggregateWindows {
    /// Opens the store with its clocks at the last commit, and caches up to about `memory` bytes of its windows.
    pub(crate) fn open(
        state: &TaskState,
        (store, open): (StoreId, Option<StoreId>),
        (windows, emit): (Windows, Emit),
        retention: i64,
        memory: usize,
    ) -> Result<Self, BackendError> {
        let clock = state.get(store, &CLOCK_KEY)?.and_then(|bytes| AggregateClock::decode(&bytes)).unwrap_or_default();
        let (earliest, committed_horizon) = (Timestamp::MIN, Timestamp::MIN);
        // A record's hopping windows are looked up one by one. For these a cache costs more than it saves: most of them
        // are in the open transaction or in the database's own memory.
        let memory = if matches!(windows.kind, WindowKind::Hopping { .. }) { 0 } else { memory };
        let (resume, committed_clock, cache) = (None, clock, WindowCache::new(windows.kind, memory));
        Ok(Self {
            store,
            open,
            windows,
            emit,
            retention,
            clock,
            earliest,
            resume,
            cache,
            committed_clock,
            committed_horizon,
        })
    }

    /// The value of a window in the store, also if it has expired.
    pub(crate) fn get(&self, state: &TaskState, key: &[u8], window: Window) -> Result<Option<Bytes>, BackendError> {
        state.get(self.store, &entry_key(self.windows.kind, key, window))
    }

    /// Visits the windows of a key in the store, each with its value, whose times are in `[from, to]`, in the order of
    /// time. None of these times may have expired.
    pub(crate) fn visit(
        &mut self,
        state: &TaskState,
        key: &[u8],
        (from, to): (Timestamp, Timestamp),
        visit: &mut dyn FnMut(Window, &dyn Fn() -> Bytes) -> Scan,
    ) -> Result<(), BackendError> {
        let kind = self.windows.kind;
        let mut from_cache = |windows: &[(Window, Bytes)]| {
            for (window, value) in windows {
                let time = time_of(kind, *window);
                if time > to || (time >= from && visit(*window, &|| value.clone()) == Scan::Stop) {
                    break;
                }
            }
        };
        match self.cache.key(key) {
            Some(CachedKey(Some(windows))) => {
                from_cache(windows);
                return Ok(());
            }
            Some(CachedKey(None)) => {}
            None => {
                self.fill(state, key)?;
                if let Some(CachedKey(Some(windows))) = self.cache.key(key) {
                    from_cache(windows);
                    return Ok(());
                }
            }
        }
        self.scan(state, key, (from, to), visit)
    }

    /// Caches all visible windows of a key.
    fn fill(&mut self, state: &TaskState, key: &[u8]) -> Result<(), BackendError> {
        if self.cache.is_off() {
            return Ok(());
        }
        let (mut windows, from) = (Vec::new(), self.horizon(&self.clock));
        let (mut bytes, most_bytes) = (0, self.cache.most_bytes());
        self.scan(state, key, (from, Timestamp::MAX), &mut |window, value| {
            let value = value();
            bytes += value.len();
            windows.push((window, value));
            if bytes > most_bytes || windows.len() > MOST_WINDOWS { Scan::Stop } else { Scan::Continue }
        })?;
        let fits = bytes <= most_bytes && windows.len() <= MOST_WINDOWS;
        self.cache.insert(key, CachedKey(fits.then_some(windows)));
        Ok(())
    }

    fn scan(
        &self,
        state: &TaskState,
        key: &[u8],
        (from, to): (Timestamp, Timestamp),
        visit: &mut dyn FnMut(Window, &dyn Fn() -> Bytes) -> Scan,
    ) -> Result<(), BackendError> {
        let (first, end) = (entries_from(key, from), entries_to(key, to));
        state.scan(self.store, &first, Some(&end), &mut |entry, value| match entry_of(self.windows.kind, entry) {
            Some((_, window)) => visit(window, &|| Bytes::copy_from_slice(value)),
            None => Scan::Continue,
        })
    }

    /// Writes the state of a window, or deletes it.
    pub(crate) fn put(&mut self, state: &mut TaskState, key: &[u8], window: Window, value: Option<Bytes>) {
        let was_absent = self.cache.write(key, window, value.clone(), self.horizon(&self.clock));
        let is_absent = was_absent && self.is_visible(window);
        let entry = || entry_key(self.windows.kind, key, window);
        match value {
            Some(value) if is_absent => state.put_new(self.store, entry(), value),
            None if is_absent => state.delete_absent(),
            value => drop(state.put(self.store, entry(), value)),
        }
    }

    /// Whether the store shows a window, if it has it.
    fn is_visible(&self, window: Window) -> bool {
        time_of(self.windows.kind, window) >= self.horizon(&self.clock)
    }

    /// The lowest live time in the store. For final results, which read a store in the order of time, Kafka Streams
    /// keeps one millisecond more, except for sessions.
    pub(crate) fn horizon(&self, clock: &AggregateClock) -> Timestamp {
        let by_time = self.emit == Emit::Final && !matches!(self.windows.kind, WindowKind::Session { .. });
        clock.observed.saturating_sub(self.retention).saturating_add(i64::from(!by_time))
    }

    /// Windows that end before this time are closed, by these clocks.
    pub(crate) fn close(&self, clock: &AggregateClock) -> Timestamp {
        let close = clock.time.saturating_sub(self.windows.grace);
        match self.windows.kind {
            // The end of a hopping window is exclusive.
            WindowKind::Hopping { .. } => close.saturating_add(1),
            WindowKind::Sliding { .. } => close,
            WindowKind::Session { gap } => close.saturating_sub(gap),
        }
    }

    /// The lowest time of an entry whose window waits for a final result.
    fn earliest_open(&self) -> Timestamp {
        match (self.open, self.windows.kind) {
            (None, _) => Timestamp::MAX,
            (Some(_), WindowKind::Hopping { size, .. }) => self.clock.closed.saturating_sub(size),
            (Some(_), WindowKind::Sliding { difference }) => self.clock.closed.saturating_sub(difference),
            (Some(_), WindowKind::Session { .. }) => self.clock.closed,
        }
    }

    /// Writes the clocks to the transaction, and expires entries. Called once per commit.
    pub(crate) fn prepare(&mut self, state: &mut TaskState) {
        if self.clock == self.committed_clock {
            return;
        }
        self.committed_clock = self.clock;
        state.put(self.store, CLOCK_KEY, Some(self.clock.encode()));
        // A window that waits for a final result must not expire on disk, however far time has jumped: neither an open
        // one nor an expired session that isn't closed.
        let horizon = self.horizon(&self.clock).min(self.close(&self.clock)).min(self.earliest_open());
        if horizon > self.committed_horizon {
            self.committed_horizon = horizon;
            state.expire(self.store, [horizon, Timestamp::MIN]);
        }
    }
}

/// The key of a window's state: with the start of a window of fixed length, and the end of a session, so that it
/// expires in time.
pub(crate) fn entry_key(kind: WindowKind, key: &[u8], window: Window) -> Bytes {
    match kind {
        WindowKind::Session { .. } => window_key(part::LEFT, key, window.end, ordered(window.start)),
        WindowKind::Hopping { .. } | WindowKind::Sliding { .. } => window_key(part::LEFT, key, window.start, 0),
    }
}

/// The first key of a record key's entries with this time or later.
pub(crate) fn entries_from(key: &[u8], time: Timestamp) -> Bytes {
    window_key(part::LEFT, key, time, 0)
}

/// The end of a record key's entries with this time or earlier. No entry has the last sequence number.
pub(crate) fn entries_to(key: &[u8], time: Timestamp) -> Bytes {
    window_key(part::LEFT, key, time, u64::MAX)
}

/// The record key and the window of an entry.
pub(crate) fn entry_of(kind: WindowKind, entry: &[u8]) -> Option<(&[u8], Window)> {
    let (_, key, time, sequence) = decode_window_key(entry)?;
    let window = match kind {
        WindowKind::Hopping { size, .. } => Window { start: time, end: time.saturating_add(size) },
        WindowKind::Sliding { difference } => Window { start: time, end: time.saturating_add(difference) },
        WindowKind::Session { .. } => Window { start: unordered(sequence), end: time },
    };
    Some((key, window))
}

/// The time in the key of a window.
pub(crate) fn time_of(kind: WindowKind, window: Window) -> Timestamp {
    if matches!(kind, WindowKind::Session { .. }) { window.end } else { window.start }
}

/// The order of a key's windows: that of their entries.
pub(crate) fn order_of(kind: WindowKind, window: Window) -> (Timestamp, Timestamp) {
    (time_of(kind, window), window.start)
}

/// The place of a window in a list in the order of time, or the place where it would be.
pub(crate) fn place<T>(windows: &[(Window, T)], kind: WindowKind, window: Window) -> Result<usize, usize> {
    windows.binary_search_by_key(&order_of(kind, window), |(window, _)| order_of(kind, *window))
}

/// The key of an open window. The keys sort in the order of Kafka Streams' final results.
pub(crate) fn open_key(key: &[u8], window: Window) -> Bytes {
    let mut out = BytesMut::with_capacity(16 + key.len());
    out.put_u64(ordered(window.end));
    out.put_u64(ordered(window.start));
    out.put_slice(key);
    out.freeze()
}

/// The first key of open windows that end at this time or later.
pub(crate) fn open_from(end: Timestamp) -> Bytes {
    Bytes::copy_from_slice(&ordered(end).to_be_bytes())
}

/// The window and the record key of an open window's key.
pub(crate) fn opened(entry: &[u8]) -> Option<(Window, &[u8])> {
    let (end, rest) = entry.split_first_chunk::<8>()?;
    let (start, key) = rest.split_first_chunk::<8>()?;
    let [end, start] = [*end, *start].map(|time| unordered(u64::from_be_bytes(time)));
    Some((Window { start, end }, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_contain_their_window() {
        let window = Window { start: 7, end: 17 };
        for kind in [
            WindowKind::Hopping { size: 10, every: 5 },
            WindowKind::Sliding { difference: 10 },
            WindowKind::Session { gap: 10 },
        ] {
            assert_eq!(entry_of(kind, &entry_key(kind, b"key", window)), Some((b"key".as_slice(), window)));
            let time = time_of(kind, window);
            let entry = entry_key(kind, b"key", window);
            assert!(entries_from(b"key", time) <= entry && entry < entries_to(b"key", time));
            assert!(entry < entries_from(b"key", time + 1));
        }
        assert_eq!(opened(&open_key(b"key", window)), Some((window, b"key".as_slice())));
        assert!(open_from(17) <= open_key(b"", window) && open_key(b"\xff\xff", window) < open_from(18));
    }

    #[test]
    fn clocks_are_decoded_as_they_were_encoded() {
        let clock = AggregateClock { time: 9, observed: -1, closed: i64::MAX };
        assert_eq!(AggregateClock::decode(&clock.encode()), Some(clock));
        assert_eq!(AggregateClock::decode(&[0; 23]), None);
    }
}
