//! The memory and disk space of a database.

use std::ffi::CStr;

use rocksdb::properties;

use crate::database::Database;
use crate::error::Error;
use crate::families;

/// The rocksdb crate has no constant for it.
const TOTAL_BLOB_FILE_SIZE: &CStr = c"rocksdb.total-blob-file-size";

/// The memory and disk space of a database, as RocksDB reports them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes of memory of cached blocks and write buffers, which have one limit.
    pub memory: u64,
    /// Bytes of memory of write buffers alone.
    pub write_buffers: u64,
    /// Bytes on disk, without the write-ahead log.
    pub disk: u64,
    /// The stores, by name.
    pub stores: Vec<StoreStatistics>,
}

/// The memory and disk space of a store, as RocksDB reports them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatistics {
    /// Name.
    pub name: String,
    /// Number of entries of all partitions, estimated: deleted ones count until they are compacted.
    pub entries: u64,
    /// Bytes of its write buffers.
    pub write_buffers: u64,
    /// Bytes on disk.
    pub disk: u64,
}

impl Database {
    /// Reads the statistics.
    ///
    /// # Errors
    /// RocksDB doesn't report them.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let mut disk = 0;
        let mut write_buffers = 0;
        let mut stores = Vec::new();
        for family in &self.names {
            let size =
                self.number(family, properties::TOTAL_SST_FILES_SIZE)? + self.number(family, TOTAL_BLOB_FILE_SIZE)?;
            let buffers = self.number(family, properties::SIZE_ALL_MEM_TABLES)?;
            disk += size;
            write_buffers += buffers;
            if let Some(name) = families::store_of(family) {
                let entries = self.number(family, properties::ESTIMATE_NUM_KEYS)?;
                stores.push(StoreStatistics { name: name.into(), entries, write_buffers: buffers, disk: size });
            }
        }
        Ok(Statistics { memory: self.memory.cache.get_usage() as u64, write_buffers, disk, stores })
    }

    fn number(&self, family: &str, property: &CStr) -> Result<u64, Error> {
        let value = self.db.property_int_value_cf(self.family(family)?, property);
        Ok(value.map_err(|error| self.error(&error))?.unwrap_or_default())
    }
}
