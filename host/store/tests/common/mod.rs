//! What the tests share.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::ports::{Backend, Scan, StoreChanges, StoreId};
use millrace_engine::topology::{StoreKind, StoreSpec};
use millrace_store::{Batch, Database, Durability, Family, OpenOptions, Shape};

pub const TABLE: StoreId = StoreId(0);
pub const WINDOW: StoreId = StoreId(1);
pub const FAMILIES: [Family<'static>; 2] =
    [Family { name: "log", shape: Shape::Blocks }, Family { name: "offsets", shape: Shape::Entries }];

pub fn specs() -> Vec<StoreSpec> {
    let spec =
        |name: &str, kind| StoreSpec { name: name.into(), kind, key: KeyCodec::Bytes, queryable: true, subtopology: 0 };
    vec![spec("orders", StoreKind::Table), spec("payments", StoreKind::WindowRecords { retention: 10 })]
}

/// A table `orders`, a window store `payments`, families `log` and `offsets`.
pub fn open(path: &Path) -> Arc<Database> {
    let specs = specs();
    let options = OpenOptions { families: &FAMILIES, memory: 8 << 20, ..OpenOptions::new(&specs) };
    Arc::new(Database::open(path, &options).unwrap())
}

pub fn changes(store: StoreId, entries: &[(&str, Option<&str>)]) -> StoreChanges {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let entries = entries.iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect();
    StoreChanges { store, entries, expire_before: None }
}

pub fn put(database: &Arc<Database>, partition: u32, entries: &[(&str, Option<&str>)]) {
    let mut batch = Batch::new(database);
    batch.apply(&changes(TABLE, entries), partition).unwrap();
    database.write(batch, Durability::Buffered).unwrap();
}

/// All entries of a store's partition, as text.
pub fn dump(database: &Arc<Database>, store: StoreId, partition: u32) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut visit = |key: &[u8], value: &[u8]| {
        found.push((text(key), text(value)));
        Scan::Continue
    };
    database.backend(partition).scan(store, &[], None, &mut visit).unwrap();
    found
}
