//! The topics and tables of a data folder, for commands that look into it without the pipeline's files.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::manifest::KeyCodec;
use millrace_engine::topology::{StoreKind, Topology};
use millrace_store::{Batch, Database, Durability};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::log::Log;

const KEY: &[u8] = b"catalog";

/// The key codecs of topics and tables, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// Topics.
    pub topics: BTreeMap<String, KeyCodec>,
    /// Tables that can be queried.
    pub tables: BTreeMap<String, KeyCodec>,
}

impl Catalog {
    /// Reads the catalog of a log.
    ///
    /// # Errors
    /// It can't be read.
    pub fn load(log: &Log) -> Result<Self, Error> {
        let Some(bytes) = log.control(KEY)? else { return Ok(Self::default()) };
        serde_json::from_slice(&bytes).map_err(|error| Error::Input(format!("the catalog can't be read: {error}")))
    }

    /// Adds the topics and tables of a pipeline.
    pub fn add(&mut self, topology: &Topology) {
        for topic in &topology.topics {
            let codec = self.topics.entry(topic.name.clone()).or_default();
            if topic.key == KeyCodec::Bytes || topic.key == *codec {
                continue;
            }
            if *codec != KeyCodec::Bytes {
                let (topic, before, now) = (&topic.name, codec.name(), topic.key.name());
                tracing::warn!(
                    topic,
                    before,
                    now,
                    "the pipeline changes how the keys of a topic are encoded: keys of records that are in the topic may not fit"
                );
            }
            *codec = topic.key;
        }
        let tables = topology.stores.iter().filter(|store| store.queryable && store.kind == StoreKind::Table);
        self.tables.extend(tables.map(|store| (store.name.clone(), store.key)));
    }

    /// Writes the catalog.
    ///
    /// # Errors
    /// It can't be written.
    pub fn save(&self, database: &Arc<Database>, log: &Log) -> Result<(), Error> {
        let bytes = serde_json::to_vec(self).map_err(|error| Error::Input(error.to_string()))?;
        let mut batch = Batch::new(database);
        log.put_control(&mut batch, KEY, &bytes)?;
        Ok(database.write(batch, Durability::Buffered)?)
    }
}
