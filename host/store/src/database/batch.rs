//! Batches: changes that are written together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_engine::ports::{Horizons, StoreChanges, StoreId};
use rocksdb::{ColumnFamily, WriteBatch};

use super::Database;
use crate::error::Error;

/// What a write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// The end of the process. After a power failure, the database is as it was a moment earlier.
    Buffered,
    /// A power failure, too: the write waits for the disk.
    Synced,
}

/// Changes to any stores and families. [`Database::write`] writes all or none of them; a batch that is dropped changes
/// nothing.
pub struct Batch {
    pub(crate) database: Arc<Database>,
    pub(crate) writes: WriteBatch,
    /// Writes without a write-ahead log.
    pub(crate) unlogged: WriteBatch,
    /// New watermarks, by store and partition.
    pub(crate) expired: BTreeMap<(usize, u32), Horizons>,
    /// Stores and partitions that are cleared: their watermarks are void.
    pub(crate) cleared: BTreeSet<(usize, u32)>,
    key: KeyBuffer,
}

/// A buffer for the keys of entries, with the partition in front.
#[derive(Default)]
struct KeyBuffer {
    bytes: Vec<u8>,
    /// Length of the longest key so far.
    longest: usize,
}

impl KeyBuffer {
    fn of(&mut self, partition: u32, key: &[u8]) -> &[u8] {
        self.bytes.clear();
        self.bytes.extend_from_slice(&partition.to_be_bytes());
        self.bytes.extend_from_slice(key);
        self.longest = self.longest.max(self.bytes.len());
        &self.bytes
    }
}

impl Batch {
    /// An empty batch.
    pub fn new(database: &Arc<Database>) -> Self {
        let database = Arc::clone(database);
        let (expired, cleared) = (BTreeMap::new(), BTreeSet::new());
        let (writes, unlogged) = (WriteBatch::default(), WriteBatch::default());
        Self { database, writes, unlogged, expired, cleared, key: KeyBuffer::default() }
    }

    /// Adds the changes of a task's transaction to one store. Entries that the changes declare as expired are dropped
    /// from disk some time after the batch is written.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such store.
    pub fn apply(&mut self, changes: &StoreChanges, partition: u32) -> Result<(), Error> {
        let family = self.database.family(self.database.store_family(changes.store)?)?;
        let writes = if self.database.is_logged(changes.store) { &mut self.writes } else { &mut self.unlogged };
        for (key, value) in &changes.entries {
            put(writes, family, self.key.of(partition, key), value.as_deref());
        }
        if let Some(before) = changes.expire_before {
            self.expired.insert((changes.store.0, partition), before);
        }
        Ok(())
    }

    /// Sets an entry of a store, or deletes it with `None`. For a restore from the changelog, whose entries have this
    /// form.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such store.
    pub fn set(&mut self, store: StoreId, partition: u32, key: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        let family = self.database.family(self.database.store_family(store)?)?;
        let writes = if self.database.is_logged(store) { &mut self.writes } else { &mut self.unlogged };
        put(writes, family, self.key.of(partition, key), value);
        Ok(())
    }

    /// Clears a partition of a store: deletes its entries, those that this batch has set before, and its watermarks, so
    /// that it may be filled with older entries again.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such store. Otherwise it can't be read.
    pub fn clear(&mut self, store: StoreId, partition: u32) -> Result<(), Error> {
        let family = self.database.store_family(store)?;
        let end = match partition.checked_add(1) {
            Some(next) => next.to_be_bytes().to_vec(),
            None => self.end_of_keys(family)?,
        };
        let family = self.database.family(family)?;
        let writes = if self.database.is_logged(store) { &mut self.writes } else { &mut self.unlogged };
        writes.delete_range_cf(family, &partition.to_be_bytes()[..], &end[..]);
        self.expired.remove(&(store.0, partition));
        self.cleared.insert((store.0, partition));
        Ok(())
    }

    /// A key after all keys of a family, in the database and in this batch: longer than any of them, and with the
    /// highest bytes. RocksDB has no range without an end, and the highest partition has no next one.
    fn end_of_keys(&self, family: &str) -> Result<Vec<u8>, Error> {
        let last = self.database.last_key(family)?.map_or(0, |key| key.len());
        Ok(vec![u8::MAX; last.max(self.key.longest).max(size_of::<u32>()) + 1])
    }

    /// Sets a key of a family of the driver's.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such family.
    pub fn put(&mut self, family: &str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.writes.put_cf(self.database.family(family)?, key, value);
        Ok(())
    }

    /// Sets a key of a family of the driver's that is kept or lost together with the writes to the store.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such family.
    pub fn put_beside(&mut self, store: StoreId, family: &str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let writes = if self.database.is_logged(store) { &mut self.writes } else { &mut self.unlogged };
        writes.put_cf(self.database.family(family)?, key, value);
        Ok(())
    }

    /// Deletes a key that was [put beside](Self::put_beside) a store.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such family.
    pub fn delete_beside(&mut self, store: StoreId, family: &str, key: &[u8]) -> Result<(), Error> {
        let writes = if self.database.is_logged(store) { &mut self.writes } else { &mut self.unlogged };
        writes.delete_cf(self.database.family(family)?, key);
        Ok(())
    }

    /// Deletes a key of a family of the driver's.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such family.
    pub fn delete(&mut self, family: &str, key: &[u8]) -> Result<(), Error> {
        self.writes.delete_cf(self.database.family(family)?, key);
        Ok(())
    }

    /// Size of the writes in bytes.
    pub fn bytes(&self) -> usize {
        self.writes.size_in_bytes() + self.unlogged.size_in_bytes()
    }

    /// Whether the batch has no writes and no watermarks.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.unlogged.is_empty() && self.expired.is_empty()
    }
}

fn put(writes: &mut WriteBatch, family: &ColumnFamily, key: &[u8], value: Option<&[u8]>) {
    match value {
        Some(value) => writes.put_cf(family, key, value),
        None => writes.delete_cf(family, key),
    }
}
