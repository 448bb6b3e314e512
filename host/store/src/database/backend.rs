//! The engine's view of the database: the stores of one task.

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::ports::{Backend, BackendError, Scan, StoreId};
use smallvec::SmallVec;

use super::Database;
use crate::error::Error;
use crate::families;

/// A key of a store's family; most fit without an allocation.
type Key = SmallVec<[u8; 64]>;

/// The committed state of one partition. Reads see each write as soon as [`Database::write`] returns.
#[derive(Clone)]
pub struct TaskBackend {
    database: Arc<Database>,
    partition: u32,
    shared: Arc<[StoreId]>,
}

/// The partition of stores that all partitions share.
pub const SHARED: u32 = 0;

impl TaskBackend {
    pub(crate) fn new(database: Arc<Database>, partition: u32) -> Self {
        Self { database, partition, shared: Arc::default() }
    }

    /// The same with some stores shared by all partitions, such as global tables: their entries are in partition
    /// [`SHARED`].
    pub fn sharing(self, shared: Arc<[StoreId]>) -> Self {
        Self { shared, ..self }
    }

    fn partition_of(&self, store: StoreId) -> u32 {
        if self.shared.contains(&store) { SHARED } else { self.partition }
    }

    fn key(&self, store: StoreId, key: &[u8]) -> Key {
        let mut full = Key::with_capacity(4 + key.len());
        full.extend_from_slice(&self.partition_of(store).to_be_bytes());
        full.extend_from_slice(key);
        full
    }

    /// The first key after this partition; `None` for the highest partition.
    fn end(&self, store: StoreId) -> Option<Key> {
        self.partition_of(store).checked_add(1).map(|next| Key::from_slice(&next.to_be_bytes()))
    }

    fn error(&self, store: StoreId, error: &Error) -> BackendError {
        let family = self.database.store_family(store);
        let name = family.ok().and_then(families::store_of).map_or_else(|| store.0.to_string(), str::to_owned);
        BackendError { store: name, reason: error.to_string() }
    }
}

impl Backend for TaskBackend {
    fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        let read = || self.database.get(self.database.store_family(store)?, &self.key(store, key));
        read().map_err(|error| self.error(store, &error))
    }

    fn scan(
        &self,
        store: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        let end = to.map(|to| self.key(store, to)).or_else(|| self.end(store));
        let mut scan = || {
            let family = self.database.store_family(store)?;
            self.database.scan(family, &self.key(store, from), end.as_deref(), &mut |key, value| {
                // The engine's keys have no partition.
                visit(key.get(4..).unwrap_or_default(), value)
            })
        };
        scan().map_err(|error| self.error(store, &error))
    }
}
