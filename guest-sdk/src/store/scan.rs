//! Reads entries of a store, page by page.

use std::marker::PhantomData;

use super::StoreKey;
use crate::bindings::process::millrace::plugin::state::{Item, Page};
use crate::error::Result;
use crate::host;
use crate::state::{self, State};

/// Approximate number of bytes in a page.
const PAGE: u32 = 64 << 10;

/// Entries of a store in the order of their keys, fetched in pages, on demand.
pub struct Entries<K, V> {
    store: u32,
    bounds: Bounds,
    /// The first key of the next page; none after the last page.
    next: Option<Start>,
    page: std::vec::IntoIter<Item>,
    types: PhantomData<fn() -> (K, V)>,
}

enum Bounds {
    Range { end: Option<Vec<u8>> },
    Prefix(Vec<u8>),
}

/// The first key of a page; none: the first key of the store.
struct Start(Option<Vec<u8>>);

impl<K, V> Entries<K, V> {
    pub(super) fn range(store: u32, start: Option<Vec<u8>>, end: Option<Vec<u8>>) -> Self {
        Self::new(store, Bounds::Range { end }, Start(start))
    }

    pub(super) fn prefix(store: u32, prefix: Vec<u8>) -> Self {
        Self::new(store, Bounds::Prefix(prefix), Start(None))
    }

    fn new(store: u32, bounds: Bounds, start: Start) -> Self {
        Self { store, bounds, next: Some(start), page: Vec::new().into_iter(), types: PhantomData }
    }

    fn item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.page.next() {
                return Some(item);
            }
            let Start(start) = self.next.take()?;
            let Page { items, next } = match &self.bounds {
                Bounds::Range { end } => host::state::range(self.store, start.as_deref(), end.as_deref(), PAGE),
                Bounds::Prefix(prefix) => host::state::prefix(self.store, prefix, start.as_deref(), PAGE),
            };
            self.page = items.into_iter();
            self.next = next.map(|next| Start(Some(next)));
        }
    }
}

impl<K: StoreKey, V: State> Iterator for Entries<K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        let Item { key, value } = self.item()?;
        Some(K::read(&key).and_then(|key| Ok((key, state::decode(value.version, &value.bytes)?))))
    }
}
