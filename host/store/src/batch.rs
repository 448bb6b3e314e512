//! What is written together.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::ports::StoreChanges;
use millrace_engine::record::Timestamp;
use rocksdb::WriteBatch;

use crate::database::Database;
use crate::error::Error;
use crate::{expiry, families};

/// What a write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// The death of the process, but not a power failure: after one, the database is as it was a moment earlier.
    Buffered,
    /// A power failure too. Waits for the disk.
    Synced,
}

/// Changes to any stores and families, written at once or not at all by [`Database::write`]. Dropped, it leaves
/// nothing.
pub struct Batch {
    pub(crate) database: Arc<Database>,
    pub(crate) writes: WriteBatch,
    /// By store and partition.
    pub(crate) expired: BTreeMap<(usize, u32), Timestamp>,
    key: Vec<u8>,
}

impl Batch {
    /// An empty batch.
    pub fn new(database: &Arc<Database>) -> Self {
        let database = Arc::clone(database);
        Self { database, writes: WriteBatch::default(), expired: BTreeMap::new(), key: Vec::new() }
    }

    /// What a task's transaction changes in one store. Where the changes say that entries are expired, they are
    /// dropped from disk some time after the batch is written.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such store.
    pub fn apply(&mut self, changes: &StoreChanges, partition: u32) -> Result<(), Error> {
        let (name, family) = self.database.store_family(changes.store)?;
        let family = self.database.family(family)?;
        for (key, value) in &changes.entries {
            self.key.clear();
            self.key.extend_from_slice(&partition.to_be_bytes());
            self.key.extend_from_slice(key);
            match value {
                Some(value) => self.writes.put_cf(family, &self.key, value),
                None => self.writes.delete_cf(family, &self.key),
            }
        }
        if let Some(before) = changes.expire_before {
            let own = self.database.family(families::OWN)?;
            self.writes.put_cf(own, expiry::watermark_key(name, partition), before.to_be_bytes());
            self.expired.insert((changes.store.0, partition), before);
        }
        Ok(())
    }

    /// Sets a key of a family of the driver's.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such family.
    pub fn put(&mut self, family: &str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.writes.put_cf(self.database.family(family)?, key, value);
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

    /// Bytes that it will write.
    pub fn bytes(&self) -> usize {
        self.writes.size_in_bytes()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}
