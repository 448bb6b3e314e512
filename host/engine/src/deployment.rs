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
//!
//! A staged deployment may have a [trial](Trial) before it is active: as a shadow, whose results are thrown away, or as a
//! canary, which processes the records of some keys.

mod active;
mod counts;
mod flood;
mod record;
mod rewrite;
mod rollback;
mod rules;
#[cfg(test)]
mod tests;
mod trial;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;
use crate::record::Timestamp;
pub use crate::step::Flood;
use crate::topology::{Call, Topology};
pub use active::{ActivePlugins, PluginLoader, Shadows, Wanted};
pub use counts::{CanaryCounts, GuestTime, TrialCounts, VersionResults};
pub use flood::{FloodGuard, Flooded};
pub use record::{Cause, Deployment, PluginRecord, Status, StoreVersions};
pub use rewrite::{Left, REWRITE_RATE, Rewrite, RewriteCounts, RewritePace};
pub use rules::AppDeployments;
pub use trial::{CanaryPlan, ShadowPlan, Trial};
pub use verdict::Verdict;

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
    Stage {
        /// The versions.
        candidates: Vec<Candidate>,
        /// How they are tried before they become active, if they are.
        trial: Option<Trial>,
    },
    /// These staged generations become active, by plugin, all at once; or their trials begin.
    Activate(BTreeMap<String, u32>),
    /// These generations, which are staged or on trial, don't become active. The author's note says why.
    Abort(BTreeMap<String, u32>),
    /// A canary goes on to its next step, or becomes active. The author's note says why.
    Advance {
        /// The plugin.
        plugin: String,
        /// The generation.
        generation: u32,
        /// The step that it is in; none for a shadow.
        step: Option<usize>,
        /// It becomes active at once.
        fully: bool,
        /// A verdict asks for it, and not a user: while the canary is paused, it isn't done.
        judged: bool,
    },
    /// A canary goes no further by itself, or goes on.
    Pause {
        /// The plugin.
        plugin: String,
        /// The generation.
        generation: u32,
        /// Whether it is paused.
        paused: bool,
    },
    /// The input waits, because too many records fail with the active version. The author's note has the counts.
    Hold {
        /// The plugin.
        plugin: String,
        /// The generation that is active now.
        generation: u32,
    },
    /// The input goes on, however many records fail with the active version.
    Accept {
        /// The plugin.
        plugin: String,
        /// The generation that is active now.
        generation: u32,
    },
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
        /// The entries of older state versions are rewritten, too, if there is one. It may write its newest already then.
        #[serde(default)]
        rewrite: Option<Rewrite>,
    },
    /// All tasks of the app have rewritten the entries of older state versions. The author's note is not used.
    Rewritten {
        /// The plugin.
        plugin: String,
        /// The generation that has rewritten them.
        generation: u32,
        /// The stores, by function and store.
        stores: BTreeSet<String>,
        /// The counts of all tasks.
        counts: RewriteCounts,
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
