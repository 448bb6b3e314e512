//! Sections of bytes in the meta store, each in parts that fit into a record of the changelog.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use bytes::{BufMut, Bytes, BytesMut};

use crate::meta::{unfinished_run_key, unfinished_run_keys};
use crate::ports::{BackendError, Scan, StoreId};
use crate::state::TaskState;

/// Most bytes of a part.
const MAX_PART_BYTES: usize = 256 << 10;

/// The sections that the last commit has stored.
#[derive(Debug, Default)]
pub(super) struct StoredSections {
    /// The topic whose name the keys have. It may no longer be the first input.
    pub(super) topic: String,
    /// The digest of each part, by section.
    sections: BTreeMap<usize, Vec<u128>>,
}

impl StoredSections {
    /// Whether nothing is stored.
    pub(super) fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Loads what is stored under the name of a topic, with the sections' bytes; `None` in their place if a part is
    /// missing.
    pub(super) fn load(
        topic: &str,
        store: StoreId,
        state: &TaskState,
    ) -> Result<(Self, Option<BTreeMap<usize, Bytes>>), BackendError> {
        let mut parts = Self { topic: topic.to_owned(), sections: BTreeMap::new() };
        let (mut bytes, mut is_whole) = (BTreeMap::<usize, BytesMut>::new(), true);
        let (from, to) = unfinished_run_keys(topic);
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

    /// The lowest number, from `from` on, that is higher than every section's.
    pub(super) fn next(&self, from: usize) -> usize {
        self.sections.keys().next_back().map_or(from, |last| from.max(last.saturating_add(1)))
    }

    /// One more than the highest section number below `number`.
    pub(super) fn below(&self, number: usize) -> usize {
        self.sections.range(..number).next_back().map_or(0, |(last, _)| last.saturating_add(1))
    }

    /// Stores a section in place of the last one; empty bytes delete it. Writes only parts that have changed.
    /// `state_bytes` is the most that an entry may have.
    pub(super) fn store(
        &mut self,
        section: usize,
        bytes: &[u8],
        state_bytes: usize,
        (store, state): (StoreId, &mut TaskState),
    ) {
        let most =
            MAX_PART_BYTES.min(state_bytes.saturating_sub(unfinished_run_key(&self.topic, section, 0).len())).max(1);
        let before = self.sections.remove(&section).unwrap_or_default();
        let mut now = Vec::with_capacity(bytes.len().div_ceil(most));
        for (number, part) in bytes.chunks(most).enumerate() {
            now.push(digest(part));
            if before.get(number) != now.last() {
                state.put(store, unfinished_run_key(&self.topic, section, number), Some(Bytes::copy_from_slice(part)));
            }
        }
        for number in now.len()..before.len() {
            state.put(store, unfinished_run_key(&self.topic, section, number), None);
        }
        if !now.is_empty() {
            self.sections.insert(section, now);
        }
    }
}

/// Parts with the same digest count as equal.
fn digest(bytes: &[u8]) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(seed);
        hasher.write(bytes);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
