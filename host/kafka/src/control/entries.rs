//! The entries of a control topic: the last value of each key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_engine::contents::Contents;
use millrace_engine::deployment::{AppDeployments, PluginRecord};
use millrace_engine::shadow::ShadowReport;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::components;
use super::notes::{self, InstanceNote};
use super::outline::Outline;
use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;
use crate::cluster::whole_topic;
use crate::error::Error;

/// Key of the internal topics, with their ids.
const TOPICS: &str = "topics";

/// Key of the contents of the stores.
const CONTENTS: &str = "contents";

/// Key of the outline of the pipeline that started last.
const PIPELINE: &str = "pipeline";

/// Beginning of the keys of plugins' deployments.
const DEPLOYMENT: &str = "deployment/";

/// The entries of a control topic without the components, or changes to it; `None` deletes an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries(BTreeMap<String, Option<Vec<u8>>>);

impl Entries {
    /// Reads them, as far as they are committed when it begins. `None` if `go_on` turns false before it is done.
    pub(super) fn read(
        settings: &ClientSettings,
        cluster: &Cluster,
        control: &str,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, Error> {
        let mut entries = BTreeMap::new();
        let read = whole_topic::read(settings, cluster, control, go_on, &mut |_, key, value| {
            let key = String::from_utf8_lossy(key).into_owned();
            match value {
                _ if components::is_chunk(&key) => {}
                Some(value) => drop(entries.insert(key, Some(value.to_vec()))),
                None => drop(entries.remove(&key)),
            }
        })?;
        Ok(read.map(|()| Self(entries)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values, in the order in which they are written: components come before the deployments that have them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// The deployments of all plugins.
    pub(super) fn deployments(&self) -> Result<AppDeployments, Error> {
        let plugins = self.0.keys().filter_map(|key| Some((deployed_plugin(key)?, key)));
        let mut records = BTreeMap::new();
        for (plugin, key) in plugins {
            records.extend(self.get::<PluginRecord>(key)?.map(|record| (plugin.to_owned(), record)));
        }
        Ok(AppDeployments { plugins: records })
    }

    /// Changes the deployments. The loader has the components that are new.
    pub(super) fn set_deployments(
        &mut self,
        before: &AppDeployments,
        after: &AppDeployments,
        component: &dyn Fn(&str) -> Option<Arc<[u8]>>,
    ) {
        for (plugin, record) in &after.plugins {
            if before.plugins.get(plugin) != Some(record) {
                self.set(&format!("{DEPLOYMENT}{plugin}"), record);
            }
        }
        for digest in after.components_beyond(before).into_keys() {
            let Some(bytes) = component(digest) else { continue };
            let chunks = components::chunks(digest, &bytes);
            self.0.extend(chunks.map(|(key, chunk)| (key, Some(chunk.to_vec()))));
        }
        for (digest, size) in before.components_beyond(after) {
            self.0.extend(components::keys(digest, size).map(|key| (key, None)));
        }
    }

    /// The notes of instances, by their ids.
    pub(super) fn notes(&self) -> BTreeMap<String, InstanceNote> {
        let instances = self.0.keys().filter_map(|key| Some((notes::instance_of(key)?, key)));
        // One that can't be read is of another version of Millrace, and says nothing.
        let read = |(id, key): (&str, &String)| Some((id.to_owned(), self.get(key).ok().flatten()?));
        instances.filter_map(read).collect()
    }

    /// The reports of shadows of all instances, by generation.
    pub(super) fn shadows(&self) -> BTreeMap<u32, ShadowReport> {
        let mut all: BTreeMap<u32, ShadowReport> = BTreeMap::new();
        for key in self.0.keys().filter(|key| notes::is_report(key)) {
            // One that can't be read is of another version of Millrace.
            if let Ok(Some((generation, report))) = self.get::<(u32, ShadowReport)>(key) {
                all.entry(generation).or_default().merge(report);
            }
        }
        all
    }

    /// The internal topics that the app has made, with their ids; an empty one where it isn't known.
    pub(super) fn topics(&self) -> Result<BTreeMap<String, String>, Error> {
        match self.get::<BTreeMap<String, String>>(TOPICS) {
            Ok(topics) => Ok(topics.unwrap_or_default()),
            // A list of names only, as it was written at first.
            Err(error) => match self.get::<BTreeSet<String>>(TOPICS) {
                Ok(names) => Ok(names.into_iter().flatten().map(|name| (name, String::new())).collect()),
                Err(_) => Err(error),
            },
        }
    }

    pub(super) fn set_topics(&mut self, topics: &BTreeMap<String, String>) {
        self.set(TOPICS, topics);
    }

    /// The contents of the stores, by name.
    pub(super) fn contents(&self) -> Result<BTreeMap<String, Contents>, Error> {
        Ok(self.get(CONTENTS)?.unwrap_or_default())
    }

    pub(super) fn set_contents(&mut self, contents: &BTreeMap<String, Contents>) {
        self.set(CONTENTS, contents);
    }

    /// The outline of the pipeline that started last.
    pub(super) fn pipeline(&self) -> Result<Option<Outline>, Error> {
        self.get(PIPELINE)
    }

    pub(super) fn set_pipeline(&mut self, outline: &Outline) {
        self.set(PIPELINE, outline);
    }

    fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let value = self.0.get(key).and_then(Option::as_deref).map(serde_json::from_slice).transpose();
        value.map_err(|error| Error::Setup(format!("the control topic's entry `{key}` can't be read: {error}")))
    }

    fn set(&mut self, key: &str, value: &impl Serialize) {
        self.0.insert(key.into(), Some(serde_json::to_vec(value).unwrap_or_default()));
    }
}

/// The plugin whose deployments an entry has.
pub(super) fn deployed_plugin(key: &str) -> Option<&str> {
    key.strip_prefix(DEPLOYMENT)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_is_read_as_topics_without_ids() {
        let mut entries = Entries::default();
        assert_eq!(entries.topics().unwrap(), BTreeMap::new());
        entries.set(TOPICS, &["a-control", "a-sums-changelog"]);
        let names: Vec<_> = entries.topics().unwrap().into_iter().collect();
        assert_eq!(names, [("a-control".into(), String::new()), ("a-sums-changelog".into(), String::new())]);
        let topics = BTreeMap::from([("a-control".to_owned(), "id".to_owned())]);
        entries.set_topics(&topics);
        assert_eq!(entries.topics().unwrap(), topics);
    }
}
