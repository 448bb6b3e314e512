//! What is known of the keys that came last, up to a number of bytes.
//!
//! The cache has two halves. A key that is used moves to the young half. When that is full, the cache drops the old
//! half, and the young half becomes the old one.

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;

/// What a cache knows of a key.
pub(super) trait Cached {
    /// Its memory in bytes, roughly.
    fn bytes(&self) -> usize;
}

/// The keys that came last.
pub(super) struct KeyCache<V> {
    /// Bytes of each half; with 0 nothing is cached.
    limit: usize,
    young: Half<V>,
    old: Half<V>,
}

struct Half<V> {
    keys: HashMap<Bytes, V>,
    bytes: usize,
}

/// A key gets at most this part of a half.
const KEY_SHARE: usize = 4;

/// About what a key costs beside its bytes.
const KEY_OVERHEAD: usize = 128;

impl<V> Default for Half<V> {
    fn default() -> Self {
        Self { keys: HashMap::new(), bytes: 0 }
    }
}

impl<V: Cached> KeyCache<V> {
    /// An empty cache with about `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit / 2, young: Half::default(), old: Half::default() }
    }

    pub(super) fn is_off(&self) -> bool {
        self.limit == 0
    }

    /// Memory of the cache in bytes, roughly.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    /// Most bytes that a key may have.
    pub(super) fn most_bytes(&self) -> usize {
        self.limit / KEY_SHARE
    }

    /// What is known of a key.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<&V> {
        self.find(key).map(|cached| &*cached)
    }

    /// Changes what is known of a key, if anything is.
    pub(super) fn change<R>(&mut self, key: &[u8], change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let cached = self.find(key)?;
        let before = cached.bytes();
        let result = change(cached);
        let after = cached.bytes();
        self.young.bytes = self.young.bytes + after - before;
        Some(result)
    }

    /// Caches a key, in place of what is known of it.
    pub(super) fn insert(&mut self, key: &[u8], cached: V) {
        if self.is_off() {
            return;
        }
        self.age();
        self.forget(key);
        self.young.bytes += size(key, &cached);
        // A copy: a record's key may be a part of a large block.
        self.young.keys.insert(Bytes::copy_from_slice(key), cached);
    }

    /// Forgets what is known of a key, and returns it.
    pub(super) fn forget(&mut self, key: &[u8]) -> Option<V> {
        [&mut self.young, &mut self.old].into_iter().find_map(|half| {
            let (name, cached) = half.keys.remove_entry(key)?;
            half.bytes -= size(&name, &cached);
            Some(cached)
        })
    }

    /// Finds a key, and moves it to the young half.
    fn find(&mut self, key: &[u8]) -> Option<&mut V> {
        if self.is_off() {
            return None;
        }
        self.age();
        match self.young.keys.entry_ref(key) {
            EntryRef::Occupied(entry) => Some(entry.into_mut()),
            EntryRef::Vacant(place) => {
                let (name, cached) = self.old.keys.remove_entry(key)?;
                let bytes = size(&name, &cached);
                self.old.bytes -= bytes;
                self.young.bytes += bytes;
                Some(place.insert_with_key(name, cached))
            }
        }
    }

    /// Drops the old half if the young one is full.
    fn age(&mut self) {
        if self.young.bytes > self.limit {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

fn size(key: &[u8], cached: &impl Cached) -> usize {
    key.len() + KEY_OVERHEAD + cached.bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Cached for usize {
        fn bytes(&self) -> usize {
            *self
        }
    }

    #[test]
    fn keys_that_are_used_stay_and_the_bytes_are_those_of_all_keys() {
        let mut cache = KeyCache::new(20_000);
        cache.insert(b"used", 10_usize);
        for number in 0..1000_u32 {
            cache.insert(&number.to_be_bytes(), 10);
            assert_eq!(cache.get(b"used"), Some(&10));
            assert!(cache.bytes() <= 20_000 + 1000, "{}", cache.bytes());
        }
        assert_eq!(cache.get(&1_u32.to_be_bytes()), None);
        let bytes = |half: &Half<usize>| half.keys.iter().map(|(key, cached)| size(key, cached)).sum::<usize>();
        assert_eq!((cache.young.bytes, cache.old.bytes), (bytes(&cache.young), bytes(&cache.old)));
    }

    #[test]
    fn the_bytes_are_limited_also_if_only_known_keys_grow() {
        let mut cache = KeyCache::new(100_000);
        for number in 0..50_u32 {
            cache.insert(&number.to_be_bytes(), 0_usize);
        }
        for size in [100, 1_000, 10_000] {
            for number in 0..50_u32 {
                cache.change(&number.to_be_bytes(), |bytes| *bytes = size);
                assert!(cache.bytes() <= 100_000 + 2 * size, "{} with {size}", cache.bytes());
            }
        }
    }

    #[test]
    fn without_a_limit_nothing_is_cached() {
        let mut cache = KeyCache::new(0);
        cache.insert(b"k", 1_usize);
        assert_eq!(cache.get(b"k"), None);
        assert_eq!(cache.bytes(), 0);
    }
}
