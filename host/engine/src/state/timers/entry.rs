//! The entries of a timer store.
//!
//! Each timer is two entries, written together:
//!
//! | key | value |
//! |---|---|
//! | `T`, clock, time with its sign bit flipped, record key, name | origin of the record that set it |
//! | `N`, clock, record key, name | time; number of the round in which it was set, if it was already due |
//!
//! The record key is a byte that says whether there is one, then its bytes with an end that sorts below all other
//! bytes: so entries of the first kind are in the order in which timers fire. The form differs from that of [unmatched
//! records](crate::state::unmatched), and stays: both are on disk.

use bytes::{BufMut, Bytes, BytesMut};

use crate::ports::Clock;
use crate::record::Timestamp;
use crate::state::keys::{ordered, unordered};

/// A timer that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    /// Key of its entry by time.
    pub(crate) entry: Bytes,
    pub(crate) key: Option<Bytes>,
    pub(crate) name: String,
    pub(crate) time: Timestamp,
    pub(crate) clock: Clock,
    /// Encoded [`Origin`](crate::provenance::Origin) of the record that set it.
    pub(crate) origin: Bytes,
}

/// The two keys of a timer: by time, and by name.
pub(in crate::state) fn keys(key: Option<&[u8]>, name: &str, time: Timestamp, clock: Clock) -> [Bytes; 2] {
    let mut by_time = first_key(clock, time);
    put_names(&mut by_time, key, name);
    [by_time.freeze(), by_name(key, name, clock)]
}

/// The value of a timer's entry by name.
pub(in crate::state) fn set_for(time: Timestamp, round: Option<u64>) -> Bytes {
    let mut out = BytesMut::with_capacity(16);
    out.put_i64(time);
    round.into_iter().for_each(|round| out.put_u64(round));
    out.freeze()
}

const BY_TIME: u8 = b'T';
const BY_NAME: u8 = b'N';

/// The first key of a clock's timers for a time, or later.
pub(super) fn first_key(clock: Clock, time: Timestamp) -> BytesMut {
    let mut out = BytesMut::with_capacity(64);
    out.put_slice(&[BY_TIME, number(clock)]);
    out.put_u64(ordered(time));
    out
}

/// The end of the keys of a clock's timers.
pub(super) fn end_of(clock: Clock) -> [u8; 2] {
    [BY_TIME, number(clock) + 1]
}

pub(super) fn by_name(key: Option<&[u8]>, name: &str, clock: Clock) -> Bytes {
    let mut out = BytesMut::with_capacity(64);
    out.put_slice(&[BY_NAME, number(clock)]);
    put_names(&mut out, key, name);
    out.freeze()
}

/// Clock and name of a timer of this record key, from its entry by name; `None` for other entries.
pub(in crate::state) fn named(key: Option<&[u8]>, entry: &[u8]) -> Option<(Clock, String)> {
    [Clock::Stream, Clock::Wall].into_iter().find_map(|clock| {
        let name = entry.strip_prefix(&*by_name(key, "", clock))?;
        Some((clock, String::from_utf8_lossy(name).into_owned()))
    })
}

fn number(clock: Clock) -> u8 {
    match clock {
        Clock::Stream => 0,
        Clock::Wall => 1,
    }
}

/// A zero byte in a record key, and the end of a record key.
const ZERO: [u8; 2] = [0, 1];
const END: [u8; 2] = [0, 0];

fn put_names(out: &mut BytesMut, key: Option<&[u8]>, name: &str) {
    out.put_u8(u8::from(key.is_some()));
    for byte in key.unwrap_or_default() {
        match byte {
            0 => out.put_slice(&ZERO),
            other => out.put_u8(*other),
        }
    }
    out.put_slice(&END);
    out.put_slice(name.as_bytes());
}

/// The timer of an entry by time; `None` for other entries.
pub(super) fn decode(entry: &[u8], origin: &[u8]) -> Option<Timer> {
    let rest = entry.strip_prefix(&[BY_TIME])?;
    let (clock, rest) = rest.split_first()?;
    let clock = if *clock == number(Clock::Stream) { Clock::Stream } else { Clock::Wall };
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (has_key, mut rest) = rest.split_first()?;
    let mut key = Vec::with_capacity(rest.len());
    let name = loop {
        let zero = rest.iter().position(|byte| *byte == 0)?;
        let (part, behind) = rest.split_at(zero);
        key.extend_from_slice(part);
        match behind.split_first_chunk()? {
            (&END, name) => break name,
            (_, more) => {
                key.push(0);
                rest = more;
            }
        }
    };
    Some(Timer {
        entry: Bytes::copy_from_slice(entry),
        key: (*has_key == 1).then(|| key.into()),
        name: std::str::from_utf8(name).ok()?.to_owned(),
        time: unordered(u64::from_be_bytes(*time)),
        clock,
        origin: Bytes::copy_from_slice(origin),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_timers_sort_by_time_then_key_then_name_and_are_decoded_as_encoded() {
        let stream = Clock::Stream;
        let all: [(Option<&[u8]>, &str, i64, Clock); 10] = [
            (Some(b"z"), "late", i64::MIN, stream),
            (None, "", -1, stream),
            (None, "b", -1, stream),
            (Some(b""), "z", -1, stream),
            (Some(b"\0"), "a", -1, stream),
            (Some(b"\0\0"), "a", -1, stream),
            (Some(b"\0\x01"), "a", -1, stream),
            (Some(b"a"), "z", -1, stream),
            (Some(b"aa"), "a", -1, stream),
            (Some(b"a"), "a", 0, Clock::Wall),
        ];
        let keys = all.map(|(key, name, time, clock)| keys(key, name, time, clock));
        assert!(keys.is_sorted_by(|[a, _], [b, _]| a < b));
        for ([by_time, by_name], (key, name, time, clock)) in keys.iter().zip(all) {
            let timer = decode(by_time, b"origin").unwrap();
            let key = key.map(Bytes::copy_from_slice);
            let (entry, origin) = (by_time.clone(), Bytes::from_static(b"origin"));
            assert_eq!(timer, Timer { entry, key, name: name.into(), time, clock, origin });
            assert_eq!(decode(by_name, b""), None);
        }
        let names: std::collections::BTreeSet<_> = keys.iter().map(|[_, by_name]| by_name).collect();
        assert_eq!(names.len(), all.len(), "the keys by name are unique");
    }
}
