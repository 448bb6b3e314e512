//! The keys of a plugin's config, and where each stands.

use super::diagnostic::Place;
use super::tree::{Entry, Value};

/// A key of a plugin's config, at any depth.
#[derive(Clone, Debug)]
pub(super) struct ConfigKey {
    pub name: String,
    pub at: Place,
}

/// The keys of a config, those in a table behind its own.
pub(super) fn config_keys(config: &Value) -> Vec<ConfigKey> {
    let Value::Table(entries) = config else { return Vec::new() };
    let keys = |entry: &Entry| {
        let own = ConfigKey { name: entry.name.clone(), at: entry.at };
        [own].into_iter().chain(config_keys(&entry.item.value))
    };
    entries.iter().flat_map(keys).collect()
}
