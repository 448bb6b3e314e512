//! A cache of an aggregate's windows: those of the keys that came last, as the open transaction sees them. It spares
//! most reads of the database and changes no result.
//!
//! Two halves of the cache age together: when the young half is full, it becomes the old one, whose keys are forgotten.
//! A key that is used moves to the young half.

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;

use super::aggregate_windows::time_of;
use crate::record::{Timestamp, Window};
use crate::topology::WindowKind;

/// The windows of recent keys.
pub(crate) struct WindowCache {
    kind: WindowKind,
    /// Bytes of each half; with 0 nothing is cached.
    limit: usize,
    young: Half,
    old: Half,
}

#[derive(Default)]
struct Half {
    keys: HashMap<Bytes, CachedKey>,
    bytes: usize,
}

/// The windows of a key, in the order of time.
#[derive(Default)]
pub(crate) struct CachedKey {
    windows: Vec<(Window, Option<Bytes>)>,
    /// Whether windows that aren't in the list don't exist, unless they have expired.
    complete: bool,
}

/// What the cache knows of a stored window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Nothing,
    Absent,
    Present(Bytes),
}

/// Most windows of a key in the cache. Keys with more are read from the database, so that the windows of a very busy
/// key aren't moved in memory with each record.
pub(crate) const MOST_WINDOWS: usize = 64;

/// About what a window and a key cost beside their bytes.
const WINDOW_OVERHEAD: usize = 64;
const KEY_OVERHEAD: usize = 128;

impl CachedKey {
    /// All visible windows of a key, in the order of time, if they aren't too many.
    pub(crate) fn complete(windows: Vec<(Window, Bytes)>) -> Self {
        if windows.len() > MOST_WINDOWS {
            return Self::default();
        }
        let windows = windows.into_iter().map(|(window, value)| (window, Some(value)));
        Self { windows: windows.collect(), complete: true }
    }

    /// All visible windows, or `None` if only the database has them.
    pub(crate) fn all(&self) -> Option<impl Iterator<Item = (Window, &Bytes)>> {
        let windows = self.windows.iter().filter_map(|(window, value)| Some((*window, value.as_ref()?)));
        self.complete.then_some(windows)
    }

    fn bytes(&self) -> usize {
        let values = self.windows.iter().map(|(_, value)| WINDOW_OVERHEAD + value.as_ref().map_or(0, Bytes::len));
        KEY_OVERHEAD + values.sum::<usize>()
    }

    fn place(&self, kind: WindowKind, window: Window) -> Result<usize, usize> {
        let order = |window: Window| (time_of(kind, window), window.start);
        self.windows.binary_search_by_key(&order(window), |(window, _)| order(*window))
    }

    fn known(&self, kind: WindowKind, window: Window) -> Known {
        match self.place(kind, window).ok().and_then(|place| self.windows.get(place)) {
            Some((_, Some(value))) => Known::Present(value.clone()),
            Some((_, None)) => Known::Absent,
            None if self.complete => Known::Absent,
            None => Known::Nothing,
        }
    }

    fn write(&mut self, kind: WindowKind, window: Window, value: Option<Bytes>) {
        match self.place(kind, window) {
            Ok(place) if value.is_none() && self.complete => drop(self.windows.remove(place)),
            Ok(place) => {
                if let Some(entry) = self.windows.get_mut(place) {
                    entry.1 = value;
                }
            }
            Err(_) if value.is_none() && self.complete => {}
            Err(place) => self.windows.insert(place, (window, value)),
        }
    }

    /// Forgets windows with earlier times, and all if there are too many.
    fn trim(&mut self, kind: WindowKind, horizon: Timestamp) {
        let expired = self.windows.iter().take_while(|(window, _)| time_of(kind, *window) < horizon).count();
        self.windows.drain(..expired);
        if self.windows.len() > MOST_WINDOWS {
            *self = Self::default();
        }
    }
}

impl WindowCache {
    /// An empty cache with about `limit` bytes.
    pub(crate) fn new(kind: WindowKind, limit: usize) -> Self {
        Self { kind, limit: limit / 2, young: Half::default(), old: Half::default() }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.limit == 0
    }

    /// Memory of the cached windows, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    /// What is known of a key.
    pub(crate) fn key(&mut self, key: &[u8]) -> Option<&CachedKey> {
        self.find(key).map(|cached| &*cached)
    }

    /// Finds a key, and moves it to the young half.
    fn find(&mut self, key: &[u8]) -> Option<&mut CachedKey> {
        match self.young.keys.entry_ref(key) {
            EntryRef::Occupied(entry) => Some(entry.into_mut()),
            EntryRef::Vacant(place) => {
                let (name, cached) = self.old.keys.remove_entry(key)?;
                let bytes = name.len() + cached.bytes();
                self.old.bytes -= bytes;
                self.young.bytes += bytes;
                Some(place.insert_with_key(name, cached))
            }
        }
    }

    /// What is known of a window.
    pub(crate) fn window(&mut self, key: &[u8], window: Window) -> Known {
        let kind = self.kind;
        self.find(key).map_or(Known::Nothing, |cached| cached.known(kind, window))
    }

    /// Caches a key, in place of what is known of it.
    pub(crate) fn insert(&mut self, key: &[u8], cached: CachedKey) {
        if self.is_off() {
            return;
        }
        if self.young.bytes > self.limit {
            self.old = std::mem::take(&mut self.young);
        }
        self.forget(key);
        self.young.bytes += key.len() + cached.bytes();
        // A copy: a record's key may be a part of a large block.
        self.young.keys.insert(Bytes::copy_from_slice(key), cached);
    }

