//! An unmatched record, and its bytes in the store of a join.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::provenance::Origin;
use crate::record::{Header, Headers, Record, Timestamp};
use crate::state::keys::{ordered, part, unordered};

/// A side of a join. Compares as the order of unmatched records with the same timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Right,
    Left,
}

/// A record without a match.
pub(crate) struct UnmatchedRecord {
    pub(crate) side: Side,
    pub(crate) record: Record,
    pub(crate) origin: Origin,
}

/// Bytes of an entry's key beside the record's key, if that has no zero byte.
const KEY_OVERHEAD: usize = 1 + 8 + 1 + 1 + 8;

/// Lengths of the key and value of a record's entry.
pub(crate) fn entry_lengths(key: &[u8], value: &[u8], headers: &Headers, origin: &Origin) -> (usize, usize) {
    let zeros = key.iter().filter(|byte| **byte == 0).count();
    (key.len() + zeros + KEY_OVERHEAD, encoded_length(value, headers, origin))
}

/// An entry's key without its sequence number. A zero byte ends the record's key, and `FF` follows each zero byte
/// within it: so entries sort by the bytes of the record's key. The form differs from that of
/// [timers](crate::state::timers), and stays: both are on disk.
pub(super) fn prefix(timestamp: Timestamp, side: Side, key: &[u8]) -> BytesMut {
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

pub(super) fn decode_prefix(key: &[u8]) -> Option<(Timestamp, Side)> {
    let (timestamp, rest) = key.get(1..)?.split_first_chunk::<8>()?;
    let side = if *rest.first()? == 0 { Side::Right } else { Side::Left };
    Some((unordered(u64::from_be_bytes(*timestamp)), side))
}

/// The record's key.
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

pub(super) fn encode(value: &[u8], headers: &Headers, origin: &Origin) -> Bytes {
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

/// The origin, each header's name and value, and the number of headers have four bytes each of length or number.
fn encoded_length(value: &[u8], headers: &Headers, origin: &Origin) -> usize {
    8 + origin.encoded_length() + headers.size() + 8 * headers.as_slice().len() + value.len()
}

pub(super) fn decode(place: &Bytes, value: &Bytes) -> Option<UnmatchedRecord> {
    let (timestamp, side) = decode_prefix(place)?;
    let mut rest = value.clone();
    let origin = Origin::decode(get_bytes(&mut rest)??)?;
    let count = rest.try_get_u32().ok()?;
    let headers = (0..count).map(|_| Some(Header { name: get_bytes(&mut rest)??, value: get_bytes(&mut rest)? }));
    let headers: Headers = headers.collect::<Option<Vec<_>>>()?.into();
    let record = Record { key: Some(decode_key(place)?), value: Some(rest), timestamp, headers, window: None };
    Some(UnmatchedRecord { side, record, origin })
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
    fn entries_sort_by_time_then_side_then_key_then_arrival_for_all_bytes_in_a_key() {
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
    fn an_unmatched_record_is_decoded_as_it_was_encoded_with_its_origin() {
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
        assert_eq!(entry_lengths(b"k\0ey", b"value", &headers, &origin), (place.len(), value.len()));
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
