//! Which deployment of each plugin is active: a generation that grows whenever the component or its config changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::manifest::Manifest;
use millrace_engine::ports::DeploymentId;
use millrace_engine::task::Deployed;
use millrace_store::{Batch, Database, Durability};
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

/// Makes the candidates, in the order of the topology's plugins, the active deployments of the app, and remembers them.
///
/// # Errors
/// [`Error::Deployment`]: a candidate can't read the state that is there.
pub fn activate(
    database: &Arc<Database>,
    log: &Log,
    app: &str,
    candidates: &[Candidate],
) -> Result<Arc<[Deployed]>, Error> {
    let mut batch = Batch::new(database);
    let mut active = Vec::new();
    for candidate in candidates {
        let key = format!("deployment/{app}/{}", candidate.name);
        let before = log.control(key.as_bytes())?.map(|bytes| serde_json::from_slice::<Record>(&bytes)).transpose();
        let before = before.map_err(|error| refused(candidate, format!("its record can't be read: {error}")))?;
        let record = next(candidate, before)?;
        let bytes = serde_json::to_vec(&record).map_err(|error| refused(candidate, error.to_string()))?;
        log.put_control(&mut batch, key.as_bytes(), &bytes)?;
        let (id, digest) = (candidate.id, candidate.component.clone());
        active.push(Deployed { id, generation: record.generation, digest });
    }
    database.write(batch, Durability::Synced)?;
    Ok(active.into())
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
