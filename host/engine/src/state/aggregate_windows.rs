//! The store of an aggregate's windows: what its keys mean, its clocks, and what can still be seen in it.
//!
//! Kafka Streams' window stores have a stream time of their own, the highest time that was put, and show nothing that
//! is older than their retention. Some answers hang on that, so it is the same here. Unlike there, the clocks are
//! written with the state, and a restart doesn't set them back.

use bytes::{BufMut, Bytes, BytesMut};

use super::TaskState;
use super::keys::{CLOCK_KEY, decode_window_key, ordered, part, unordered, window_key};
use crate::ports::{BackendError, StoreId};
use crate::record::{Timestamp, Window};
use crate::topology::{Emit, WindowKind, Windows};

/// The store of one step, without its entries.
pub(crate) struct AggregateWindows {
    pub(crate) store: StoreId,
    /// With final results: the windows that are open, in the order of their ends.
    pub(crate) open: Option<StoreId>,
    pub(crate) windows: Windows,
    pub(crate) emit: Emit,
    retention: i64,
    pub(crate) clock: AggregateClock,
    /// No open window ends before this: nothing has to be looked up until time comes here.
    pub(crate) earliest: Timestamp,
    /// The first of the open windows that are yet to be closed at the time of the last record, if some are.
    pub(crate) resume: Option<Bytes>,
    committed_clock: AggregateClock,
    committed_horizon: Timestamp,
}

/// What a store of windows must know after a restart beside its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AggregateClock {
    /// Stream time: the highest timestamp that the step has seen.
    pub(crate) time: Timestamp,
    /// The highest time that was put into the store.
    pub(crate) observed: Timestamp,
    /// Windows that end before this have closed.
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
    /// Opens the store with the clocks of its last commit.
    pub(crate) fn open(
        state: &TaskState,
        (store, open): (StoreId, Option<StoreId>),
        windows: Windows,
        emit: Emit,
        retention: i64,
    ) -> Result<Self, BackendError> {
        let clock = state.get(store, &CLOCK_KEY)?.and_then(|bytes| AggregateClock::decode(&bytes)).unwrap_or_default();
        let (earliest, committed_horizon) = (Timestamp::MIN, Timestamp::MIN);
        let (resume, committed_clock) = (None, clock);
        Ok(Self { store, open, windows, emit, retention, clock, earliest, resume, committed_clock, committed_horizon })
    }

    /// The first time that can be seen in the store. Where a store is read in the order of time, which is where final
    /// results are asked of it, Kafka Streams shows one millisecond more; but not of sessions.
    pub(crate) fn horizon(&self, clock: &AggregateClock) -> Timestamp {
        let by_time = self.emit == Emit::Final && !matches!(self.windows.kind, WindowKind::Session { .. });
        clock.observed.saturating_sub(self.retention).saturating_add(i64::from(!by_time))
    }

    /// Windows that end before this are closed at a moment of the clock: they take no records any more.
    pub(crate) fn close(&self, clock: &AggregateClock) -> Timestamp {
        let close = clock.time.saturating_sub(self.windows.grace);
        match self.windows.kind {
            // The end is exclusive.
            WindowKind::Hopping { .. } => close.saturating_add(1),
            WindowKind::Sliding { .. } => close,
            WindowKind::Session { gap } => close.saturating_sub(gap),
        }
    }

    /// No window that has yet to put out a final result is kept under an earlier time than this.
    fn earliest_open(&self) -> Timestamp {
        match (self.open, self.windows.kind) {
            (None, _) => Timestamp::MAX,
            (Some(_), WindowKind::Hopping { size, .. }) => self.clock.closed.saturating_sub(size),
            (Some(_), WindowKind::Sliding { difference }) => self.clock.closed.saturating_sub(difference),
            (Some(_), WindowKind::Session { .. }) => self.clock.closed,
        }
    }

    /// Moves what must be committed into the transaction. Called once, when it is prepared.
    pub(crate) fn prepare(&mut self, state: &mut TaskState) {
        if self.clock == self.committed_clock {
            return;
        }
        self.committed_clock = self.clock;
        state.put(self.store, CLOCK_KEY, Some(self.clock.encode()));
        // A session that can't be seen any more, but isn't closed, has yet to come out; and so has any window that is open,
        // however far time has jumped ahead of those that have come out.
        let horizon = self.horizon(&self.clock).min(self.close(&self.clock)).min(self.earliest_open());
        if horizon > self.committed_horizon {
            self.committed_horizon = horizon;
            state.expire(self.store, [horizon, Timestamp::MIN]);
        }
    }
}

/// The key of a window's state. A window of fixed length is kept under its start, and a session under its end, so that
/// it expires when it should.
pub(crate) fn entry_key(kind: WindowKind, key: &[u8], window: Window) -> Bytes {
    match kind {
        WindowKind::Session { .. } => window_key(part::LEFT, key, window.end, ordered(window.start)),
        WindowKind::Hopping { .. } | WindowKind::Sliding { .. } => window_key(part::LEFT, key, window.start, 0),
    }
}

/// Where the entries of a key with this time and later ones begin.
pub(crate) fn entries_from(key: &[u8], time: Timestamp) -> Bytes {
    window_key(part::LEFT, key, time, 0)
}

/// Where the entries of a key with this time and earlier ones end. No window has the last sequence number.
pub(crate) fn entries_to(key: &[u8], time: Timestamp) -> Bytes {
    window_key(part::LEFT, key, time, u64::MAX)
}

/// The key of the records of an entry, and its window.
pub(crate) fn entry_of(kind: WindowKind, entry: &[u8]) -> Option<(&[u8], Window)> {
    let (_, key, time, sequence) = decode_window_key(entry)?;
    let window = match kind {
        WindowKind::Hopping { size, .. } => Window { start: time, end: time.saturating_add(size) },
        WindowKind::Sliding { difference } => Window { start: time, end: time.saturating_add(difference) },
        WindowKind::Session { .. } => Window { start: unordered(sequence), end: time },
    };
    Some((key, window))
}

/// The time that a window is kept under.
pub(crate) fn time_of(kind: WindowKind, window: Window) -> Timestamp {
    if matches!(kind, WindowKind::Session { .. }) { window.end } else { window.start }
}

/// The key of an open window: they lie in the order in which Kafka Streams puts final results out.
pub(crate) fn open_key(key: &[u8], window: Window) -> Bytes {
    let mut out = BytesMut::with_capacity(16 + key.len());
    out.put_u64(ordered(window.end));
    out.put_u64(ordered(window.start));
    out.put_slice(key);
    out.freeze()
}

/// Where the open windows begin that end at this time or later.
pub(crate) fn open_from(end: Timestamp) -> Bytes {
    Bytes::copy_from_slice(&ordered(end).to_be_bytes())
}

/// The window of an open window's key, and the key of its records.
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
    fn keys_say_which_window_they_are_of() {
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
    fn clocks_come_back_as_they_were_written() {
        let clock = AggregateClock { time: 9, observed: -1, closed: i64::MAX };
        assert_eq!(AggregateClock::decode(&clock.encode()), Some(clock));
        assert_eq!(AggregateClock::decode(&[0; 23]), None);
    }
}
