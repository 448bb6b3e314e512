//! Layout of keys and values in stores. Numbers are big-endian, so that keys sort by them.
//!
//! | store | key | value |
//! |---|---|---|
//! | key-value | key | state version u32, bytes |
//! | aggregate | key | state version u32, timestamp i64, state |
//! | table | key | timestamp i64, value; of a result with a window, timestamp with its second highest bit set, start i64, end i64, value |
//! | window | part u8, length of key u32, key, timestamp i64 with its sign bit flipped, sequence u64 | value |
//! | unmatched record | part u8, timestamp as above, side u8, key with its end marked, sequence u64 | origin, headers, value |
//! | any with a clock | [`CLOCK_KEY`] | as the store has it |
//! | timers | see `timers/entry.rs` | |
//! | meta | name | as the name says |

use bytes::{BufMut, Bytes, BytesMut};

use crate::ports::Stored;
use crate::record::{Timestamp, Window};

/// A value with its state version.
pub fn encode_stored(stored: &Stored) -> Bytes {
    let mut out = BytesMut::with_capacity(4 + stored.bytes.len());
    out.put_u32(stored.version);
    out.put_slice(&stored.bytes);
    out.freeze()
}

/// The value of a key-value store; `None` if it is damaged.
pub fn decode_stored(bytes: &Bytes) -> Option<Stored> {
    let version = u32::from_be_bytes(*bytes.first_chunk()?);
    Some(Stored { version, bytes: bytes.slice(4..) })
}

/// Bytes of an aggregate's value beside the state.
pub(crate) const AGGREGATE_OVERHEAD: usize = 4 + 8;

/// State of an aggregate, with the highest timestamp of its records.
pub fn encode_aggregate(timestamp: Timestamp, stored: &Stored) -> Bytes {
    let mut out = BytesMut::with_capacity(AGGREGATE_OVERHEAD + stored.bytes.len());
    out.put_u32(stored.version);
    out.put_i64(timestamp);
    out.put_slice(&stored.bytes);
    out.freeze()
}

/// Timestamp and state of an aggregate; `None` if the value is damaged.
pub fn decode_aggregate(bytes: &Bytes) -> Option<(Timestamp, Stored)> {
    let version = u32::from_be_bytes(*bytes.first_chunk()?);
    let timestamp = i64::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
    Some((timestamp, Stored { version, bytes: bytes.slice(12..) }))
}

/// The state version of an entry of a function's store; `None` for the store's own clock, and if it is damaged.
pub fn version_of(key: &[u8], value: &[u8]) -> Option<u32> {
    let version = value.first_chunk().filter(|_| key != CLOCK_KEY);
    version.map(|version| u32::from_be_bytes(*version))
}

/// This bit of a row's timestamp says that the bounds of a window follow. No valid time has it: see
/// [`END_OF_TIME`](crate::record::END_OF_TIME).
const WINDOWED: Timestamp = 1 << 62;

/// A row of a table, with its window if it is the result of one.
pub fn encode_row(timestamp: Timestamp, window: Option<Window>, value: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(8 + window.map_or(0, |_| 16) + value.len());
    match window {
        // A row of a global table may have any time.
        None => out.put_i64(timestamp.min(WINDOWED - 1)),
        // A negative time would hide the bit, and results with windows have none.
        Some(Window { start, end }) => {
            [timestamp.max(0) | WINDOWED, start, end].into_iter().for_each(|time| out.put_i64(time))
        }
    }
    out.put_slice(value);
    out.freeze()
}

/// Timestamp and value of a table's row; `None` if it is damaged.
pub fn decode_row(bytes: &Bytes) -> Option<(Timestamp, Bytes)> {
    let timestamp = i64::from_be_bytes(*bytes.first_chunk()?);
    match is_windowed(timestamp) {
        false => Some((timestamp, bytes.slice(8..))),
        true => window_of_row(bytes).map(|_| (timestamp ^ WINDOWED, bytes.slice(24..))),
    }
}

/// The window of a table's row, if it has one.
pub fn window_of_row(bytes: &Bytes) -> Option<Window> {
    let (timestamp, rest) = bytes.split_first_chunk()?;
    let (start, rest) = rest.split_first_chunk()?;
    let window = Window { start: i64::from_be_bytes(*start), end: i64::from_be_bytes(*rest.first_chunk()?) };
    is_windowed(i64::from_be_bytes(*timestamp)).then_some(window)
}

fn is_windowed(timestamp: Timestamp) -> bool {
    timestamp >= WINDOWED
}

/// The key of a store's own clock: empty, which no other key of such a store is. The clock is in the store itself,
/// because on Kafka each partition that a transaction writes costs a request.
pub const CLOCK_KEY: Bytes = Bytes::new();

