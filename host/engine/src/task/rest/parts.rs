//! Sections of bytes in the meta store, each in parts that no topic finds too large.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use bytes::{BufMut, Bytes, BytesMut};

use crate::meta::{rest_key, rest_keys};
use crate::ports::{BackendError, Scan, StoreId};
use crate::state::TaskState;

/// Most bytes of a part.
const PART: usize = 256 << 10;

/// Where the run that wasn't done at the last commit is kept.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The topic under whose name. It may no longer be the first that is read.
    pub(super) topic: String,
    /// What the parts of each section are known by.
    sections: BTreeMap<usize, Vec<u128>>,
}

impl Parts {
    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// What is kept under the name of a topic, with the sections themselves. None if they aren't whole.
    pub(super) fn load(
        topic: &str,
        store: StoreId,
        state: &TaskState,
    ) -> Result<(Self, Option<BTreeMap<usize, Bytes>>), BackendError> {
        let mut parts = Self { topic: topic.to_owned(), sections: BTreeMap::new() };
        let (mut bytes, mut is_whole) = (BTreeMap::<usize, BytesMut>::new(), true);
        let (from, to) = rest_keys(topic);
        state.scan(store, &from, Some(&to), &mut |key, part| {
            let place = std::str::from_utf8(key.get(from.len()..).unwrap_or_default()).ok().and_then(|place| {
                let (section, part) = place.split_once('-').unwrap_or(("0", place));
                Some((usize::from_str_radix(section, 16).ok()?, usize::from_str_radix(part, 16).ok()?))
            });
            let (section, number) = place.unwrap_or((usize::MAX, usize::MAX));
            let digests = parts.sections.entry(section).or_default();
            is_whole &= number == digests.len();
            digests.push(digest(part));
            bytes.entry(section).or_default().put_slice(part);
            Scan::Continue
        })?;
        let sections = bytes.into_iter().map(|(section, bytes)| (section, bytes.freeze()));
        Ok((parts, is_whole.then(|| sections.collect())))
    }

    /// A number that no section has, from this one on.
    pub(super) fn next(&self, from: usize) -> usize {
        self.sections.keys().next_back().map_or(from, |last| from.max(last.saturating_add(1)))
    }

    /// How many sections there are below a number, if none is left out.
    pub(super) fn below(&self, number: usize) -> usize {
        self.sections.range(..number).next_back().map_or(0, |(last, _)| last.saturating_add(1))
    }

    /// Keeps a section in place of the one that was kept, or none: writes the parts that have changed. `state_bytes` is the
    /// most that an entry may have.
    pub(super) fn keep(
        &mut self,
        section: usize,
        bytes: &[u8],
        state_bytes: usize,
        (store, state): (StoreId, &mut TaskState),
    ) {
        let most = PART.min(state_bytes.saturating_sub(rest_key(&self.topic, section, 0).len())).max(1);
        let before = self.sections.remove(&section).unwrap_or_default();
        let mut now = Vec::with_capacity(bytes.len().div_ceil(most));
        for (number, part) in bytes.chunks(most).enumerate() {
            now.push(digest(part));
            if before.get(number) != now.last() {
                state.put(store, rest_key(&self.topic, section, number), Some(Bytes::copy_from_slice(part)));
            }
        }
        for number in now.len()..before.len() {
            state.put(store, rest_key(&self.topic, section, number), None);
        }
        if !now.is_empty() {
            self.sections.insert(section, now);
        }
    }
}

/// Two parts with the same digest are the same.
fn digest(bytes: &[u8]) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(seed);
        hasher.write(bytes);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
