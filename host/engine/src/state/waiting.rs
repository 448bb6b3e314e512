//! Records of a left or outer stream-stream join that have no match yet, in the order in which they come out: by
//! timestamp, then side, then key, then arrival (KAFKA-10847).
//!
//! When they come out is for Kafka Streams to say, whose clocks these are: the highest timestamp that either side has
//! had, and a lower bound of the timestamps here, which says when to look. That bound is the timestamp at which the last
//! look ended, and not the least one: so it decides what comes out when, and survives a restart with the records.
//!
//! All of them are also in memory while they fit. Writes go to the overlay, where one that is taken out before its commit
//! leaves nothing.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::TaskState;
use super::keys::{ordered, part, unordered};
use crate::ports::{BackendError, Scan, StoreId};
use crate::provenance::Origin;
use crate::record::Record;
use crate::record::{Header, Headers, Timestamp};
use crate::state::budget::Budget;
use crate::topology::JoinWindow;

/// A side of a join, as its place in the order says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Comes first where timestamps are the same.
    Right,
    Left,
}

/// A record that has waited in vain.
pub(crate) struct Unmatched {
    pub(crate) side: Side,
    pub(crate) record: Record,
    /// Where the record comes from.
    pub(crate) origin: Origin,
}

/// The records that wait.
pub(crate) struct Waiting {
    store: StoreId,
    clock: WaitingClock,
    memory: Option<BTreeMap<Bytes, Bytes>>,
    /// Where a look goes on that has left some for the next budget. After a restart it begins anew.
    resume: Option<Look>,
    /// Bytes of what is in memory.
    bytes: usize,
    limit: usize,
}

/// How far a look at the records has come.
#[derive(Default)]
struct Look {
    /// The next record, if it isn't the first.
    from: Option<Bytes>,
    /// Whether it has come by a record that is open yet, of each side. Behind both it is over.
    left_open: bool,
    right_open: bool,
}

/// What must be known after a restart beside the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitingClock {
    /// Highest timestamp of both sides, also of records that are left out.
    pub(crate) stream_time: Timestamp,
    /// While this is within its window, nobody looks.
    pub(crate) min_time: Timestamp,
    /// Number of the next record: keeps duplicates apart and in order.
    pub(crate) next_sequence: u64,
}

impl Default for WaitingClock {
    fn default() -> Self {
        Self { stream_time: -1, min_time: Timestamp::MAX, next_sequence: 0 }
    }
}

/// Bytes of a key here beside the record's key, if no byte of that is zero.
const KEY_OVERHEAD: usize = 1 + 8 + 1 + 1 + 8;

/// About what an entry costs in memory beside its bytes.
const ENTRY_OVERHEAD: usize = 128;

impl Waiting {
    /// Opens the waiting records of a store as their clock was at the last commit.
    pub(crate) fn open(
        state: &TaskState,
        store: StoreId,
        clock: WaitingClock,
        limit: usize,
    ) -> Result<Self, BackendError> {
        let mut this = Self { store, clock, memory: None, resume: None, bytes: 0, limit };
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

    pub(crate) fn clock(&self) -> WaitingClock {
        self.clock
    }

    /// Memory it holds, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.as_ref().map_or(0, |_| self.bytes)
    }

    /// Takes note of a record's time, whatever becomes of the record.
    pub(crate) fn observe(&mut self, timestamp: Timestamp) {
        self.clock.stream_time = self.clock.stream_time.max(timestamp);
    }

    /// Lengths of the key and value under which a record would wait.
    pub(crate) fn lengths(key: &[u8], value: &[u8], headers: &Headers, origin: &Origin) -> (usize, usize) {
        let zeros = key.iter().filter(|byte| **byte == 0).count();
        (key.len() + zeros + KEY_OVERHEAD, encoded_length(value, headers, origin))
    }

