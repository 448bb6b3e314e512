//! Records of a left or outer stream-stream join that have no match yet, in the order in which the join emits them: by
//! timestamp, then side, then key, then arrival (KAFKA-10847).
//!
//! Two clocks decide when, as in Kafka Streams: the highest timestamp of both sides, and `min_time`, which says when to
//! scan. `min_time` is the timestamp at which the last scan ended, or that of a record added since, if lower; it need
//! not be the lowest one in here. It decides which records a scan emits, so it survives a restart with the records.
//!
//! All records are also in memory while they fit. Writes go to the overlay: a record that is removed before the commit
//! of its write leaves nothing there.

mod record;

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes};

use super::TaskState;
use super::keys::part;
use crate::ports::{BackendError, Scan, StoreId};
use crate::provenance::Origin;
use crate::record::Record;
use crate::record::Timestamp;
use crate::state::budget::Budget;
use crate::topology::JoinWindow;
pub(crate) use record::{Side, UnmatchedRecord, entry_lengths};
use record::{decode, decode_prefix, encode, prefix};

/// The unmatched records of a join.
pub(crate) struct UnmatchedRecords {
    store: StoreId,
    clock: UnmatchedClock,
    memory: Option<BTreeMap<Bytes, Bytes>>,
    /// Where the next scan resumes, if the budget has ended the last one. A restart forgets it.
    cursor: Option<UnmatchedCursor>,
    /// Bytes of the entries in memory.
    bytes: usize,
    limit: usize,
}

/// How far a scan of the records has come.
#[derive(Default)]
struct UnmatchedCursor {
    /// The next record, if it isn't the first.
    from: Option<Bytes>,
    /// Whether the scan has passed a record whose window is open, on each side. After both, it ends.
    left_open: bool,
    right_open: bool,
}

/// The clocks of the unmatched records, which must survive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnmatchedClock {
    /// Highest timestamp of both sides, dropped records included.
    pub(crate) stream_time: Timestamp,
    /// No scan is needed while the window of a record with this timestamp is open.
    pub(crate) min_time: Timestamp,
    /// Sequence number of the next record: it keeps duplicates apart, in order.
    pub(crate) next_sequence: u64,
}

impl Default for UnmatchedClock {
    fn default() -> Self {
        Self { stream_time: -1, min_time: Timestamp::MAX, next_sequence: 0 }
    }
}

/// About what an entry costs in memory beside its bytes.
const ENTRY_OVERHEAD: usize = 128;

impl UnmatchedRecords {
    /// Opens the unmatched records of a store, with their clock at the last commit.
    pub(crate) fn open(
        state: &TaskState,
        store: StoreId,
        clock: UnmatchedClock,
        limit: usize,
    ) -> Result<Self, BackendError> {
        let mut this = Self { store, clock, memory: None, cursor: None, bytes: 0, limit };
        let (mut memory, mut fits) = (BTreeMap::new(), true);
        state.scan(store, &[part::WAITING], Some(&[part::WAITING + 1]), &mut |key, value| {
            this.bytes += cost(key, value);
            fits = this.bytes <= limit;
            memory.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            if fits { Scan::Continue } else { Scan::Stop }
        })?;
        this.memory = fits.then_some(memory);
        Ok(this)
    }

    pub(crate) fn clock(&self) -> UnmatchedClock {
        self.clock
    }

    /// Advances stream time to a record's timestamp, even if the record is dropped.
    pub(crate) fn observe(&mut self, timestamp: Timestamp) {
        self.clock.stream_time = self.clock.stream_time.max(timestamp);
    }

    /// Adds a record.
    pub(crate) fn put(&mut self, state: &mut TaskState, side: Side, record: &Record, origin: &Origin) {
        let (Some(key), Some(value)) = (&record.key, &record.value) else { return };
        self.clock.min_time = self.clock.min_time.min(record.timestamp);
        let mut place = prefix(record.timestamp, side, key);
        place.put_u64(self.clock.next_sequence);
        self.clock.next_sequence += 1;
        let (place, value) = (place.freeze(), encode(value, &record.headers, origin));
        if let Some(memory) = &mut self.memory {
            self.bytes += cost(&place, &value);
            memory.insert(place.clone(), value.clone());
            if self.bytes > self.limit {
                self.memory = None;
            }
        }
        // Each key has a sequence number of its own.
        state.put_new(self.store, place, value);
    }

