//! The app that a data folder belongs to, the active deployment of each plugin (a generation that grows whenever the
//! component or its config changes), and what the stores contain.
//!
//! Planning writes nothing: an app that can't start leaves the folder as it was, and the app that ran before can run
//! again. A plan is written down once the app has started.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::contents::Contents;
use millrace_engine::deployment::{self, Candidate, DeploymentRecord, DeploymentRefused};
use millrace_engine::task::Deployed;
use millrace_engine::topology::Topology;
use millrace_store::{Batch, Durability};

use crate::error::Error;
use crate::log::Log;

/// Key of the name of the app that the folder belongs to.
const APP: &[u8] = b"app";

/// Key of the contents of each store, by its name.
const CONTENTS: &[u8] = b"contents";

/// The start of an app, checked and not yet written down.
#[derive(Debug)]
#[must_use = "remember the plan once the app has started"]
pub struct Plan {
    app: String,
    active: Arc<[Deployed]>,
    /// Keys and values of the deployments' records.
    records: Vec<(String, Vec<u8>)>,
    contents: BTreeMap<String, Contents>,
    /// Contents of stores that no step uses any more.
    unused: BTreeMap<String, Contents>,
}

/// Plans the start of an app with the candidates, in the order of the topology's plugins, as its active deployments.
/// Writes nothing.
///
/// # Errors
/// [`Error::OtherApp`]: the folder belongs to another app. [`Error::Deployment`]: a candidate can't read the state that
/// is there. [`Error::Contents`]: a step would misread the state that is there.
pub fn plan(log: &Log, topology: &Topology, candidates: &[Candidate]) -> Result<Plan, Error> {
    let app = topology.app.as_str();
    if let Some(owner) = log.control(APP)?.filter(|owner| owner != app) {
        let owner = String::from_utf8_lossy(&owner).into_owned();
        return Err(Error::OtherApp { owner, app: app.to_owned() });
    }
    let (mut active, mut records) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let key = format!("deployment/{app}/{}", candidate.name);
        let before =
            log.control(key.as_bytes())?.map(|bytes| serde_json::from_slice::<DeploymentRecord>(&bytes)).transpose();
        let before = before.map_err(|error| refused(candidate, format!("its record can't be read: {error}")))?;
        let record = deployment::next(candidate, before.as_ref())?;
        let bytes = serde_json::to_vec(&record).map_err(|error| refused(candidate, error.to_string()))?;
        records.push((key, bytes));
        active.push(record.deployed(candidate.id));
    }
    let (contents, unused) = contents(log, topology)?;
    Ok(Plan { app: app.to_owned(), active: active.into(), records, contents, unused })
}

type ByStore = BTreeMap<String, Contents>;

/// The contents of all stores once the app has started, and of those that it doesn't use.
fn contents(log: &Log, topology: &Topology) -> Result<(ByStore, ByStore), Error> {
    let before = log.control(CONTENTS)?.map(|bytes| serde_json::from_slice::<ByStore>(&bytes)).transpose();
    let before = before
        .map_err(|error| Error::Input(format!("the record of what the stores contain can't be read: {error}")))?;
    let (mut all, mut now, database) = (before.unwrap_or_default(), topology.contents(), log.database());
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
    /// The deployments that the tasks are opened with.
    pub fn active(&self) -> &Arc<[Deployed]> {
        &self.active
    }

    /// Records the app as the folder's owner, and the candidates as its active deployments. Call this after the tasks
    /// are opened and before they run: a commit may leave state that only these deployments can read.
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
        for (key, bytes) in &self.records {
            log.put_control(&mut batch, key.as_bytes(), bytes)?;
        }
        Ok(log.database().write(batch, Durability::Synced)?)
    }
}

fn refused(candidate: &Candidate, reason: String) -> DeploymentRefused {
    DeploymentRefused { plugin: candidate.name.clone(), reason }
}
