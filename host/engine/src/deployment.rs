//! Deployments of plugins. The generation grows whenever the component or its config changes, and a deployment that
//! can't read the existing state is refused.
//!
//! Each driver keeps the records in its own way; the rules are the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;
use crate::ports::DeploymentId;
use crate::step::Deployed;

/// A loaded plugin that is about to become the active deployment.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Name in the pipeline.
    pub name: String,
    /// Number for guest calls.
    pub id: DeploymentId,
    /// Digest of the component.
    pub component: String,
    /// Digest of the config.
    pub config: String,
    /// Manifest of the plugin.
    pub manifest: Manifest,
}

/// The stored record of an active deployment. New versions only add members to its serialised form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentRecord {
    /// Generation, counted from 1 in the life of the app.
    pub generation: u32,
    /// Digest of the component.
    pub component: String,
    /// Digest of the config.
    pub config: String,
    /// State versions that may be in the stores, by function and store.
    pub state_versions: BTreeMap<String, Vec<u32>>,
}

/// A plugin can't read the state of the deployment before: go back to that one, or start with empty state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin `{plugin}`: {reason}")]
pub struct DeploymentRefused {
    /// The plugin.
    pub plugin: String,
    /// The reason.
    pub reason: String,
}

impl DeploymentRecord {
    /// The deployment of this record, for its tasks.
    pub fn deployed(&self, id: DeploymentId) -> Deployed {
        Deployed { id, generation: self.generation, digest: self.component.clone() }
    }
}

/// The record of a candidate that follows the deployment `before`: the same generation if nothing has changed,
/// otherwise the next.
///
/// # Errors
/// There may be state that the candidate can't read.
pub fn next(candidate: &Candidate, before: Option<&DeploymentRecord>) -> Result<DeploymentRecord, DeploymentRefused> {
    let mut state_versions = before.map(|record| record.state_versions.clone()).unwrap_or_default();
    for function in &candidate.manifest.functions {
        for store in &function.stores {
            let written = state_versions.entry(format!("{}/{}", function.name, store.name)).or_default();
            if let Some(unread) = written.iter().find(|version| !store.reads.contains(version)) {
                let reason = format!(
                    "function `{}` can't read what is in its store `{}`: there is state of version {unread}, and it reads {:?}",
                    function.name, store.name, store.reads
                );
                return Err(DeploymentRefused { plugin: candidate.name.clone(), reason });
            }
            if let Some(newest) = store.writes.last()
                && !written.contains(newest)
            {
                written.push(*newest);
            }
        }
    }
    let same = |record: &DeploymentRecord| record.component == candidate.component && record.config == candidate.config;
    let generation = match before {
        Some(record) if same(record) => record.generation,
        Some(record) => record.generation.saturating_add(1),
        None => 1,
    };
    Ok(DeploymentRecord {
        generation,
        component: candidate.component.clone(),
        config: candidate.config.clone(),
        state_versions,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::manifest;

    /// A candidate whose function reads and writes these state versions.
    fn candidate(component: &str, config: &str, reads: &[u32], writes: &[u32]) -> Candidate {
        let mut manifest = manifest("p: aggregate sum");
        for store in manifest.functions.iter_mut().flat_map(|function| &mut function.stores) {
            (store.reads, store.writes) = (reads.to_vec(), writes.to_vec());
        }
        let (component, config) = (component.to_owned(), config.to_owned());
        Candidate { name: "p".into(), id: DeploymentId(7), component, config, manifest }
    }

    #[test]
    fn another_component_or_config_makes_a_new_generation_and_the_same_one_does_not() {
        let first = next(&candidate("one", "", &[1], &[1]), None).unwrap();
        assert_eq!(first.generation, 1);
        assert_eq!(next(&candidate("one", "", &[1], &[1]), Some(&first)), Ok(first.clone()));
        let second = next(&candidate("two", "", &[1], &[1]), Some(&first)).unwrap();
        let third = next(&candidate("two", "x", &[1], &[1]), Some(&second)).unwrap();
        assert_eq!((second.generation, third.generation), (2, 3));
        // A return to an old component is a new generation, because the state may be newer.
        assert_eq!(next(&candidate("one", "", &[1], &[1]), Some(&third)).unwrap().generation, 4);
        let deployed = Deployed { id: DeploymentId(7), generation: 3, digest: "two".into() };
        assert_eq!(third.deployed(DeploymentId(7)), deployed);
    }

    #[test]
    fn a_deployment_must_read_every_state_version_ever_written() {
        let first = next(&candidate("one", "", &[1], &[1]), None).unwrap();
        let second = next(&candidate("two", "", &[1, 2], &[2]), Some(&first)).unwrap();
        assert_eq!(second.state_versions, BTreeMap::from([("sum/state".to_owned(), vec![1, 2])]));
        let refused = next(&candidate("three", "", &[2], &[2]), Some(&second)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "plugin `p`: function `sum` can't read what is in its store `state`: there is state of version 1, and it reads [2]"
        );
    }

    #[test]
    fn a_record_is_deserialised_as_it_was_serialised() {
        let record = next(&candidate("one", "c", &[1], &[1]), None).unwrap();
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(text, r#"{"generation":1,"component":"one","config":"c","stateVersions":{"sum/state":[1]}}"#);
        assert_eq!(serde_json::from_str::<DeploymentRecord>(&text).unwrap(), record);
    }
}
