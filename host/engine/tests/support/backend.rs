//! Committed state in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use millrace_engine::ports::{Backend, BackendError, Horizons, Scan, StoreChanges, StoreId};
use millrace_engine::record::Timestamp;
use millrace_engine::state::keys::decode_window_key;

type Stores = BTreeMap<(u32, StoreId), BTreeMap<Bytes, Bytes>>;
type Watermarks = BTreeMap<(u32, StoreId), Horizons>;

/// State that survives a restart. Expired entries are deleted with the commit that expires them, which is the earliest
/// time at which a database may delete them.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Stores>>, Arc<AtomicUsize>, Arc<Mutex<Watermarks>>, Arc<AtomicUsize>);

impl Disk {
    pub fn commit(&self, partition: u32, changes: &[StoreChanges]) {
        let mut stores = self.0.lock().unwrap();
        for change in changes {
            let store = stores.entry((partition, change.store)).or_default();
            assert!(change.entries.is_sorted_by(|a, b| a.0 < b.0), "each key once, in order");
            for (key, value) in &change.entries {
                match value {
                    Some(value) => store.insert(key.clone(), value.clone()),
                    None => store.remove(key),
                };
            }
            self.expire(partition, change, store);
        }
    }

    fn expire(&self, partition: u32, change: &StoreChanges, store: &mut BTreeMap<Bytes, Bytes>) {
        let mut marks = self.2.lock().unwrap();
        let mark = marks.entry((partition, change.store)).or_insert([Timestamp::MIN; 2]);
        let is_alive = |mark: &Horizons, key: &[u8]| {
            let entry = decode_window_key(key);
            entry.is_none_or(|(part, _, time, _)| mark.get(usize::from(part)).is_none_or(|mark| time >= *mark))
        };
        if let Some(before) = change.expire_before {
            mark.iter_mut().zip(before).for_each(|(mark, before)| *mark = before.max(*mark));
            store.retain(|key, _| is_alive(mark, key));
        } else if *mark != [Timestamp::MIN; 2] {
            change.entries.iter().filter(|(key, _)| !is_alive(mark, key)).for_each(|(key, _)| drop(store.remove(key)));
        }
    }

    pub fn partition(&self, partition: u32) -> Box<dyn Backend> {
        Box::new(Part { disk: self.clone(), partition })
    }

    /// Number of entries that scans have visited.
    pub fn visited(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }

    /// Bytes of values read by key.
    pub fn read_bytes(&self) -> usize {
        self.3.load(Ordering::Relaxed)
    }

    /// All entries, for comparisons.
    pub fn dump(&self) -> Vec<String> {
        let stores = self.0.lock().unwrap();
        let entries = stores.iter().flat_map(|(id, store)| store.iter().map(move |entry| (id, entry)));
        entries.map(|((partition, store), (key, value))| format!("{partition}/{} {key:?} {value:?}", store.0)).collect()
    }
}

struct Part {
    disk: Disk,
    partition: u32,
}

impl Backend for Part {
    fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        let stores = self.disk.0.lock().unwrap();
        let value = stores.get(&(self.partition, store)).and_then(|store| store.get(key));
        self.disk.3.fetch_add(value.map_or(0, Bytes::len), Ordering::Relaxed);
        // A copy, as from a database, because a value that was read takes memory.
        Ok(value.map(|value| Bytes::copy_from_slice(value)))
    }

    fn scan(
        &self,
        store: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        let stores = self.disk.0.lock().unwrap();
        let Some(store) = stores.get(&(self.partition, store)) else { return Ok(()) };
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let end = to.map_or(Bound::Unbounded, Bound::Excluded);
        for (key, value) in store.range::<[u8], _>((Bound::Included(from), end)) {
            self.disk.1.fetch_add(1, Ordering::Relaxed);
            if visit(key, value) == Scan::Stop {
                break;
            }
        }
        Ok(())
    }
}
