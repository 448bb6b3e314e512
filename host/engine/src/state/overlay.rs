//! The writes of an open transaction to one store.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use crate::ports::Scan;

/// Writes to a store since the last commit: keys with their new values, `None` for deleted keys.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    entries: BTreeMap<Bytes, Option<Bytes>>,
    bytes: usize,
}

/// An entry of the overlay before a write: `None` if it was absent, `Some(None)` if deleted.
pub(crate) type PreviousWrite = Option<Option<Bytes>>;

/// About what an entry costs beside its key and value.
const ENTRY_OVERHEAD: usize = 96;

impl Overlay {
    /// `Some(None)` if the transaction has deleted the key, `None` if it hasn't written it.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.entries.get(key)
    }

    /// Writes a key, and returns the entry before.
    pub(crate) fn put(&mut self, key: Bytes, value: Option<Bytes>) -> PreviousWrite {
        let length = key.len();
        self.bytes += size(length, &value);
        let before = self.entries.insert(key, value);
        if let Some(old) = &before {
            self.bytes -= size(length, old);
        }
        before
    }

    /// Restores the entry of a key from before a write.
    pub(crate) fn restore(&mut self, key: Bytes, before: PreviousWrite) {
        match before {
            Some(value) => drop(self.put(key, value)),
            None => {
                if let Some(old) = self.entries.remove(&key) {
                    self.bytes -= size(key.len(), &old);
                }
            }
        }
    }

    /// Memory of the entries, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes all entries, in the order of their keys.
    pub(crate) fn drain(&mut self) -> Vec<(Bytes, Option<Bytes>)> {
        self.bytes = 0;
        std::mem::take(&mut self.entries).into_iter().collect()
    }

    /// Entries of a range, for merging with committed entries.
    pub(crate) fn range(&self, from: &[u8], to: Option<&[u8]>) -> OverlayRange<'_> {
        let upper = to.map_or(Bound::Unbounded, Bound::Excluded);
        let empty = to.is_some_and(|to| to <= from);
        let range = (!empty).then(|| self.entries.range::<[u8], _>((Bound::Included(from), upper)));
        OverlayRange { entries: range.into_iter().flatten().peekable() }
    }
}

fn size(key: usize, value: &Option<Bytes>) -> usize {
    key + value.as_ref().map_or(0, Bytes::len) + ENTRY_OVERHEAD
}

type RangeEntries<'a> =
    std::iter::Flatten<std::option::IntoIter<std::collections::btree_map::Range<'a, Bytes, Option<Bytes>>>>;

/// A range of the overlay that is being merged with committed entries.
pub(crate) struct OverlayRange<'a> {
    entries: std::iter::Peekable<RangeEntries<'a>>,
}

impl OverlayRange<'_> {
    /// Visits entries before a committed one, then the committed one unless it is overwritten.
    pub(crate) fn merge(&mut self, key: &[u8], value: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan) -> Scan {
        while let Some((ours, new)) = self.entries.next_if(|(ours, _)| ours.as_ref() <= key) {
            if let Some(new) = new
                && visit(ours, new) == Scan::Stop
            {
                return Scan::Stop;
            }
            if ours.as_ref() == key {
                return Scan::Continue;
            }
        }
        visit(key, value)
    }

    /// Visits the entries after the last committed one.
    pub(crate) fn finish(&mut self, visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan) {
        for (key, value) in self.entries.by_ref() {
            if let Some(value) = value
                && visit(key, value) == Scan::Stop
            {
                return;
            }
        }
    }
}
