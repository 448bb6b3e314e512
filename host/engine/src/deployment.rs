//! Deployments of plugins: which version of each plugin an app runs, which ones it ran before, and the rules by which
//! one follows another. Each driver keeps the [records](PluginRecord) in its own way; the rules are the same.
//!
//! A *version* of a plugin is a component with a config. A *deployment* makes a version the active one. Its
//! *generation* grows with each deployment of any plugin of the app, so a single number says how far a task is.
//!
//! ```text
//!   deploy            all processes have loaded it          another deployment
//!   ──────▶ staged ────────────────────────────────▶ active ──────────────────▶ superseded
//!              │                                        ▲ │ rollback
//!              │ refused, or another one comes first    │ └───────────────────▶ rolled back
//!              └────────▶ aborted                       │
//!                                                       └── start of a process with a new version; rollback to an
//!                                                           earlier one; finalize: the active one as a new generation
//! ```

mod record;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;
use crate::record::Timestamp;
use crate::step::Deployed;
use crate::topology::{Call, Topology};
pub use record::{Cause, Deployment, PluginRecord, Status, StoreVersions};
pub use rules::AppDeployments;

/// A loaded version of a plugin that may become the active one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// Name of the plugin in the pipeline.
    pub name: String,
    /// Digest of the component.
    pub component: String,
    /// Its size in bytes.
    pub size: u64,
    /// Digest of the config.
    pub config: String,
    /// The config as JSON text.
    pub settings: String,
    /// The stores of all functions, by function and store, with the newest version as the one that is written.
    pub stores: BTreeMap<String, StoreVersions>,
    /// Those of them that a step of the pipeline has.
    pub called: BTreeSet<String>,
}

impl Candidate {
    /// The stores of a plugin's functions.
    pub fn stores_of(manifest: &Manifest) -> BTreeMap<String, StoreVersions> {
        let stores = manifest.functions.iter().flat_map(|it| it.stores.iter().map(|store| (it.name.as_str(), store)));
        let versions = stores.filter_map(|(function, store)| {
            let (reads, writes) = (store.reads.clone(), store.writes.clone());
            let now = *writes.last()?;
            Some((format!("{function}/{}", store.name), StoreVersions { reads, writes, now }))
        });
        versions.collect()
    }

    /// The stores of the functions of a plugin that a pipeline calls.
    pub fn called_of(plugin: &str, topology: &Topology) -> BTreeSet<String> {
        let nodes = topology.subtopologies.iter().flat_map(|part| &part.nodes);
        let calls = nodes.filter_map(|node| node.operator.call());
        let of_plugin = |call: &&Call| topology.plugins.get(call.plugin.0).is_some_and(|it| it.name == plugin);
        let functions = calls.filter(of_plugin).map(|call| &call.manifest);
        functions.flat_map(|it| it.stores.iter().map(|store| format!("{}/{}", it.name, store.name))).collect()
    }
}

/// The author of a deployment, and why it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Name of the user and the host.
    pub by: String,
    /// Time of the deployment.
    pub at: Timestamp,
    /// A note for people.
    pub note: String,
}

/// A change of the deployments that a user asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Processes load these versions.
    Stage(Vec<Candidate>),
    /// These staged generations become active, by plugin, all at once.
    Activate(BTreeMap<String, u32>),
    /// These staged generations don't become active.
    Abort(BTreeMap<String, u32>),
    /// A plugin goes back to an earlier version.
    Rollback {
        /// The plugin.
        plugin: String,
        /// The generation that is active now: a request that comes twice is done once.
        replaces: u32,
        /// The generation of the version; none for the one before.
        to: Option<u32>,
    },
    /// The active version of a plugin writes its newest state versions from now on.
    Finalize {
        /// The plugin.
        plugin: String,
        /// The generation that is active now.
        replaces: u32,
    },
}

/// A plugin can't become or stay the active version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin `{plugin}`: {reason}")]
pub struct DeploymentRefused {
    /// The plugin.
    pub plugin: String,
    /// The reason, and what would be right.
    pub reason: String,
}

/// A process starts with a version in its files that the app has run before, and runs the active one.
#[derive(Clone, Copy, Debug)]
pub struct Joined<'a> {
    /// The version in the files.
    pub candidate: &'a Candidate,
    /// The active one.
    pub active: &'a Deployment,
}

impl Joined<'_> {
    /// Drivers log it.
    pub const MESSAGE: &'static str = "the files have an old version of the plugin, and this process runs the active one; `millrace \
        deploy` makes that of the files active, or `--set deploy-on-start=always`";
}

/// The active versions of all plugins, loaded: what the tasks of a process run.
#[derive(Clone, Debug)]
pub struct ActivePlugins {
    /// The pipeline with the functions of these versions.
    pub topology: Arc<Topology>,
    /// The deployments, in the order of the topology's plugins.
    pub deployments: Arc<[Deployed]>,
}

impl ActivePlugins {
    /// The generations of the plugins that a sub-topology calls, by name.
    pub fn generations_of(&self, subtopology: usize) -> BTreeMap<String, u32> {
        let nodes = self.topology.subtopologies.get(subtopology).map_or(&[][..], |part| &part.nodes);
        let calls = nodes.iter().filter_map(|node| node.operator.call());
        let generation = |call: &Call| {
            let plugin = self.topology.plugins.get(call.plugin.0)?;
            Some((plugin.name.clone(), self.deployments.get(call.plugin.0)?.generation))
        };
        calls.filter_map(generation).collect()
    }
}

/// A deployment that a process is to run.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Name of the plugin in the pipeline.
    pub plugin: &'a str,
    /// The deployment.
    pub deployment: &'a Deployment,
}

/// Loads versions of plugins for a process: compiles them and connects them to its pipeline. The implementation keeps
/// those that the process has loaded before.
pub trait PluginLoader: Send + Sync {
    /// The component with this digest, if it has it: from the process's files, or because it was [added](Self::add).
    fn component(&self, digest: &str) -> Option<Arc<[u8]>>;

    /// Adds a component, under the digest of its bytes.
    fn add(&self, component: Arc<[u8]>);

    /// Loads the deployments of all plugins, in the order of the topology's plugins.
    ///
    /// # Errors
    /// A component is missing, or a version doesn't fit the process's pipeline files or its limits: the reason, for
    /// people.
    fn load(&self, wanted: &[Wanted<'_>]) -> Result<ActivePlugins, String>;

    /// Frees what was loaded for other deployments than these: no task of the process runs them any more.
    fn retire(&self, active: &[Deployed]);
}