    /// Lets a record wait.
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
        state.put(self.store, place, Some(value));
    }

    /// Takes out all records of a side with this key and timestamp: a match has come.
    pub(crate) fn take(
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

    /// Whether a record at this moment has its look at what waits: one with the time of the join itself, on this side.
    pub(crate) fn looks(&self, side: Side, timestamp: Timestamp, window: JoinWindow) -> bool {
        let now = self.clock.stream_time;
        timestamp == now && !is_open(side, self.clock.min_time, (now, window))
    }

    /// Takes out the records that no match can come for any more, as many as go into the budget, where a record has its
    /// [look](Self::looks): `goes_on` with the one before, if that has left some. Gives also whether there are more.
    pub(crate) fn close(
        &mut self,
        state: &mut TaskState,
        window: JoinWindow,
        budget: &mut Budget,
        goes_on: bool,
    ) -> Result<(Vec<Unmatched>, bool), BackendError> {
        let moment = (self.clock.stream_time, window);
        // It ends at the last time that was visited, also where that was on another budget.
        let mut min_time = if goes_on { self.clock.min_time } else { Timestamp::MAX };
        let mut look = self.resume.take().filter(|_| goes_on).unwrap_or_default();
        let (mut closed, mut damaged, mut more) = (Vec::new(), false, None);
        let from = look.from.take().unwrap_or(Bytes::from_static(&[part::WAITING]));
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
            if look.left_open && look.right_open {
                return Scan::Stop;
            }
            match side {
                _ if !is_open(side, time, moment) => {
                    budget.take(key.len() + value.len());
                    closed.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
                }
                Side::Left => look.left_open = true,
                Side::Right => look.right_open = true,
            }
            Scan::Continue
        })?;
        self.clock.min_time = min_time;
        let unmatched = closed.iter().map(|(key, value)| decode(key, value)).collect::<Option<_>>();
        closed.iter().for_each(|(key, _)| self.remove(state, key));
        let unmatched = unmatched.filter(|_| !damaged).ok_or_else(|| BackendError {
            store: format!("number {}", self.store.0),
            reason: "a waiting record isn't one".into(),
        })?;
        let is_more = more.is_some();
        self.resume = more.map(|from| Look { from: Some(from), ..look });
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

    /// Each key is written once: one that the open transaction has written is in no earlier one.
    fn remove(&mut self, state: &mut TaskState, key: &Bytes) {
        if let Some(value) = self.memory.as_mut().and_then(|memory| memory.remove(key)) {
            self.bytes -= cost(key, &value);
        }
        match state.written(self.store, key) {
            Some(_) => state.forget(self.store, key),
            None => drop(state.put(self.store, key.clone(), None)),
        }
    }
}

/// Whether a match can still come for a record of this side and time, at a moment of the stream time.
fn is_open(side: Side, time: Timestamp, (now, window): (Timestamp, JoinWindow)) -> bool {
    let later = if side == Side::Left { window.after } else { window.before };
    time.saturating_add(later).saturating_add(window.grace) >= now
}

fn cost(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + ENTRY_OVERHEAD
}

/// A key without its sequence. Its end is marked by a zero, and a zero in it by `FF` behind it: so keys sort as their
/// bytes do, whatever follows.
fn prefix(timestamp: Timestamp, side: Side, key: &[u8]) -> BytesMut {
    let mut out = BytesMut::with_capacity(key.len() + KEY_OVERHEAD);
    out.put_u8(part::WAITING);
    out.put_u64(ordered(timestamp));
    out.put_u8(u8::from(side == Side::Left));
    for byte in key {
        out.put_u8(*byte);
        if *byte == 0 {
            out.put_u8(0xFF);
        }
    }
    out.put_u8(0);
    out
}

fn decode_prefix(key: &[u8]) -> Option<(Timestamp, Side)> {
    let (timestamp, rest) = key.get(1..)?.split_first_chunk::<8>()?;
    let side = if *rest.first()? == 0 { Side::Right } else { Side::Left };
    Some((unordered(u64::from_be_bytes(*timestamp)), side))
}

/// The record's key: what stands between the side and the zero that no `FF` follows.
fn decode_key(place: &[u8]) -> Option<Bytes> {
    let end = place.len().checked_sub(9)?;
    let mut key = BytesMut::with_capacity(end);
    let mut bytes = place.get(10..end)?.iter();
    while let Some(byte) = bytes.next() {
        key.put_u8(*byte);
        if *byte == 0 && bytes.next() != Some(&0xFF) {
            return None;
        }
    }
    Some(key.freeze())
}

fn encode(value: &[u8], headers: &Headers, origin: &Origin) -> Bytes {
    let mut out = BytesMut::with_capacity(encoded_length(value, headers, origin));
    let headers = headers.as_slice();
    put_bytes(&mut out, Some(&origin.encode()));
    out.put_u32(headers.len() as u32);
    for header in headers {
        put_bytes(&mut out, Some(&header.name));
        put_bytes(&mut out, header.value.as_ref());
    }
    out.put_slice(value);
    out.freeze()
}

