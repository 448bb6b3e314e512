//! Deployments in the control table of a data folder: a record for each plugin, and the components.
//!
//! | key | value |
//! |---|---|
//! | `deployment/<app>/<plugin>` | the [`PluginRecord`] as JSON |
//! | `component/<digest>` | the bytes of the component |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_engine::deployment::{Act, AppDeployments, Author, PluginLoader, PluginRecord};
use millrace_engine::ports::{Backend, Scan};
use millrace_engine::state::keys::version_of;
use millrace_engine::task::TaskError;
use millrace_engine::topology::Topology;
use millrace_store::{Batch, Durability};

use super::{APP, refused};
use crate::error::Error;
use crate::log::Log;

const COMPONENT: &str = "component/";

fn deployments_of(app: &str) -> String {
    format!("deployment/{app}/")
}

/// The deployments of an app.
///
/// # Errors
/// They can't be read.
pub fn deployments(log: &Log, app: &str) -> Result<AppDeployments, Error> {
    let prefix = deployments_of(app);
    let mut plugins = BTreeMap::new();
    for (key, value) in log.controls(prefix.as_bytes())? {
        let plugin = String::from_utf8_lossy(key.get(prefix.len()..).unwrap_or_default()).into_owned();
        let record = serde_json::from_slice::<PluginRecord>(&value);
        let record = record.map_err(|error| refused(&plugin, format!("its record can't be read: {error}")))?;
        plugins.insert(plugin, record);
    }
    Ok(AppDeployments { plugins })
}

/// Gives the loader the components that it lacks of the deployments that a process runs now or next.
pub(super) fn add_components(
    log: &Log,
    deployments: &AppDeployments,
    topology: &Topology,
    loader: &dyn PluginLoader,
) -> Result<(), Error> {
    for digest in deployments.needed(topology) {
        if loader.component(digest).is_none()
            && let Some(bytes) = log.control(format!("{COMPONENT}{digest}").as_bytes())?
        {
            loader.add(bytes.to_vec().into());
        }
    }
    Ok(())
}

/// The app that a folder belongs to; none if no app has run there.
///
/// # Errors
/// It can't be read.
pub fn owner(log: &Log) -> Result<Option<String>, Error> {
    Ok(log.control(APP)?.map(|owner| String::from_utf8_lossy(&owner).into_owned()))
}

/// Components of a folder; one that isn't there is missing in the result.
///
/// # Errors
/// They can't be read.
pub fn components(log: &Log, digests: &BTreeSet<&str>) -> Result<Vec<Arc<[u8]>>, Error> {
    let mut found = Vec::new();
    for digest in digests {
        found.extend(log.control(format!("{COMPONENT}{digest}").as_bytes())?.map(|bytes| bytes.to_vec().into()));
    }
    Ok(found)
}

/// Changes the deployments of an app that doesn't run. `components` are those that the change needs, by digest. Returns
/// the generations that it deploys.
///
/// # Errors
/// [`Error::Deployment`]: it can't be done, and the reason.
pub fn change(
    log: &Log,
    app: &str,
    act: &Act,
    author: &Author,
    components: &BTreeMap<String, Arc<[u8]>>,
) -> Result<BTreeMap<String, u32>, Error> {
    let before = deployments(log, app)?;
    let mut after = before.clone();
    let generations = after.apply(act, author)?;
    let mut batch = Batch::new(log.database());
    put(log, &mut batch, app, &Change::new(&before, after, &|digest| components.get(digest).cloned()))?;
    log.database().write(batch, Durability::Synced)?;
    Ok(generations)
}

/// Numbers of the entries of stores, by state version.
///
/// # Errors
/// They can't be read.
pub fn entries_by_version(log: &Log, stores: &[String]) -> Result<BTreeMap<u32, u64>, Error> {
    let (mut entries, database) = (BTreeMap::new(), log.database());
    for store in stores.iter().filter_map(|name| database.store(name)) {
        for partition in database.partitions(store)? {
            let scanned = database.backend(partition).scan(store, &[], None, &mut |key, value| {
                if let Some(version) = version_of(key, value) {
                    *entries.entry(version).or_default() += 1;
                }
                Scan::Continue
            });
            scanned.map_err(TaskError::State)?;
        }
    }
    Ok(entries)
}

/// A change of a folder's deployments: each component is there while a deployment has it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) after: AppDeployments,
    /// Components that the folder lacks, by digest.
    added: BTreeMap<String, Arc<[u8]>>,
    /// Digests of components that no deployment has any more.
    dropped: BTreeSet<String>,
}

impl Change {
    /// `component` gives the components that are new.
    pub(super) fn new(
        before: &AppDeployments,
        after: AppDeployments,
        component: &dyn Fn(&str) -> Option<Arc<[u8]>>,
    ) -> Self {
        let added = after.components_beyond(before).into_keys();
        let added = added.filter_map(|digest| Some((digest.to_owned(), component(digest)?))).collect();
        let dropped = before.components_beyond(&after).into_keys().map(str::to_owned).collect();
        Self { after, added, dropped }
    }
}

/// Writes a change of an app's deployments down.
pub(super) fn put(log: &Log, batch: &mut Batch, app: &str, change: &Change) -> Result<(), Error> {
    let prefix = deployments_of(app);
    for (plugin, record) in &change.after.plugins {
        let bytes = serde_json::to_vec(record).map_err(|error| refused(plugin, error.to_string()))?;
        log.put_control(batch, format!("{prefix}{plugin}").as_bytes(), &bytes)?;
    }
    for (digest, bytes) in &change.added {
        log.put_control(batch, format!("{COMPONENT}{digest}").as_bytes(), bytes)?;
    }
    for digest in &change.dropped {
        log.delete_control(batch, format!("{COMPONENT}{digest}").as_bytes())?;
    }
    Ok(())
}
