//! What is committed of a window store and not yet in the local state.
//!
//! Records of a join expire soon, and while all of them are in memory nobody reads them on disk. So they are kept back,
//! and most never get there: what is written from time to time is what is still alive. The position stays behind with
//! them: after a crash, the changelog has the rest.
//!
//! Who reads the store after all, because its records don't fit into memory any more, gets everything first. From then
//! on nothing is kept back.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_engine::ports::{Backend, BackendError, Scan, StoreChanges, StoreId};
use millrace_engine::state::keys::decode_window_key;
use millrace_store::{Batch, Database, Durability, TaskBackend};

use crate::error::Error;
use crate::positions::Position;

/// The longest that something is kept back: as much as that comes from the changelog after a crash.
const LONGEST: Duration = Duration::from_secs(30);

/// What an entry costs in memory beside its bytes.
const OVERHEAD: usize = 96;

/// The changes of a store's partition that are kept back.
#[derive(Clone)]
pub(crate) struct Postponed(Arc<Mutex<Kept>>);

struct Kept {
    changes: StoreChanges,
    partition: u32,
    bytes: usize,
    /// Which position they reach, and its key.
    position: Option<Position>,
    key: Vec<u8>,
    since: Option<Instant>,
    /// Whether the store is read.
    read: bool,
}

impl Postponed {
    /// Nothing yet, of a store whose position has this key.
    pub(crate) fn new(store: StoreId, partition: u32, key: Vec<u8>) -> Self {
        let changes = StoreChanges { store, entries: Vec::new(), expire_before: None };
        let kept = Kept { changes, partition, bytes: 0, position: None, key, since: None, read: false };
        Self(Arc::new(Mutex::new(kept)))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps changes back, with the position that they reach. False if the store is read: then they are to be written.
    pub(crate) fn keep(&self, changes: &StoreChanges, position: Option<Position>) -> bool {
        let mut kept = self.kept();
        if kept.read {
            return false;
        }
        kept.since.get_or_insert_with(Instant::now);
        kept.bytes += changes.entries.iter().map(cost).sum::<usize>();
        kept.changes.entries.extend_from_slice(&changes.entries);
        kept.changes.expire_before = changes.expire_before.or(kept.changes.expire_before);
        kept.position = position.or(kept.position.take());
        true
    }

    /// Memory of what is kept back, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.kept().bytes
    }

    /// Whether it has been kept back for long enough.
    pub(crate) fn is_old(&self) -> bool {
        self.kept().since.is_some_and(|since| since.elapsed() >= LONGEST)
    }

    /// Drops what has expired, and all but the last of what was written several times.
    pub(crate) fn prune(&self) {
        self.kept().prune();
    }

    /// Moves everything into a batch, with the position.
    pub(crate) fn write(&self, batch: &mut Batch) -> Result<(), Error> {
        let mut kept = self.kept();
        kept.prune();
        kept.write(batch)
    }
}

impl Kept {
    fn prune(&mut self) {
        let horizons = self.changes.expire_before;
        let is_live = |key: &[u8]| match (decode_window_key(key), horizons) {
            (Some((part, _, time, _)), Some(horizons)) => {
                horizons.get(usize::from(part)).is_none_or(|horizon| time >= *horizon)
            }
            _ => true,
        };
        let mut later = HashSet::new();
        let mut live: Vec<_> = std::mem::take(&mut self.changes.entries);
        live.reverse();
        live.retain(|(key, _)| is_live(key) && later.insert(key.clone()));
        live.reverse();
        self.bytes = live.iter().map(cost).sum();
        self.changes.entries = live;
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), Error> {
        if self.since.take().is_none() {
            return Ok(());
        }
        batch.apply(&self.changes, self.partition)?;
        if let Some(position) = self.position.take() {
            position.write(batch, self.changes.store, &self.key)?;
        }
        self.changes.entries = Vec::new();
        self.changes.expire_before = None;
        self.bytes = 0;
        Ok(())
    }
}

fn cost((key, value): &(Bytes, Option<Bytes>)) -> usize {
    key.len() + value.as_ref().map_or(0, Bytes::len) + OVERHEAD
}

/// The committed state of a task, with what is kept back of it.
pub(crate) struct LateBackend {
    pub(crate) database: Arc<Database>,
    pub(crate) written: TaskBackend,
    pub(crate) postponed: Vec<Postponed>,
}

impl LateBackend {
    /// Writes what is kept back of a store before it is read.
    fn catch_up(&self, store: StoreId) -> Result<(), BackendError> {
        for postponed in &self.postponed {
            let mut kept = postponed.kept();
            if kept.changes.store != store || kept.since.is_none() {
                continue;
            }
            kept.read = true;
            let mut batch = Batch::new(&self.database);
            let written = kept.write(&mut batch).and_then(|()| Ok(self.database.write(batch, Durability::Buffered)?));
            written.map_err(|error| BackendError { store: store.0.to_string(), reason: error.to_string() })?;
        }
        Ok(())
    }
}

impl Backend for LateBackend {
    fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.catch_up(store)?;
        self.written.get(store, key)
    }

    fn scan(
        &self,
        store: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        self.catch_up(store)?;
        self.written.scan(store, from, to, visit)
    }
}