/// Each of origin, headers' names and values, and number of headers has a length or number of four bytes.
fn encoded_length(value: &[u8], headers: &Headers, origin: &Origin) -> usize {
    8 + origin.encoded_length() + headers.size() + 8 * headers.as_slice().len() + value.len()
}

fn decode(place: &Bytes, value: &Bytes) -> Option<Unmatched> {
    let (timestamp, side) = decode_prefix(place)?;
    let mut rest = value.clone();
    let origin = Origin::decode(get_bytes(&mut rest)??)?;
    let count = rest.try_get_u32().ok()?;
    let headers = (0..count).map(|_| Some(Header { name: get_bytes(&mut rest)??, value: get_bytes(&mut rest)? }));
    let headers: Headers = headers.collect::<Option<Vec<_>>>()?.into();
    let record = Record { key: Some(decode_key(place)?), value: Some(rest), timestamp, headers, window: None };
    Some(Unmatched { side, record, origin })
}

/// Length plus one, then the bytes; 0 for null.
fn put_bytes(out: &mut BytesMut, bytes: Option<&Bytes>) {
    out.put_u32(bytes.map_or(0, |bytes| bytes.len() as u32 + 1));
    out.put_slice(bytes.map_or(&[], |bytes| bytes.as_ref()));
}

fn get_bytes(from: &mut Bytes) -> Option<Option<Bytes>> {
    let length = from.try_get_u32().ok()? as usize;
    match length.checked_sub(1) {
        None => Some(None),
        Some(length) if length <= from.len() => Some(Some(from.split_to(length))),
        Some(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::TimestampType;

    fn place(timestamp: Timestamp, side: Side, key: &[u8], sequence: u64) -> Bytes {
        let mut place = prefix(timestamp, side, key);
        place.put_u64(sequence);
        place.freeze()
    }

    #[test]
    fn places_sort_by_time_then_side_then_key_then_arrival_whatever_bytes_a_key_has() {
        let ordered = [
            (-1, Side::Left, b"z" as &[u8], 9),
            (0, Side::Right, b"z", 9),
            (0, Side::Left, b"", 9),
            (0, Side::Left, b"\0", 9),
            (0, Side::Left, b"\0\0", 9),
            (0, Side::Left, b"\0a", 9),
            (0, Side::Left, b"a", 2),
            (0, Side::Left, b"a", 300),
            (0, Side::Left, b"a\0", 1),
            (0, Side::Left, b"a\x01", 1),
            (0, Side::Left, b"ab", 0),
            (1, Side::Right, b"a", 0),
        ];
        let places: Vec<_> =
            ordered.iter().map(|(time, side, key, number)| place(*time, *side, key, *number)).collect();
        assert!(places.is_sorted());
        for (place, (time, side, key, _)) in places.iter().zip(ordered) {
            assert_eq!(decode_prefix(place), Some((time, side)));
            assert_eq!(decode_key(place).as_deref(), Some(key));
        }
    }

    #[test]
    fn a_record_that_waits_comes_out_as_it_was_with_its_origin() {
        let origin = Origin {
            topic: Bytes::from_static(b"payments"),
            partition: 3,
            offset: 41,
            timestamp: 7,
            timestamp_type: TimestampType::LogAppendTime,
        };
        let headers: Headers = vec![Header::new("trace", "abc"), Header { name: "null".into(), value: None }].into();
        let value = encode(b"value", &headers, &origin);
        let place = place(5, Side::Left, b"k\0ey", 0);
        assert_eq!(Waiting::lengths(b"k\0ey", b"value", &headers, &origin), (place.len(), value.len()));
        let found = decode(&place, &value).unwrap();
        assert_eq!((found.side, found.origin), (Side::Left, origin));
        assert_eq!(
            (found.record.key.as_deref(), found.record.value.as_deref()),
            (Some(b"k\0ey" as &[u8]), Some(b"value" as &[u8]))
        );
        assert_eq!((found.record.timestamp, found.record.headers), (5, headers));
        for length in 0..value.len() - b"value".len() {
            assert!(decode(&place, &value.slice(..length)).is_none());
        }
    }
}
