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

    /// Memory of the cached states, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes()
    }

    /// The state of a key.
    pub(crate) fn get(&mut self, state: &TaskState, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        if let Some(known) = self.keys.get(key) {
            return Ok(known.clone());
        }
        let value = state.get(self.store, key)?;
        self.note(key, value.clone());
        Ok(value)
    }

    /// Writes the state of a key, or deletes it.
    pub(crate) fn put(&mut self, state: &mut TaskState, key: Bytes, value: Option<Bytes>) {
        let is_absent = self.keys.get(&key).is_some_and(Option::is_none);
        self.note(&key, value.clone());
        match value {
            Some(value) if is_absent => state.put_new(self.store, key, value),
            None if is_absent => state.delete_absent(),
            value => drop(state.put(self.store, key, value)),
        }
    }

    /// Large states are read from the database each time.
    fn note(&mut self, key: &[u8], value: Option<Bytes>) {
        if value.bytes() <= self.keys.most_bytes() {
            self.keys.insert(key, value);
        } else {
            self.keys.forget(key);
        }
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
        cache.note(b"k", bytes(1_000));
        assert_eq!(cache.keys.get(b"k"), Some(&bytes(1_000)));
        cache.note(b"k", bytes(1_001));
        assert_eq!(cache.keys.get(b"k"), None);
        assert_eq!(cache.bytes(), 0);
    }
}