/// Parts of a window store, by the first byte of a key. A join has both sides in one store, because on Kafka each
/// partition that a transaction writes costs a request. Windows of aggregates use the first part only.
pub mod part {
    /// Records of the left side, and entries without sides.
    pub const LEFT: u8 = 0;
    /// Records of the right side.
    pub const RIGHT: u8 = 1;
    /// Unmatched records of both sides, in the order of time.
    pub const WAITING: u8 = 2;
}

/// Flips the sign bit, so that negative numbers sort below positive ones.
pub(crate) fn ordered(timestamp: Timestamp) -> u64 {
    (timestamp as u64) ^ (1 << 63)
}

/// The inverse of [`ordered`].
pub(crate) fn unordered(ordered: u64) -> Timestamp {
    (ordered ^ (1 << 63)) as Timestamp
}

/// Bytes of a window store's key beside the record's key.
pub(crate) const WINDOW_KEY_OVERHEAD: usize = 1 + 4 + 8 + 8;

/// The key of a window store's entry in a [`part`] that isn't [`WAITING`](part::WAITING).
pub fn window_key(part: u8, key: &[u8], timestamp: Timestamp, sequence: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(key.len() + WINDOW_KEY_OVERHEAD);
    out.put_u8(part);
    out.put_u32(key.len() as u32);
    out.put_slice(key);
    out.put_u64(ordered(timestamp));
    out.put_u64(sequence);
    out.freeze()
}

/// Part, key, timestamp and sequence of a window store's key. `None` if it is damaged, or the key of an unmatched
/// record, which doesn't expire.
pub fn decode_window_key(bytes: &[u8]) -> Option<(u8, &[u8], Timestamp, u64)> {
    let (part, rest) = bytes.split_first().filter(|(part, _)| **part < part::WAITING)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (timestamp, rest) = rest.split_first_chunk::<8>()?;
    let sequence: [u8; 8] = rest.try_into().ok()?;
    Some((*part, key, unordered(u64::from_be_bytes(*timestamp)), u64::from_be_bytes(sequence)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::END_OF_TIME;

    #[test]
    fn window_keys_sort_by_part_then_key_then_time_then_sequence() {
        let ordered = [
            (part::LEFT, b"a" as &[u8], -5, 0),
            (part::LEFT, b"a", 0, 1),
            (part::LEFT, b"a", 7, 0),
            (part::LEFT, b"a", 7, 1),
            (part::LEFT, b"b", -9, 0),
            (part::LEFT, b"aa", 0, 0),
            (part::RIGHT, b"a", -9, 0),
        ];
        let keys: Vec<_> =
            ordered.iter().map(|(part, key, time, number)| window_key(*part, key, *time, *number)).collect();
        assert!(keys.is_sorted());
        for (key, expected) in keys.iter().zip(ordered) {
            assert_eq!(decode_window_key(key), Some(expected));
        }
    }

    #[test]
    fn a_row_keeps_the_window_of_its_result() {
        let value = Bytes::from_static(b"v");
        for window in [None, Some(Window { start: -5, end: 60_000 })] {
            for timestamp in [0, 9, END_OF_TIME] {
                let row = encode_row(timestamp, window, &value);
                assert_eq!((decode_row(&row), window_of_row(&row)), (Some((timestamp, value.clone())), window));
            }
        }
        for timestamp in [-1, i64::MIN] {
            let row = encode_row(timestamp, None, &value);
            assert_eq!((decode_row(&row), window_of_row(&row)), (Some((timestamp, value.clone())), None));
        }
        let row = encode_row(i64::MAX, None, &value);
        assert_eq!((decode_row(&row), window_of_row(&row)), (Some(((1 << 62) - 1, value)), None));
    }

    #[test]
    fn truncated_values_are_not_decoded() {
        let stored = Stored { version: 3, bytes: Bytes::from_static(b"state") };
        assert_eq!(decode_stored(&encode_stored(&stored)), Some(stored.clone()));
        assert_eq!(decode_aggregate(&encode_aggregate(-1, &stored)), Some((-1, stored)));
        assert_eq!(decode_row(&encode_row(9, None, b"v")), Some((9, Bytes::from_static(b"v"))));
        assert_eq!(decode_row(&encode_row(9, Some(Window { start: -1, end: 2 }), b"v").slice(..23)), None);
        for length in 0..4 {
            let short = Bytes::from(vec![0; length]);
            assert_eq!(decode_stored(&short), None);
            assert_eq!(decode_row(&short), None);
            assert_eq!(decode_aggregate(&short), None);
            assert_eq!(decode_window_key(&short), None);
        }
    }
}
