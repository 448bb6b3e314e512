//! State of a task: committed state, and the open transaction over it.
//!
//! The engine has the overlay, not the database. So on every driver, reads see the open transaction, and an abort
//! leaves no trace.

pub(crate) mod aggregate_windows;
pub(crate) mod budget;
pub(crate) mod dedup;
pub(crate) mod join;
mod key_cache;
pub mod keys;
mod overlay;
mod scope;
pub(crate) mod state_cache;
pub(crate) mod table;
pub(crate) mod timers;
pub(crate) mod unmatched;
mod window_cache;
pub(crate) mod window_records;

use bytes::Bytes;

use crate::ports::{Backend, BackendError, Horizons, Scan, StoreChanges, StoreId};
use overlay::{Overlay, PreviousWrite, Write};
pub(crate) use scope::{Cause, ScopeWrite, TimerChanges, TimerScope};
pub use scope::{Page, ProcessScope};

/// Committed state with the open transaction over it.
pub(crate) struct TaskState {
    backend: Box<dyn Backend>,
    overlays: Vec<Overlay>,
    /// Whether the open transaction has deleted a key without a trace, because the committed state doesn't have it.
    has_undone: bool,
    expire: Vec<Option<Horizons>>,
}

impl TaskState {
    /// An empty transaction over committed state, for the number of stores of the topology.
    pub(crate) fn new(backend: Box<dyn Backend>, stores: usize) -> Self {
        let overlays = std::iter::repeat_with(Overlay::default).take(stores).collect();
        Self { backend, overlays, has_undone: false, expire: vec![None; stores] }
    }

    /// A placeholder for the state while a process function has it.
    pub(crate) fn lent() -> Self {
        Self::new(Box::new(LentState), 0)
    }

    pub(crate) fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        match self.overlays.get(store.0).and_then(|overlay| overlay.get(key)) {
            Some(written) => Ok(written.clone()),
            None => self.backend.get(store, key),
        }
    }

    /// The value of a key in the open transaction.
    fn written(&self, store: StoreId, key: &[u8]) -> Option<&Bytes> {
        self.overlays.get(store.0)?.get(key)?.as_ref()
    }

    pub(crate) fn put(&mut self, store: StoreId, key: Bytes, value: Option<Bytes>) -> PreviousWrite {
        let overlay = self.overlays.get_mut(store.0)?;
        let is_deleted = value.is_none();
        let before = overlay.put(key, value);
        self.has_undone |= is_deleted && before.as_ref().is_some_and(Write::is_new);
        before
    }

    /// Deletes a key that the state doesn't have, neither committed nor in the open transaction.
    pub(crate) fn delete_absent(&mut self) {
        self.has_undone = true;
    }

    /// Whether the open transaction has changed anything, be it that nothing is left of it.
    pub(crate) fn is_changed(&self) -> bool {
        self.has_undone || self.bytes() > 0
    }

    /// Writes a key that the state doesn't have, neither committed nor in the open transaction. If it is deleted before
    /// the commit, nothing is written.
    pub(crate) fn put_new(&mut self, store: StoreId, key: Bytes, value: Bytes) {
        if let Some(overlay) = self.overlays.get_mut(store.0) {
            overlay.put_new(key, value);
        }
    }

    pub(crate) fn restore(&mut self, store: StoreId, key: Bytes, before: PreviousWrite) {
        if let Some(overlay) = self.overlays.get_mut(store.0) {
            overlay.restore(key, before);
        }
    }

    /// Visits the entries from `from` (inclusive) to `to` (exclusive), in the order of their keys.
    pub(crate) fn scan(
        &self,
        store: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        let Some(overlay) = self.overlays.get(store.0) else { return Ok(()) };
        let mut written = overlay.range(from, to);
        let mut stopped = false;
        self.backend.scan(store, from, to, &mut |key, value| {
            let verdict = written.merge(key, value, visit);
            stopped = verdict == Scan::Stop;
            verdict
        })?;
        if !stopped {
            written.finish(visit);
        }
        Ok(())
    }

    /// Expires entries of a window store with earlier timestamps.
    pub(crate) fn expire(&mut self, store: StoreId, before: Horizons) {
        if let Some(limit) = self.expire.get_mut(store.0) {
            *limit = Some(before);
        }
    }

    /// Memory of the open transaction in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.overlays.iter().map(Overlay::bytes).sum()
    }

    /// Takes the transaction's writes, store by store, in the order of keys.
    pub(crate) fn take_changes(&mut self) -> Vec<StoreChanges> {
        self.has_undone = false;
        let overlays = self.overlays.iter_mut().zip(&mut self.expire).enumerate();
        let changes = overlays.map(|(store, (overlay, expire))| StoreChanges {
            store: StoreId(store),
            entries: overlay.drain(),
            expire_before: expire.take(),
        });
        changes.filter(|changes| !changes.entries.is_empty() || changes.expire_before.is_some()).collect()
    }
}

/// The backend of the placeholder: no caller reads it.
struct LentState;

impl Backend for LentState {
    fn get(&self, _: StoreId, _: &[u8]) -> Result<Option<Bytes>, BackendError> {
        Err(lent())
    }

    fn scan(
        &self,
        _: StoreId,
        _: &[u8],
        _: Option<&[u8]>,
        _: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        Err(lent())
    }
}

fn lent() -> BackendError {
    BackendError { store: "all".into(), reason: "the state is with a process function".into() }
}
