//! Plugins that couldn't be loaded, and the places of their mistakes.

use super::config_keys::ConfigKey;
use super::diagnostic::{Place, Sources};
use super::model::Plugin;

/// Why a plugin couldn't be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginLoadError {
    /// The component is missing or can't be used.
    #[error("{0}")]
    Component(String),
    /// The plugin has refused its config.
    #[error("{0}")]
    Config(String),
}

impl PluginLoadError {
    /// The place of the mistake; for a config, that of the key that the reason names, in a file or on the command line.
    pub(super) fn place(&self, plugin: &Plugin, sources: &Sources) -> Place {
        let Self::Config(reason) = self else { return plugin.component_at };
        let separates = |one: char| !one.is_alphanumeric() && !"_-".contains(one);
        let is_named = |key: &&ConfigKey| reason.split(separates).any(|word| word == key.name);
        let is_set = |key: &&ConfigKey| sources.is_override(key.at);
        let keys = || plugin.config_keys.iter();
        let named = keys().filter(is_named).rfind(is_set).or_else(|| keys().rfind(is_named));
        // The reason is free text of the plugin's. An override is more likely wrong than the file.
        let key = named.or_else(|| keys().rfind(is_set));
        key.map(|key| key.at).or(plugin.config_at).unwrap_or(plugin.component_at)
    }
}
