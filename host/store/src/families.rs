//! Names of column families.

use rocksdb::DEFAULT_COLUMN_FAMILY_NAME;

const STORE: &str = "s.";

/// The family that holds what is the database's own.
pub(crate) const OWN: &str = DEFAULT_COLUMN_FAMILY_NAME;

/// The family of a store.
pub(crate) fn of_store(store: &str) -> String {
    format!("{STORE}{store}")
}

/// The store that a family belongs to.
pub(crate) fn store_of(family: &str) -> Option<&str> {
    family.strip_prefix(STORE)
}

/// Whether RocksDB takes it: it crosses a C interface.
pub(crate) fn is_valid(family: &str) -> bool {
    !family.is_empty() && !family.contains('\0')
}
