//! Which app a data folder belongs to, and which deployment of each of its plugins is active: a generation that grows
//! whenever the component or its config changes.
//!
//! Planning writes nothing: what can't start leaves the folder as it was, and what ran before can run again. Only what
//! has started is remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::manifest::Manifest;
use millrace_engine::ports::DeploymentId;
use millrace_engine::task::Deployed;
use millrace_store::{Batch, Durability};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::log::Log;

/// A plugin that is loaded and about to run.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name in the pipeline.
    pub name: String,
    /// How the guest calls know it.
    pub id: DeploymentId,
    /// Digest of the component.
    pub component: String,
    /// Digest of the config.
    pub config: String,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// What is kept of the active deployment.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    generation: u32,
    component: String,
    config: String,
    /// State versions that may be in the stores, by function and store.
    state_versions: BTreeMap<String, Vec<u32>>,
}

/// Under this key stands the name of the app that the folder belongs to.
const APP: &[u8] = b"app";

/// A start of an app that nothing speaks against, and that isn't remembered yet.
#[derive(Debug)]
#[must_use = "a plan is to be remembered once the app has started"]
pub struct Plan {
    app: String,
    active: Arc<[Deployed]>,
    /// Keys and values of the records.
    records: Vec<(String, Vec<u8>)>,
}

/// Plans the start of an app with the candidates, in the order of the topology's plugins, as its active deployments.
/// Writes nothing.
///
/// # Errors
/// [`Error::OtherApp`]: the folder belongs to another app. [`Error::Deployment`]: a candidate can't read the state that
/// is there.
pub fn plan(log: &Log, app: &str, candidates: &[Candidate]) -> Result<Plan, Error> {
    if let Some(owner) = log.control(APP)?.filter(|owner| owner != app) {
        let owner = String::from_utf8_lossy(&owner).into_owned();
        return Err(Error::OtherApp { owner, app: app.to_owned() });
    }
    let (mut active, mut records) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let key = format!("deployment/{app}/{}", candidate.name);
        let before = log.control(key.as_bytes())?.map(|bytes| serde_json::from_slice::<Record>(&bytes)).transpose();
        let before = before.map_err(|error| refused(candidate, format!("its record can't be read: {error}")))?;
        let record = next(candidate, before)?;
        let bytes = serde_json::to_vec(&record).map_err(|error| refused(candidate, error.to_string()))?;
        records.push((key, bytes));
        let (id, digest) = (candidate.id, candidate.component.clone());
        active.push(Deployed { id, generation: record.generation, digest });
    }
    Ok(Plan { app: app.to_owned(), active: active.into(), records })
}

impl Plan {
    /// The deployments that the tasks are opened with.
    pub fn active(&self) -> &Arc<[Deployed]> {
        &self.active
    }

    /// Makes the folder the app's, and the candidates its active deployments. To be called when its tasks are open, and
    /// before they run: a commit may leave state that only these deployments can read.
    ///
    /// # Errors
    /// It can't be written.
    pub fn remember(self, log: &Log) -> Result<(), Error> {
        let mut batch = Batch::new(log.database());
        log.put_control(&mut batch, APP, self.app.as_bytes())?;
        for (key, bytes) in &self.records {
            log.put_control(&mut batch, key.as_bytes(), bytes)?;
        }
        Ok(log.database().write(batch, Durability::Synced)?)
    }
}

/// The record of the candidate after the one before it.
fn next(candidate: &Candidate, before: Option<Record>) -> Result<Record, Error> {
    let mut state_versions = before.as_ref().map(|record| record.state_versions.clone()).unwrap_or_default();
    for function in &candidate.manifest.functions {
        for store in &function.stores {
            let written = state_versions.entry(format!("{}/{}", function.name, store.name)).or_default();
            if let Some(unread) = written.iter().find(|version| !store.reads.contains(version)) {
                let reads = &store.reads;
                return Err(refused(
                    candidate,
                    format!(
                        "function `{}` can't read what is in its store `{}`: there is state of version {unread}, and it reads {reads:?}",
                        function.name, store.name
                    ),
                ));
            }
            if let Some(newest) = store.writes.last()
                && !written.contains(newest)
            {
                written.push(*newest);
            }
        }
    }
    let same = |record: &Record| record.component == candidate.component && record.config == candidate.config;
    let generation = match &before {
        Some(record) if same(record) => record.generation,
        Some(record) => record.generation + 1,
        None => 1,
    };
    Ok(Record { generation, component: candidate.component.clone(), config: candidate.config.clone(), state_versions })
}

fn refused(candidate: &Candidate, reason: String) -> Error {
    Error::Deployment { plugin: candidate.name.clone(), reason }
}
