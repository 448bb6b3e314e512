//! Flushing memory to disk, and compacting what is there.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use millrace_engine::ports::StoreId;

use super::Database;
use crate::error::Error;

impl Database {
    /// Flushes all stores and families to disk.
    ///
    /// # Errors
    /// [`Error::Full`]: the disk is full. Otherwise it can't be written.
    pub fn flush(&self) -> Result<(), Error> {
        let families = self.names.iter().map(|name| self.family(name)).collect::<Result<Vec<_>, _>>()?;
        let options = rocksdb::FlushOptions::default();
        self.db.flush_cfs_opt(&families, &options).map_err(|error| self.error(&error))
    }

    /// Begins a flush without waiting for its end, and returns whether it has begun: while RocksDB stalls writes
    /// because it can't keep up with flushing, it begins no other flush. Then the unflushed writes keep their age.
    ///
    /// # Errors
    /// The flush can't begin; unflushed writes keep their age.
    pub fn begin_flush(&self) -> Result<bool, Error> {
        // Before the flush: a write that comes while it begins waits for the next one.
        let since = self.unflushed().take();
        let begun = self.flush_without_waiting();
        if !matches!(begun, Ok(true))
            && let Some(since) = since
        {
            // Replaces the time of a write that came meanwhile: this one is older.
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

    /// Begins a flush if a write without a write-ahead log has waited for one at least this long. Returns whether it
    /// has begun; if it should and hasn't, the next call tries again.
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

    pub(super) fn unflushed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unflushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rewrites a store on disk without deleted and expired entries. Takes as long as reading and writing the store.
    ///
    /// # Errors
    /// [`Error::Unknown`]: there is no such store. Otherwise it can't be written.
    pub fn compact(&self, store: StoreId) -> Result<(), Error> {
        let family = self.family(self.store_family(store)?)?;
        self.db.flush_cf(family).map_err(|error| self.error(&error))?;
        self.db.compact_range_cf(family, None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }
}
