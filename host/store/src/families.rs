//! Names of column families.

/// The families of stores begin like this.
const STORE_PREFIX: &str = "s.";

/// The family of a store.
pub(crate) fn of_store(store: &str) -> String {
    format!("{STORE_PREFIX}{store}")
}

/// The store that a family belongs to.
pub(crate) fn store_of(family: &str) -> Option<&str> {
    family.strip_prefix(STORE_PREFIX)
}

/// Whether RocksDB accepts the name, which crosses a C interface.
pub(crate) fn is_valid(family: &str) -> bool {
    !family.is_empty() && !family.contains('\0')
}
