//! A database: its stores, and writing to it.

mod backend;
mod batch;
mod flush;
mod open;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use millrace_engine::ports::{Horizons, Scan, StoreId};
use millrace_engine::topology::StoreSpec;
use rocksdb::{ColumnFamily, DB, ReadOptions, WriteOptions};

use crate::error::Error;
use crate::expiry::{PendingWatermarks, Watermarks};
use crate::families;
use crate::options::Wal;
use crate::tuning::Memory;
pub use backend::{SHARED, TaskBackend};
pub use batch::{Batch, Durability};

/// A write is synced after this many bytes of unsynced ones. It bounds what a power failure can destroy, and lets
/// expired entries be dropped from disk.
const SYNC_INTERVAL_BYTES: usize = 64 << 20;

/// An open database. One process at a time can write to it; threads share it.
pub struct Database {
    // Dropped before `memory`, which it uses.
    pub(crate) db: DB,
    pub(crate) memory: Memory,
    pub(crate) path: PathBuf,
    /// Names of all families that are open.
    pub(crate) names: BTreeSet<String>,
    pub(crate) read: ReadOptions,
    stores: Vec<Store>,
    unused: Vec<String>,
    unsynced: AtomicUsize,
    /// Time of the oldest write without a write-ahead log for which no flush has begun.
    unflushed: Mutex<Option<Instant>>,
    /// Watermarks that aren't durable, and that the compaction filters don't have yet.
    unpublished: Mutex<PendingWatermarks>,
}

struct Store {
    name: String,
    family: String,
    watermarks: Watermarks,
    /// Whether its writes go to the write-ahead log.
    logged: bool,
}

impl Store {
    fn new(name: &str, logged: bool) -> Self {
        Self { name: name.into(), family: families::of_store(name), watermarks: Watermarks::default(), logged }
    }

    fn of(spec: &StoreSpec, wal: Wal) -> Self {
        let is_window = spec.kind.retention().is_some();
        Self::new(&spec.name, wal == Wal::Everything || !is_window)
    }
}

impl Database {
    fn new(
        path: &Path,
        db: DB,
        memory: Memory,
        stores: Vec<Store>,
        names: BTreeSet<String>,
        unused: Vec<String>,
    ) -> Self {
        Self {
            db,
            memory,
            path: path.into(),
            names,
            read: ReadOptions::default(),
            stores,
            unused,
            unsynced: AtomicUsize::new(0),
            unflushed: Mutex::default(),
            unpublished: Mutex::default(),
        }
    }

    /// Folder of the database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Families that the options of the opening didn't name, such as those of stores that the pipeline no longer has
    /// (`s.` and the store's name). They stay in the database.
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    /// A store by its name.
    pub fn store(&self, name: &str) -> Option<StoreId> {
        self.stores.iter().position(|store| store.name == name).map(StoreId)
    }

    /// Names of the stores, in the order of their ids.
    pub fn stores(&self) -> impl Iterator<Item = &str> {
        self.stores.iter().map(|store| store.name.as_str())
    }

    /// The committed state of one partition.
    pub fn backend(self: &Arc<Self>, partition: u32) -> TaskBackend {
        TaskBackend::new(Arc::clone(self), partition)
    }

    /// The partitions of a store that have entries, in order.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such store. Otherwise it can't be read.
    pub fn partitions(&self, store: StoreId) -> Result<Vec<u32>, Error> {
        let family = self.store_family(store)?;
        let mut partitions = Vec::new();
        let mut next = Some(0_u32);
        while let Some(from) = next {
            let mut found = None;
            self.scan(family, &from.to_be_bytes(), None, &mut |key, _| {
                found = key.first_chunk().map(|partition| u32::from_be_bytes(*partition));
                Scan::Stop
            })?;
            partitions.extend(found);
            next = found.and_then(|partition| partition.checked_add(1));
        }
        Ok(partitions)
    }

    /// Writes a batch, at once or not at all; except that writes without a write-ahead log may be lost without the
    /// others.
    ///
    /// # Errors
    /// [`Error::Full`]: the disk is full. All writes fail until some seconds after there is room again, when RocksDB
    /// notices. After any error the batch may have been written or not; writing it again is harmless.
    pub fn write(&self, batch: Batch, durability: Durability) -> Result<(), Error> {
        let bytes = batch.bytes();
        let unsynced = self.unsynced.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let sync = durability == Durability::Synced || unsynced >= SYNC_INTERVAL_BYTES;
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        let Batch { writes, unlogged, expired, cleared, .. } = batch;
        let written = self.forget(&cleared);
        if !unlogged.is_empty() {
            self.unflushed().get_or_insert_with(Instant::now);
            self.db.write_without_wal(unlogged).map_err(|error| self.error(&error))?;
        }
        self.db.write_opt(writes, &options).map_err(|error| self.error(&error))?;
        let mut unpublished = self.unpublished();
        // A synced write makes itself durable, and all that was written before it began.
        let durable = if sync { unpublished.take(written) } else { Vec::new() };
        if sync {
            self.unsynced.store(0, Ordering::Relaxed);
            durable.iter().for_each(|mark| self.publish(mark.store, mark.partition, mark.before));
        }
        for ((store, partition), before) in expired {
            // After a crash, the owner of a store without a log restores its entries together with their stream time.
            match sync || !self.is_logged(StoreId(store)) {
                true => self.publish(store, partition, before),
                false => unpublished.push(store, partition, before),
            }
        }
        Ok(())
    }

    /// Forgets the watermarks of the partitions that a batch clears, before it is written: its entries may be older
    /// than the watermarks, and a filter without a watermark drops nothing. Returns the number below which watermarks
    /// are written.
    fn forget(&self, cleared: &BTreeSet<(usize, u32)>) -> u64 {
        let mut unpublished = self.unpublished();
        for (store, partition) in cleared {
            unpublished.forget(*store, *partition);
            if let Some(store) = self.stores.get(*store) {
                store.watermarks.forget(*partition);
            }
        }
        unpublished.so_far()
    }

    fn unpublished(&self) -> MutexGuard<'_, PendingWatermarks> {
        self.unpublished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, store: usize, partition: u32, before: Horizons) {
        if let Some(store) = self.stores.get(store) {
            store.watermarks.advance(partition, before);
        }
    }

    /// The watermarks of a partition of a window store: entries with an earlier timestamp may be gone from disk.
    pub fn expired_before(&self, store: StoreId, partition: u32) -> Option<Horizons> {
        self.stores.get(store.0).and_then(|store| store.watermarks.get(partition))
    }

    /// The family of a store.
    pub(crate) fn store_family(&self, store: StoreId) -> Result<&str, Error> {
        let found = self.stores.get(store.0).map(|store| store.family.as_str());
        found.ok_or_else(|| Error::Unknown { path: self.path.clone(), what: format!("store {}", store.0) })
    }

    /// Whether the writes to a store go to the write-ahead log.
    pub(crate) fn is_logged(&self, store: StoreId) -> bool {
        self.stores.get(store.0).is_none_or(|store| store.logged)
    }

    pub(crate) fn family(&self, name: &str) -> Result<&ColumnFamily, Error> {
        self.db.cf_handle(name).ok_or_else(|| Error::unknown_family(&self.path, name))
    }

    pub(crate) fn error(&self, error: &rocksdb::Error) -> Error {
        Error::from_rocksdb(&self.path, error)
    }
}