    /// Notes a window as it is stored: `None` if it isn't. Forgets windows of the key with times before the horizon.
    /// Returns what was known of the window.
    pub(crate) fn write(&mut self, key: &[u8], window: Window, value: Option<Bytes>, horizon: Timestamp) -> Known {
        let kind = self.kind;
        match self.find(key) {
            Some(cached) => {
                let (known, bytes) = (cached.known(kind, window), cached.bytes());
                cached.write(kind, window, value);
                cached.trim(kind, horizon);
                let now = cached.bytes();
                self.young.bytes = self.young.bytes + now - bytes;
                known
            }
            // Ranges need all windows of a key.
            None if !is_found_by_place(kind) => Known::Nothing,
            None => {
                self.insert(key, CachedKey { windows: vec![(window, value)], complete: false });
                Known::Nothing
            }
        }
    }

    fn forget(&mut self, key: &[u8]) {
        for half in [&mut self.young, &mut self.old] {
            if let Some((name, cached)) = half.keys.remove_entry(key) {
                half.bytes -= name.len() + cached.bytes();
            }
        }
    }
}

/// Whether a record's windows follow from its time. All others are found by a range of times.
pub(crate) fn is_found_by_place(kind: WindowKind) -> bool {
    matches!(kind, WindowKind::Hopping { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: WindowKind = WindowKind::Session { gap: 10 };
    const HOPPING: WindowKind = WindowKind::Hopping { size: 10, every: 10 };

    fn window(start: i64, end: i64) -> Window {
        Window { start, end }
    }

    fn value(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    fn all(cache: &mut WindowCache, key: &[u8]) -> Option<Vec<(Window, Bytes)>> {
        let windows = cache.key(key)?.all()?;
        Some(windows.map(|(window, value)| (window, value.clone())).collect())
    }

    #[test]
    fn a_complete_key_knows_which_windows_there_are_not() {
        let mut cache = WindowCache::new(SESSION, 10_000);
        cache.write(b"k", window(1, 2), value("a"), 0);
        assert_eq!(cache.window(b"k", window(1, 2)), Known::Nothing, "other windows of the key are unknown");
        cache.insert(b"k", CachedKey::complete(vec![(window(30, 40), Bytes::from_static(b"b"))]));
        cache.write(b"k", window(1, 2), value("a"), 0);
        let [first, second] = [(window(1, 2), value("a").unwrap()), (window(30, 40), value("b").unwrap())];
        assert_eq!(all(&mut cache, b"k"), Some(vec![first, second.clone()]));
        assert_eq!(cache.window(b"k", window(1, 3)), Known::Absent);
        cache.write(b"k", window(1, 2), None, 0);
        assert_eq!(all(&mut cache, b"k"), Some(vec![second]));
        cache.write(b"k", window(50, 60), value("c"), 41);
        assert_eq!(all(&mut cache, b"k"), Some(vec![(window(50, 60), value("c").unwrap())]), "expired");
    }

    #[test]
    fn windows_by_place_are_known_one_by_one() {
        let mut cache = WindowCache::new(HOPPING, 10_000);
        assert_eq!(cache.window(b"k", window(0, 10)), Known::Nothing);
        cache.write(b"k", window(0, 10), None, 0);
        assert_eq!(cache.window(b"k", window(0, 10)), Known::Absent);
        assert_eq!(cache.window(b"k", window(10, 20)), Known::Nothing);
        cache.write(b"k", window(0, 10), value("a"), 0);
        assert_eq!(cache.window(b"k", window(0, 10)), Known::Present(value("a").unwrap()));
        assert!(all(&mut cache, b"k").is_none());
    }

    #[test]
    fn keys_that_are_used_stay_and_the_bytes_are_those_of_all_keys() {
        let mut cache = WindowCache::new(HOPPING, 20_000);
        for number in 0..1000_u32 {
            cache.write(&number.to_be_bytes(), window(0, 10), value("0123456789"), 0);
            assert_eq!(cache.window(&0_u32.to_be_bytes(), window(0, 10)), Known::Present(value("0123456789").unwrap()));
            assert!(cache.bytes() <= 20_000 + 1000, "{}", cache.bytes());
        }
        assert_eq!(cache.window(&1_u32.to_be_bytes(), window(0, 10)), Known::Nothing);
        let bytes = |half: &Half| half.keys.iter().map(|(key, cached)| key.len() + cached.bytes()).sum::<usize>();
        assert_eq!((cache.young.bytes, cache.old.bytes), (bytes(&cache.young), bytes(&cache.old)));
    }

    #[test]
    fn a_key_with_too_many_windows_is_read_from_the_database() {
        let mut cache = WindowCache::new(SESSION, 1 << 20);
        cache.insert(b"k", CachedKey::complete(Vec::new()));
        for number in 0..=MOST_WINDOWS as i64 {
            assert!(all(&mut cache, b"k").is_some());
            cache.write(b"k", window(number * 100, number * 100), value("a"), 0);
        }
        assert!(all(&mut cache, b"k").is_none());
        assert_eq!(cache.window(b"k", window(0, 0)), Known::Nothing);
        let many = (0..=MOST_WINDOWS as i64).map(|number| (window(number, number), Bytes::new()));
        assert!(CachedKey::complete(many.collect()).all().is_none());
    }

    #[test]
    fn without_a_limit_nothing_is_cached() {
        let mut cache = WindowCache::new(HOPPING, 0);
        cache.write(b"k", window(0, 10), value("a"), 0);
        assert_eq!((cache.window(b"k", window(0, 10)), cache.bytes()), (Known::Nothing, 0));
    }
}
