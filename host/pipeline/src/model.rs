//! A pipeline as its files describe it, before names are resolved.

mod step;

use millrace_engine::secret::Secret;
use millrace_engine::topology::{PluginUse, Settings};

use super::config_keys::ConfigKey;
use super::diagnostic::{Place, Placed, Problems, Sources};
use super::kafka::KafkaSetting;

pub(crate) use step::{
    CallName, CommonFields, Input, JoinBounds, JoinSides, ReadTopic, Step, StepKind, TableOf, title,
};

/// The pipeline of an app: its files, read and checked as far as possible without plugins.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub(super) app: String,
    pub(super) settings: Settings,
    /// App-wide topic of dead letters.
    pub(super) dlq: Option<Placed<String>>,
    pub(super) breaker: Option<Place>,
    pub(super) plugins: Vec<Plugin>,
    pub(super) steps: Vec<Step>,
    pub(super) kafka: Vec<KafkaSetting>,
    pub(super) sources: Sources,
    /// Mistakes in the files.
    pub(super) problems: Problems,
    /// Whether a file is missing because it isn't TOML.
    pub(super) partial: bool,
}

impl Pipeline {
    /// Name of the app.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The plugins to load, in the order of the files.
    pub fn plugins(&self) -> impl Iterator<Item = &PluginUse> {
        self.plugins.iter().map(|plugin| &plugin.plugin)
    }

    /// The readable settings of `[kafka]`. Only the client knows whether they are right: see
    /// [`refuse_kafka`](Self::refuse_kafka).
    pub fn kafka(&self) -> Vec<(String, Secret)> {
        self.kafka.iter().map(|setting| (setting.name.clone(), setting.value.clone())).collect()
    }

    /// Adds a mistake that the client has found in a setting, or in the settings as a whole if it names none.
    pub fn refuse_kafka(&mut self, name: Option<&str>, message: String, help: String) {
        let named = self.kafka.iter().find(|setting| name == Some(&setting.name));
        let at = named.or(self.kafka.first()).map(|setting| setting.at).unwrap_or_default();
        self.problems.add(at, message, help);
    }
}

/// A plugin with the places of its fields.
#[derive(Clone, Debug)]
pub(super) struct Plugin {
    pub at: Place,
    pub component_at: Place,
    pub config_at: Option<Place>,
    pub config_keys: Vec<ConfigKey>,
    pub plugin: PluginUse,
}
