//! A cache of an aggregate's windows: those of the keys that came last, as the open transaction sees them. It spares
//! most reads of the database and changes no result.

use bytes::Bytes;

use super::aggregate_windows::{place, time_of};
use super::key_cache::{Cached, KeyCache};
use crate::record::{Timestamp, Window};
use crate::topology::WindowKind;

/// The windows of recent keys.
pub(crate) struct WindowCache {
    kind: WindowKind,
    keys: KeyCache<CachedKey>,
}

/// All visible windows of a key, in the order of time. `None`: they are too many or too large, and only the database
/// has them.
pub(crate) struct CachedKey(pub(crate) Option<Vec<(Window, Bytes)>>);

/// Most windows of a key in the cache. Keys with more are read from the database, so that the windows of a very busy
/// key aren't moved in memory with each record.
pub(crate) const MOST_WINDOWS: usize = 64;

/// About what a window costs beside its bytes.
const WINDOW_OVERHEAD: usize = 64;

impl Cached for CachedKey {
    fn bytes(&self) -> usize {
        self.0.iter().flatten().map(|(_, value)| WINDOW_OVERHEAD + value.len()).sum()
    }
}

impl CachedKey {
    /// Writes a window, or deletes it. Returns whether it wasn't there.
    fn write(&mut self, kind: WindowKind, window: Window, value: Option<Bytes>) -> bool {
        let Some(windows) = &mut self.0 else { return false };
        let place = place(windows, kind, window);
        match (place, value) {
            (Ok(place), Some(value)) => {
                if let Some(entry) = windows.get_mut(place) {
                    entry.1 = value;
                }
            }
            (Ok(place), None) => drop(windows.remove(place)),
            (Err(place), Some(value)) => windows.insert(place, (window, value)),
            (Err(_), None) => {}
        }
        place.is_err()
    }

    /// Forgets windows with earlier times, and all if there are too many or too large ones.
    fn trim(&mut self, kind: WindowKind, horizon: Timestamp, most_bytes: usize) {
        let Some(windows) = &mut self.0 else { return };
        let expired = windows.iter().take_while(|(window, _)| time_of(kind, *window) < horizon).count();
        windows.drain(..expired);
        if windows.len() > MOST_WINDOWS || self.bytes() > most_bytes {
            self.0 = None;
        }
    }
}

impl WindowCache {
    /// An empty cache with about `limit` bytes.
    pub(crate) fn new(kind: WindowKind, limit: usize) -> Self {
        Self { kind, keys: KeyCache::new(limit) }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.keys.is_off()
    }

    /// Most bytes that the windows of a key may have.
    pub(crate) fn most_bytes(&self) -> usize {
        self.keys.most_bytes()
    }

    /// What is known of a key.
    pub(crate) fn key(&mut self, key: &[u8]) -> Option<&CachedKey> {
        self.keys.get(key)
    }

    /// Caches a key, in place of what is known of it.
    pub(crate) fn insert(&mut self, key: &[u8], cached: CachedKey) {
        self.keys.insert(key, cached);
    }

    /// Notes a window as it is stored: `None` if it isn't. Forgets windows of the key with times before the horizon.
    /// Returns whether the window is known to have been absent.
    pub(crate) fn write(&mut self, key: &[u8], window: Window, value: Option<Bytes>, horizon: Timestamp) -> bool {
        let (kind, most_bytes) = (self.kind, self.most_bytes());
        let was_absent = self.keys.change(key, |cached| {
            let was_absent = cached.write(kind, window, value);
            cached.trim(kind, horizon, most_bytes);
            was_absent
        });
        was_absent.unwrap_or(false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SESSION: WindowKind = WindowKind::Session { gap: 10 };

    fn window(start: i64, end: i64) -> Window {
        Window { start, end }
    }

    fn value(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    fn all(cache: &mut WindowCache, key: &[u8]) -> Option<Vec<(Window, Bytes)>> {
        cache.key(key)?.0.clone()
    }

    #[test]
    fn a_complete_key_knows_which_windows_there_are_not() {
        let mut cache = WindowCache::new(SESSION, 10_000);
        assert!(!cache.write(b"k", window(1, 2), value("a"), 0), "nothing is known of the key");
        assert!(cache.key(b"k").is_none(), "its other windows are unknown");
        cache.insert(b"k", CachedKey(Some(vec![(window(30, 40), Bytes::from_static(b"b"))])));
        assert!(cache.write(b"k", window(1, 2), value("a"), 0), "it wasn't there");
        assert!(!cache.write(b"k", window(1, 2), value("a"), 0), "it is");
        let [first, second] = [(window(1, 2), value("a").unwrap()), (window(30, 40), value("b").unwrap())];
        assert_eq!(all(&mut cache, b"k"), Some(vec![first, second.clone()]));
        cache.write(b"k", window(1, 2), None, 0);
        assert_eq!(all(&mut cache, b"k"), Some(vec![second]));
        cache.write(b"k", window(50, 60), value("c"), 41);
        assert_eq!(all(&mut cache, b"k"), Some(vec![(window(50, 60), value("c").unwrap())]), "expired");
    }

    #[test]
    fn a_key_with_too_many_windows_is_read_from_the_database() {
        let mut cache = WindowCache::new(SESSION, 1 << 20);
        cache.insert(b"k", CachedKey(Some(Vec::new())));
        for number in 0..=MOST_WINDOWS as i64 {
            assert!(all(&mut cache, b"k").is_some());
            cache.write(b"k", window(number * 100, number * 100), value("a"), 0);
        }
        assert!(all(&mut cache, b"k").is_none());
        assert!(!cache.write(b"k", window(1, 1), value("a"), 0), "it may be in the database");
    }

    #[test]
    fn the_bytes_are_limited_also_if_only_the_values_of_known_keys_grow() {
        for kind in [WindowKind::Sliding { difference: 10 }, SESSION] {
            let mut cache = WindowCache::new(kind, 100_000);
            for number in 0..50_u32 {
                cache.insert(&number.to_be_bytes(), CachedKey(Some(Vec::new())));
            }
            for size in [100, 1_000, 10_000, 1 << 20] {
                let value = Bytes::from(vec![0; size]);
                for number in 0..50_u32 {
                    cache.write(&number.to_be_bytes(), window(0, 10), Some(value.clone()), 0);
                    assert!(cache.keys.bytes() <= 130_000, "{} with values of {size}", cache.keys.bytes());
                }
            }
        }
    }
}
