//! Opening a database, and writing to it.

mod backend;
mod batch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use millrace_engine::ports::{Horizons, Scan, StoreId};
use millrace_engine::topology::StoreSpec;
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DEFAULT_COLUMN_FAMILY_NAME, Options, ReadOptions, WriteOptions,
};

use crate::error::Error;
use crate::expiry::{Pending, Watermarks};
use crate::options::{OpenOptions, Shape, Wal};
use crate::tuning::{self, Memory};
use crate::{families, format};
pub use backend::{SHARED, TaskBackend};
pub use batch::{Batch, Durability};

/// Bytes of buffered writes after which one is synced: what a power failure can take is bounded by it, and what has
/// expired by then is dropped from disk.
const SYNC_EVERY: usize = 64 << 20;

/// An open database. One process at a time can write to it; threads share it.
pub struct Database {
    // Dropped before `memory`, which it uses.
    pub(crate) db: DB,
    pub(crate) memory: Memory,
    pub(crate) path: PathBuf,
    /// All families that are open.
    pub(crate) names: BTreeSet<String>,
    pub(crate) read: ReadOptions,
    stores: Vec<Store>,
    unused: Vec<String>,
    unsynced: AtomicUsize,
    /// When the first write without a write-ahead log came that no flush has begun for.
    unflushed: Mutex<Option<Instant>>,
    /// Watermarks that no filter knows yet.
    unpublished: Mutex<Pending>,
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
    /// Opens the database in this folder, or makes one if the folder is empty or missing. Stores and families that it
    /// doesn't have yet are made; those that aren't asked for are kept as they are ([`Database::unused`]).
    ///
    /// # Errors
    /// [`Error::Locked`]: another process has it. [`Error::NotOurs`]: the folder is something else, or of a newer
    /// format. [`Error::Corrupt`]: it is damaged.
    pub fn open(path: &Path, options: &OpenOptions<'_>) -> Result<Self, Error> {
        format::claim(path)?;
        format::check_log(path)?;
        let memory = Memory::new(options.memory);
        let database = tuning::database(&memory, options.wal, format::is_of_this_boot(path));
        let stores: Vec<_> = options.stores.iter().map(|spec| Store::of(spec, options.wal)).collect();
        let mut descriptors = Vec::new();
        for (store, spec) in stores.iter().zip(options.stores) {
            let settings = tuning::store(&memory, spec.kind, &store.watermarks);
            descriptors.push(ColumnFamilyDescriptor::new(&store.family, settings));
        }
        for family in options.families {
            descriptors.push(ColumnFamilyDescriptor::new(family.name, tuning::family(&memory, family.shape)));
        }
        descriptors
            .push(ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, tuning::family(&memory, Shape::Entries)));
        check_names(path, &descriptors)?;
        let unused = add_unused(path, &memory, &database, &mut descriptors)?;
        let names = descriptors.iter().map(|family| family.name().to_owned()).collect();
        let db =
            DB::open_cf_descriptors(&database, path, descriptors).map_err(|error| Error::from_rocksdb(path, &error))?;
        format::note_boot(path);
        Ok(Self::new(path, db, memory, stores, names, unused))
    }

    /// Opens the database in this folder for reading only, also while another process is writing to it.
    ///
    /// What is read is as of the moment of opening: everything that process had written by then, but of stores without a
    /// write-ahead log only what it had flushed. Later writes are not seen; open it again for them. All
    /// stores that the database has are there, and [`Database::store`] finds them by name; writing is an error.
    ///
    /// # Errors
    /// [`Error::NotOurs`]: there is no database, or one of a newer format. [`Error::Corrupt`]: it is damaged, or was
    /// rewritten too quickly to be caught at rest.
    pub fn open_read_only(path: &Path) -> Result<Self, Error> {
        format::check(path)?;
        // Files can go away between reading their list and opening them, when the other process has just compacted
        // them: then there is a new list.
        let mut attempt = 0;
        loop {
            match Self::try_open_read_only(path) {
                Err(Error::Corrupt { .. }) if attempt < READ_ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn try_open_read_only(path: &Path) -> Result<Self, Error> {
        let memory = Memory::new(OpenOptions::DEFAULT_MEMORY);
        format::check_log(path)?;
        let database = tuning::recovery(format::is_of_this_boot(path));
        let names = existing(path, &database)?;
        let stores =
            names.iter().filter_map(|family| families::store_of(family)).map(|name| Store::new(name, true)).collect();
        let descriptors =
            names.iter().map(|name| ColumnFamilyDescriptor::new(name, tuning::family(&memory, Shape::Entries)));
        let db = DB::open_cf_descriptors_read_only(&database, path, descriptors, false)
            .map_err(|error| Error::from_rocksdb(path, &error))?;
        Ok(Self::new(path, db, memory, stores, names, Vec::new()))
    }

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

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Families in the database that weren't asked for when it was opened, such as those of stores that the pipeline
    /// no longer has (`s.` and the store's name). They are kept.
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    /// A store by its name.
    pub fn store(&self, name: &str) -> Option<StoreId> {
        self.stores.iter().position(|store| store.name == name).map(StoreId)
    }

    /// Names of its stores, in the order of their ids.
    pub fn stores(&self) -> impl Iterator<Item = &str> {
        self.stores.iter().map(|store| store.name.as_str())
    }

    /// The committed state of one partition.
    pub fn backend(self: &Arc<Self>, partition: u32) -> TaskBackend {
        TaskBackend::new(Arc::clone(self), partition)
    }

    /// The partitions of a store that hold anything, in order.
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

    /// Writes a batch, at once or not at all. What has no write-ahead log is apart: it may be lost without the rest.
    ///
    /// # Errors
    /// [`Error::Full`]: the disk is, and all writes fail until there is room again, and some seconds more: RocksDB looks
    /// for it. Whether the batch was written isn't known after any error; written again, it is there.
    pub fn write(&self, batch: Batch, durability: Durability) -> Result<(), Error> {
        let bytes = batch.bytes();
        let unsynced = self.unsynced.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let sync = durability == Durability::Synced || unsynced >= SYNC_EVERY;
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
        // What is durable after a synced write is what was written before it began, and its own.
        let durable = if sync { unpublished.take(written) } else { Vec::new() };
        if sync {
            self.unsynced.store(0, Ordering::Relaxed);
            durable.iter().for_each(|mark| self.publish(mark.store, mark.partition, mark.before));
        }
        for ((store, partition), before) in expired {
            // What no log has is brought back by its owner, and its time with it.
            match sync || !self.is_logged(StoreId(store)) {
                true => self.publish(store, partition, before),
                false => unpublished.push(store, partition, before),
            }
        }
        Ok(())
    }

    /// Forgets the watermarks of what a batch empties, before it is written: what it puts there may be older than they
    /// are, and a filter without a watermark drops nothing. Tells which watermarks are written by now.
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

    fn unpublished(&self) -> MutexGuard<'_, Pending> {
        self.unpublished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, store: usize, partition: u32, before: Horizons) {
        if let Some(store) = self.stores.get(store) {
            store.watermarks.advance(partition, before);
        }
    }

    /// Writes everything that is in memory to disk.
    ///
    /// # Errors
    /// [`Error::Full`]: the disk is. Otherwise it can't be written.
    pub fn flush(&self) -> Result<(), Error> {
        let families = self.names.iter().map(|name| self.family(name)).collect::<Result<Vec<_>, _>>()?;
        let options = rocksdb::FlushOptions::default();
        self.db.flush_cfs_opt(&families, &options).map_err(|error| self.error(&error))
    }

    /// The same, without waiting for it. Whether it has begun: while RocksDB takes no writes, since it doesn't keep up with
    /// flushing those that it has, it begins no other flush. Then what waits for one is as old as before.
    ///
    /// # Errors
    /// It can't begin; what waits for it is as old as before.
    pub fn begin_flush(&self) -> Result<bool, Error> {
        // Before the flush: what is written while it begins waits for the next one.
        let since = self.unflushed().take();
        let begun = self.flush_without_waiting();
        if !matches!(begun, Ok(true))
            && let Some(since) = since
        {
            // Also where something was written meanwhile: this is older.
            *self.unflushed() = Some(since);
        }
        begun
    }

    fn flush_without_waiting(&self) -> Result<bool, Error> {
        let families = self.names.iter().map(|name| self.family(name)).collect::<Result<Vec<_>, _>>()?;
        let mut options = rocksdb::FlushOptions::default();
        options.set_wait(false);
        match self.db.flush_cfs_opt(&families, &options) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == rocksdb::ErrorKind::TryAgain => Ok(false),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Begins a flush if a write without a write-ahead log has waited for one for so long. Whether it has begun; if it
    /// hasn't although something is so old, the next call tries again.
    ///
    /// # Errors
    /// The flush can't begin; the next call tries again.
    pub fn flush_older_than(&self, age: Duration) -> Result<bool, Error> {
        let since = *self.unflushed();
        match since.filter(|since| since.elapsed() >= age) {
            Some(_) => self.begin_flush(),
            None => Ok(false),
        }
    }

    fn unflushed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unflushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rewrites a store on disk without what was deleted or has expired. Takes as long as reading and writing it.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such store. Otherwise it can't be written.
    pub fn compact(&self, store: StoreId) -> Result<(), Error> {
        let family = self.family(self.store_family(store)?)?;
        self.db.flush_cf(family).map_err(|error| self.error(&error))?;
        self.db.compact_range_cf(family, None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }

    /// Entries of a window store with an earlier timestamp may be gone from disk.
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

/// Attempts to open a database that another process is writing to.
const READ_ATTEMPTS: usize = 20;

fn check_names(path: &Path, descriptors: &[ColumnFamilyDescriptor]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for family in descriptors {
        if !families::is_valid(family.name()) || !seen.insert(family.name()) {
            let reason = format!("column family {:?}: the name is used twice or isn't one", family.name());
            return Err(Error::Other { path: path.into(), reason });
        }
    }
    Ok(())
}

/// The families that the database has; none if it is new.
fn existing(path: &Path, database: &Options) -> Result<BTreeSet<String>, Error> {
    if !path.join("CURRENT").exists() {
        return Ok(BTreeSet::new());
    }
    let names = DB::list_cf(database, path).map_err(|error| Error::from_rocksdb(path, &error))?;
    Ok(names.into_iter().collect())
}

/// RocksDB opens all families or none: those that nobody asked for come along.
fn add_unused(
    path: &Path,
    memory: &Memory,
    database: &Options,
    descriptors: &mut Vec<ColumnFamilyDescriptor>,
) -> Result<Vec<String>, Error> {
    let mut unused = existing(path, database)?;
    for family in &*descriptors {
        unused.remove(family.name());
    }
    for name in &unused {
        descriptors.push(ColumnFamilyDescriptor::new(name, tuning::family(memory, Shape::Entries)));
    }
    Ok(unused.into_iter().collect())
}
