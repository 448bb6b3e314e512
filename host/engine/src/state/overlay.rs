//! The writes of an open transaction to one store.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use crate::ports::Scan;

/// Writes to a store since the last commit, by key.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    entries: BTreeMap<Bytes, Write>,
    bytes: usize,
}

/// The last write of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// The new value, `None` if the key is deleted.
    value: Option<Bytes>,
    /// The committed state has no such key, so a deletion leaves no trace.
    is_new: bool,
}

impl Write {
    /// Whether the committed state has no such key.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }
}

/// An entry of the overlay before a write, `None` if it was absent.
pub(crate) type PreviousWrite = Option<Write>;

/// About what an entry costs beside its key and value.
const ENTRY_OVERHEAD: usize = 96;

impl Overlay {
    /// `Some(None)` if the transaction has deleted the key, `None` if it hasn't written it.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.entries.get(key).map(|write| &write.value)
    }

    /// Writes a key, and returns the entry before.
    pub(crate) fn put(&mut self, key: Bytes, value: Option<Bytes>) -> PreviousWrite {
        let is_new = self.entries.get(&key).is_some_and(|write| write.is_new);
        self.write(key, Write { value, is_new })
    }

    /// Writes a key that neither the committed state nor the open transaction has.
    pub(crate) fn put_new(&mut self, key: Bytes, value: Bytes) {
        // If the transaction has deleted the key, the committed state has it.
        let is_new = self.entries.get(&key).is_none_or(|write| write.is_new);
        self.write(key, Write { value: Some(value), is_new });
    }

    /// Restores the entry of a key from before a write.
    pub(crate) fn restore(&mut self, key: Bytes, before: PreviousWrite) {
        match before {
            Some(write) => drop(self.write(key, write)),
            None => drop(self.remove(&key)),
        }
    }

    fn write(&mut self, key: Bytes, write: Write) -> PreviousWrite {
        if write.is_new && write.value.is_none() {
            return self.remove(&key);
        }
        let length = key.len();
        self.bytes += size(length, &write.value);
        let before = self.entries.insert(key, write);
        self.bytes -= before.as_ref().map_or(0, |old| size(length, &old.value));
        before
    }

    fn remove(&mut self, key: &Bytes) -> PreviousWrite {
        let before = self.entries.remove(key);
        self.bytes -= before.as_ref().map_or(0, |old| size(key.len(), &old.value));
        before
    }

    /// Memory of the entries, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes all entries, in the order of their keys.
    pub(crate) fn drain(&mut self) -> Vec<(Bytes, Option<Bytes>)> {
        self.bytes = 0;
        std::mem::take(&mut self.entries).into_iter().map(|(key, write)| (key, write.value)).collect()
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

type RangeEntries<'a> = std::iter::Flatten<std::option::IntoIter<std::collections::btree_map::Range<'a, Bytes, Write>>>;

/// A range of the overlay that is being merged with committed entries.
pub(crate) struct OverlayRange<'a> {
    entries: std::iter::Peekable<RangeEntries<'a>>,
}

impl OverlayRange<'_> {
    /// Visits entries before a committed one, then the committed one unless it is overwritten.
    pub(crate) fn merge(&mut self, key: &[u8], value: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan) -> Scan {
        while let Some((ours, new)) = self.entries.next_if(|(ours, _)| ours.as_ref() <= key) {
            if let Some(new) = &new.value
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
        for (key, write) in self.entries.by_ref() {
            if let Some(value) = &write.value
                && visit(key, value) == Scan::Stop
            {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Bytes = Bytes::from_static(b"a");

    fn value(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_new_key_that_is_deleted_leaves_no_trace() {
        let mut overlay = Overlay::default();
        overlay.put_new(A, Bytes::from_static(b"1"));
        overlay.put(A, value("2"));
        assert_eq!(overlay.get(b"a"), Some(&value("2")));
        overlay.put(A, None);
        assert_eq!((overlay.get(b"a"), overlay.bytes()), (None, 0));
        assert_eq!(overlay.drain(), []);
    }

    #[test]
    fn a_committed_key_stays_deleted_also_if_it_came_back_in_between() {
        let mut overlay = Overlay::default();
        overlay.put(A, None);
        overlay.put_new(A, Bytes::from_static(b"1"));
        overlay.put(A, None);
        assert_eq!(overlay.drain(), [(A, None)]);
    }

    #[test]
    fn an_undone_write_is_as_it_was_before() {
        let mut overlay = Overlay::default();
        overlay.put_new(A, Bytes::from_static(b"1"));
        let bytes = overlay.bytes();
        let before = overlay.put(A, None);
        overlay.restore(A, before);
        assert_eq!((overlay.get(b"a"), overlay.bytes()), (Some(&value("1")), bytes));
        let before = overlay.put(A, value("22"));
        overlay.restore(A, before);
        assert_eq!((overlay.get(b"a"), overlay.bytes()), (Some(&value("1")), bytes));
        overlay.put(A, None);
        assert_eq!(overlay.drain(), [], "it is still a new key");
    }
}
