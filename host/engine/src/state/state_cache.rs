//! A cache of an aggregate's states: those of the keys that came last, as the open transaction sees them. It spares
//! most reads of the database and changes no result.

use bytes::Bytes;

use super::TaskState;
use super::key_cache::{Cached, KeyCache};
use crate::ports::{BackendError, StoreId};

/// The states of recent keys of a store.
pub(crate) struct StateCache {
    store: StoreId,
    keys: KeyCache<Option<Bytes>>,
}

impl Cached for Option<Bytes> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, Bytes::len)
    }
}

impl StateCache {
    /// An empty cache with about `limit` bytes.
    pub(crate) fn new(store: StoreId, limit: usize) -> Self {
        Self { store, keys: KeyCache::new(limit) }
    }

    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// The state of a key.
    pub(crate) fn get(&mut self, state: &TaskState, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        if let Some(known) = self.keys.get(key) {
            return Ok(known.clone());
        }
        let value = state.get(self.store, key)?;
        if self.fits(&value) {
            self.keys.insert(key, value.clone());
        }
        Ok(value)
    }

    /// Writes the state of a key, or deletes it.
    pub(crate) fn put(&mut self, state: &mut TaskState, key: Bytes, value: Option<Bytes>) {
        let was_absent = self.write(&key, &value);
        match value {
            Some(value) if was_absent => state.put_new(self.store, key, value),
            None if was_absent => state.delete_absent(),
            value => drop(state.put(self.store, key, value)),
        }
    }

    /// Writes the state of a cached key. Returns whether the key is known to have had none.
    fn write(&mut self, key: &[u8], value: &Option<Bytes>) -> bool {
        let before = match self.fits(value) {
            true => self.keys.change(key, |known| std::mem::replace(known, value.clone())),
            false => self.keys.forget(key),
        };
        before.is_some_and(|known| known.is_none())
    }

    /// Large states are read from the database each time.
    fn fits(&self, value: &Option<Bytes>) -> bool {
        value.bytes() <= self.keys.most_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(of: usize) -> Option<Bytes> {
        Some(Bytes::from(vec![7; of]))
    }

    #[test]
    fn a_state_that_grows_too_large_is_forgotten() {
        let mut cache = StateCache::new(StoreId(0), 8_000);
        cache.keys.insert(b"k", None);
        assert!(cache.write(b"k", &bytes(1_000)), "it had none");
        assert_eq!(cache.keys.get(b"k"), Some(&bytes(1_000)));
        assert!(!cache.write(b"k", &bytes(1_001)));
        assert_eq!(cache.keys.get(b"k"), None);
        assert_eq!(cache.keys.bytes(), 0);
    }
}