    /// Removes all records of a side with this key and timestamp: a match has arrived.
    pub(crate) fn remove_matched(
        &mut self,
        state: &mut TaskState,
        side: Side,
        key: &[u8],
        timestamp: Timestamp,
    ) -> Result<(), BackendError> {
        let from = prefix(timestamp, side, key);
        let mut to = from.clone();
        to.put_u64(self.clock.next_sequence);
        let mut found = Vec::new();
        self.visit(state, &from, &to, &mut |key, _| {
            found.push(Bytes::copy_from_slice(key));
            Scan::Continue
        })?;
        found.iter().for_each(|key| self.remove(state, key));
        Ok(())
    }

    /// Whether a record of this side and timestamp starts a scan: its timestamp is the join's stream time, and a record
    /// with `min_time` would have expired.
    pub(crate) fn is_scan_due(&self, side: Side, timestamp: Timestamp, window: JoinWindow) -> bool {
        let now = self.clock.stream_time;
        timestamp == now && !is_open(side, self.clock.min_time, (now, window))
    }

    /// Removes and returns the records that can't match any more, up to the budget, and whether there are more. To be
    /// called where [a scan is due](Self::is_scan_due), and with `resumes` to go on with a scan that the budget has
    /// ended.
    pub(crate) fn take_expired(
        &mut self,
        state: &mut TaskState,
        window: JoinWindow,
        budget: &mut Budget,
        resumes: bool,
    ) -> Result<(Vec<UnmatchedRecord>, bool), BackendError> {
        let moment = (self.clock.stream_time, window);
        // The timestamp at which the scan ends, whatever number of budgets it takes.
        let mut min_time = if resumes { self.clock.min_time } else { Timestamp::MAX };
        let mut cursor = self.cursor.take().filter(|_| resumes).unwrap_or_default();
        let (mut expired, mut damaged, mut more) = (Vec::new(), false, None);
        let from = cursor.from.take().unwrap_or(Bytes::from_static(&[part::WAITING]));
        self.visit(state, &from, &[part::WAITING + 1], &mut |key, value| {
            if budget.is_full() {
                more = Some(Bytes::copy_from_slice(key));
                return Scan::Stop;
            }
            let Some((time, side)) = decode_prefix(key) else {
                damaged = true;
                return Scan::Stop;
            };
            min_time = time;
            if cursor.left_open && cursor.right_open {
                return Scan::Stop;
            }
            match side {
                _ if !is_open(side, time, moment) => {
                    budget.take(key.len() + value.len());
                    expired.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
                }
                Side::Left => cursor.left_open = true,
                Side::Right => cursor.right_open = true,
            }
            Scan::Continue
        })?;
        self.clock.min_time = min_time;
        let unmatched = expired.iter().map(|(key, value)| decode(key, value)).collect::<Option<_>>();
        expired.iter().for_each(|(key, _)| self.remove(state, key));
        let unmatched = unmatched.filter(|_| !damaged).ok_or_else(|| BackendError {
            store: format!("number {}", self.store.0),
            reason: "an unmatched record can't be decoded".into(),
        })?;
        let is_more = more.is_some();
        self.cursor = more.map(|from| UnmatchedCursor { from: Some(from), ..cursor });
        Ok((unmatched, is_more))
    }

    fn visit(
        &self,
        state: &TaskState,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        let Some(memory) = &self.memory else { return state.scan(self.store, from, Some(to), visit) };
        for (key, value) in memory.range::<[u8], _>((std::ops::Bound::Included(from), std::ops::Bound::Excluded(to))) {
            if visit(key, value) == Scan::Stop {
                break;
            }
        }
        Ok(())
    }

    fn remove(&mut self, state: &mut TaskState, key: &Bytes) {
        if let Some(value) = self.memory.as_mut().and_then(|memory| memory.remove(key)) {
            self.bytes -= cost(key, &value);
        }
        state.put(self.store, key.clone(), None);
    }
}

/// Whether a record of this side and timestamp can still match, when stream time is `now`.
fn is_open(side: Side, time: Timestamp, (now, window): (Timestamp, JoinWindow)) -> bool {
    let later = if side == Side::Left { window.after } else { window.before };
    time.saturating_add(later).saturating_add(window.grace) >= now
}

fn cost(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + ENTRY_OVERHEAD
}
