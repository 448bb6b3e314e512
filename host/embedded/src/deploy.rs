//! The app that a data folder belongs to, the deployments of its plugins, and what its stores contain.
//!
//! Planning writes nothing: an app that can't start leaves the folder as it was, and the app that ran before can run
//! again. A plan is written down once the app has started.

mod records;
mod requests;
mod rewriting;
mod running;
mod trials;

use std::collections::BTreeMap;

use millrace_engine::contents::{self, Contents, StateChanges};
use millrace_engine::deployment::{ActivePlugins, Author, Candidate, DeploymentRefused, Joined, PluginLoader};
use millrace_engine::topology::Topology;
use millrace_store::{Batch, Durability};

use crate::error::Error;
use crate::log::Log;
use records::Change;
pub use records::{change, components, deployments, entries_by_version, owner};
pub use requests::{Answer, Request, ask};
pub(crate) use rewriting::Rewriting;
pub use rewriting::rewrite_counts;
pub(crate) use running::Ready;
pub use running::{Deployer, OwnChanges};
pub(crate) use trials::Trials;
pub use trials::{canary_counts, shadow_report};

/// Key of the name of the app that the folder belongs to.
const APP: &[u8] = b"app";

/// Key of the contents of each store, by its name.
const CONTENTS: &[u8] = b"contents";

/// An app that is to start.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// Its pipeline, with the plugins of its files.
    pub topology: &'a Topology,
    /// The plugins of its files, in the order of the topology.
    pub candidates: &'a [Candidate],
    /// Loads other versions of the plugins.
    pub loader: &'a dyn PluginLoader,
    /// The user that starts it.
    pub author: &'a Author,
}

/// The start of an app, checked and not yet written down.
#[derive(Debug)]
#[must_use = "remember the plan once the app has started"]
pub struct Plan {
    app: String,
    plugins: ActivePlugins,
    change: Change,
    contents: BTreeMap<String, Contents>,
    /// Contents of stores that no step uses any more.
    unused: BTreeMap<String, Contents>,
    /// The first generation that this start deploys, if it deploys one.
    new: u32,
}

/// Plans the start of an app: which versions of its plugins run. Writes nothing.
///
/// # Errors
/// [`Error::OtherApp`]: the folder belongs to another app. [`Error::Deployment`]: a version can't read the state that is
/// there, or the active one doesn't fit the pipeline. [`Error::Contents`]: a step would misread the state that is there.
pub fn plan(log: &Log, start: Start<'_>) -> Result<Plan, Error> {
    let Start { topology, candidates, loader, author } = start;
    let app = topology.app.as_str();
    if let Some(owner) = owner(log)?.filter(|owner| owner != app) {
        return Err(Error::OtherApp { owner, app: app.to_owned() });
    }
    let before = deployments(log, app)?;
    let mut deployments = before.clone();
    for candidate in candidates {
        deployments.start(candidate, topology.settings.deploy_on_start, author)?;
    }
    deployments.joined(candidates).for_each(log_joined);
    records::add_components(log, &deployments, topology, loader)?;
    let plugins = deployments.load(topology, loader).map_err(Error::Plugins)?;
    let new = before.generation() + 1;
    let change = Change::new(&before, deployments, &|digest| loader.component(digest));
    let (contents, unused) = contents(log, topology)?;
    Ok(Plan { app: app.to_owned(), plugins, change, contents, unused, new })
}

/// Logs that the app runs another version than that of its files.
fn log_joined(Joined { candidate, active }: Joined<'_>) {
    let (plugin, digest) = (&candidate.name, &candidate.component);
    let (generation, active) = (active.generation, &active.component);
    tracing::warn!(plugin, digest, generation, active, "{}", Joined::MESSAGE);
}

/// What would become of the state in a folder if this pipeline started on it.
///
/// # Errors
/// The folder can't be read.
pub fn state_changes(log: &Log, topology: &Topology) -> Result<StateChanges, Error> {
    let before = noted_contents(log)?;
    let mut now = topology.contents();
    now.values_mut().for_each(|contents| contents.inputs.clear());
    contents::changes(&before, &now, &mut |name| holds_any(log, name))
}

/// Whether a store has entries.
fn holds_any(log: &Log, name: &str) -> Result<bool, Error> {
    let database = log.database();
    let partitions = database.store(name).map(|store| database.partitions(store)).transpose()?;
    Ok(partitions.is_some_and(|partitions| !partitions.is_empty()))
}

type ByStore = BTreeMap<String, Contents>;

/// The contents of the stores, as the last start has noted them.
fn noted_contents(log: &Log) -> Result<ByStore, Error> {
    let noted = log.control(CONTENTS)?.map(|bytes| serde_json::from_slice::<ByStore>(&bytes)).transpose();
    let noted =
        noted.map_err(|error| Error::Input(format!("the record of what the stores contain can't be read: {error}")))?;
    Ok(noted.unwrap_or_default())
}

/// The contents of all stores once the app has started, and of those that it doesn't use.
fn contents(log: &Log, topology: &Topology) -> Result<(ByStore, ByStore), Error> {
    let (mut all, mut now, database) = (noted_contents(log)?, topology.contents(), log.database());
    for (name, contents) in &mut now {
        // All tasks are in this process, so a step that now reads another topic can go on with its state.
        contents.inputs.clear();
        let Some(before) = all.get(name) else { continue };
        let holds_any = |store| Ok::<_, Error>(!database.partitions(store)?.is_empty());
        if database.store(name).map(holds_any).transpose()?.unwrap_or(false) {
            *contents = before.goes_on_as(contents, name)?;
        }
    }
    let unused = all.iter().filter(|(name, _)| !now.contains_key(*name));
    let unused = unused.map(|(name, contents)| (name.clone(), contents.clone())).collect();
    all.extend(now);
    Ok((all, unused))
}

impl Plan {
    /// The plugins that the tasks are opened with.
    pub fn plugins(&self) -> &ActivePlugins {
        &self.plugins
    }

    /// The first generation that this start deploys, if it deploys one.
    pub fn new_generation(&self) -> u32 {
        self.new
    }

    /// Records the app as the folder's owner, and its deployments. Call this after the tasks are opened and before they
    /// run: a commit may leave state that only these deployments can read.
    ///
    /// # Errors
    /// It can't be written.
    pub fn remember(self, log: &Log) -> Result<(), Error> {
        for (store, contents) in &self.unused {
            let (step, of) = (&contents.step, contents.entries.to_string());
            tracing::warn!(
                step,
                store,
                of,
                "no step uses this state; if its step was renamed, the step began with empty state: to go on with this state, give \
                 the step its old name"
            );
        }
        let contents = serde_json::to_vec(&self.contents).map_err(|error| Error::Input(error.to_string()))?;
        let mut batch = Batch::new(log.database());
        log.put_control(&mut batch, APP, self.app.as_bytes())?;
        log.put_control(&mut batch, CONTENTS, &contents)?;
        records::put(log, &mut batch, &self.app, &self.change)?;
        Ok(log.database().write(batch, Durability::Synced)?)
    }
}

fn refused(plugin: &str, reason: String) -> DeploymentRefused {
    DeploymentRefused { plugin: plugin.to_owned(), reason }
}
