//! What a process function may touch while it works on one record.

use bytes::Bytes;

use super::TaskState;
use super::keys::{decode_stored, encode_stored};
use super::overlay::Before;
use crate::ports::{Backend, BackendError, Scan, StoreId, Stored};

/// The stores of one process step, for the length of one call. Writes are undone by the engine unless the call goes
/// well. Who implements [`Logic::process`](crate::ports::Logic::process) gets it and gives it back.
pub struct ProcessScope {
    state: TaskState,
    stores: Vec<StoreId>,
    undo: Vec<(StoreId, Bytes, Before)>,
}

/// A part of a range of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys in order, with their values.
    pub items: Vec<(Bytes, Stored)>,
    /// The key to go on from, where there is more.
    pub next: Option<Bytes>,
}

impl ProcessScope {
    pub(crate) fn new(state: TaskState, stores: Vec<StoreId>) -> Self {
        Self { state, stores, undo: Vec::new() }
    }

    /// A scope of its own over committed state, with stores 0 to `stores - 1` of the backend: for who tests an
    /// implementation of [`Logic`](crate::ports::Logic).
    pub fn over(backend: Box<dyn Backend>, stores: usize) -> Self {
        Self::new(TaskState::new(backend, stores), (0..stores).map(StoreId).collect())
    }

    /// Gives the state back, with the writes of the call in it or without.
    pub(crate) fn into_state(mut self, keep: bool) -> TaskState {
        if !keep {
            for (store, key, before) in self.undo.drain(..).rev() {
                self.state.restore(store, key, before);
            }
        }
        self.state
    }

    /// The entries that the call has written, as they are now: the store, and the lengths of key and value.
    pub(crate) fn written(&self) -> impl Iterator<Item = (StoreId, usize, usize)> {
        self.undo.iter().filter_map(|(store, key, _)| {
            let value = self.state.written(*store, key)?;
            Some((*store, key.len(), value.len()))
        })
    }

    /// Number of stores: valid indexes are below it.
    pub fn stores(&self) -> usize {
        self.stores.len()
    }

    /// The value of a key in a store of the function, by the store's index in the manifest.
    pub fn get(&self, store: usize, key: &[u8]) -> Result<Option<Stored>, BackendError> {
        let store = self.store(store)?;
        let Some(bytes) = self.state.get(store, key)? else { return Ok(None) };
        decode_stored(&bytes).map(Some).ok_or_else(|| corrupt(store))
    }

    /// Sets a key. An index that isn't below [`stores`](Self::stores) is ignored.
    pub fn put(&mut self, store: usize, key: Bytes, value: Stored) {
        self.write(store, key, Some(encode_stored(&value)));
    }

    /// Deletes a key. An index that isn't below [`stores`](Self::stores) is ignored.
    pub fn delete(&mut self, store: usize, key: Bytes) {
        self.write(store, key, None);
    }

    /// Keys from `from` (inclusive) to `to` (exclusive; `None`: the last), in pages of about `max_bytes`, but at least
    /// one item.
    pub fn range(&self, store: usize, from: &[u8], to: Option<&[u8]>, max_bytes: usize) -> Result<Page, BackendError> {
        let store = self.store(store)?;
        let mut page = Page::default();
        let (mut bytes, mut readable) = (0, true);
        self.state.scan(store, from, to, &mut |key, value| {
            if !page.items.is_empty() && bytes + key.len() + value.len() > max_bytes {
                page.next = Some(Bytes::copy_from_slice(key));
                return Scan::Stop;
            }
            bytes += key.len() + value.len();
            match decode_stored(&Bytes::copy_from_slice(value)) {
                Some(stored) => page.items.push((Bytes::copy_from_slice(key), stored)),
                None => readable = false,
            }
            if readable { Scan::Continue } else { Scan::Stop }
        })?;
        if readable { Ok(page) } else { Err(corrupt(store)) }
    }

    fn write(&mut self, store: usize, key: Bytes, value: Option<Bytes>) {
        if let Some(store) = self.stores.get(store).copied() {
            let before = self.state.put(store, key.clone(), value);
            self.undo.push((store, key, before));
        }
    }

    fn store(&self, index: usize) -> Result<StoreId, BackendError> {
        self.stores.get(index).copied().ok_or_else(|| BackendError {
            store: format!("number {index}"),
            reason: format!("the function has {} stores", self.stores.len()),
        })
    }
}

fn corrupt(store: StoreId) -> BackendError {
    BackendError { store: format!("number {}", store.0), reason: "a value is shorter than its header".into() }
}
