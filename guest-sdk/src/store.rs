//! Stores of a process function.

mod key;
mod scan;

use std::marker::PhantomData;

use crate::bindings::process::millrace::plugin::state::Value;
use crate::config;
use crate::error::Result;
use crate::host;
use crate::state::{self, State};

pub use key::StoreKey;
pub use scan::Entries;

/// A store of a process function, as an argument: `orders: Store<String, Order>` is the store `orders` in the
/// manifest. Its entries are scoped to the partition, and the writes of a record that fails are undone.
///
/// Numbers and pairs in keys sort in their natural order: see [`StoreKey`].
pub struct Store<K, V> {
    function: u32,
    index: u32,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Clone for Store<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Store<K, V> {}

impl<K: StoreKey, V: State> Store<K, V> {
    #[doc(hidden)]
    pub fn new(function: u32, index: u32) -> Self {
        Self { function, index, types: PhantomData }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `bad-state` if the value can't be read.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        let value = host::state::get(self.index, &key.to_bytes());
        value.map(|value| state::decode(value.version, &value.bytes)).transpose()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// `bad-state` if the value can't be written.
    pub fn put(&self, key: &K, value: &V) -> Result<()> {
        let mut bytes = Vec::new();
        let version = state::encode(value, config::write_version(self.function, self.index), &mut bytes)?;
        host::state::put(self.index, &key.to_bytes(), &Value { version, bytes });
        Ok(())
    }

    /// Deletes a key.
    pub fn delete(&self, key: &K) {
        host::state::delete(self.index, &key.to_bytes());
    }

    /// Entries from `start` (inclusive) to `end` (exclusive), in the order of keys; `None` is the first or the last.
    /// They are fetched in pages, on demand.
    pub fn range(&self, start: Option<&K>, end: Option<&K>) -> Entries<K, V> {
        Entries::range(self.index, start.map(K::to_bytes), end.map(K::to_bytes))
    }

    /// Entries whose key begins with `prefix`, in the order of keys: with keys `(String, u64)`, all with this string.
    pub fn prefix<P: StoreKey>(&self, prefix: &P) -> Entries<K, V> {
        let mut bytes = Vec::new();
        prefix.write_part(&mut bytes);
        Entries::prefix(self.index, bytes)
    }
}
