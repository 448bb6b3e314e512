//! Names of column families.

const STORE: &str = "s.";

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
