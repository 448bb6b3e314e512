//! Positions: how far the state on disk reflects its changelogs. Each is written in the same batch as the state itself.

use millrace_engine::ports::StoreId;
use millrace_engine::topology::Topology;
use millrace_store::{Batch, Database};
use serde::{Deserialize, Serialize};

use crate::clock::wall_clock;
use crate::error::Error;
use crate::state::folder::POSITIONS;
use crate::tasks::TaskId;

/// How far the state of a task's store reflects its changelog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Id of the changelog topic: one that was deleted and made anew is another.
    pub(crate) topic: String,
    /// Everything before this offset is in the state.
    pub(crate) next: i64,
    /// When that was so, in milliseconds since the epoch.
    pub(crate) at: i64,
}

/// The entry of a partition of a store. The meta store has one for each sub-topology, named by its inputs: each reads
/// the same changelog for itself, and one whose inputs have changed reads it from the start.
pub(crate) fn key(topology: &Topology, store: StoreId, task: TaskId) -> Vec<u8> {
    let name = topology.stores.get(store.0).map_or("", |spec| spec.name.as_str());
    let mut key = format!("{name}/{}", task.partition);
    if let Some(part) = topology.subtopologies.get(task.subtopology).filter(|part| part.meta == store) {
        let inputs = part.inputs.iter().filter_map(|topic| topology.topics.get(topic.0));
        inputs.for_each(|topic| key = format!("{key}/{}", topic.name));
    }
    key.into_bytes()
}

impl Position {
    pub(crate) fn read(database: &Database, key: &[u8]) -> Result<Option<Self>, Error> {
        // A position that can't be parsed counts as none: the state is restored from the start.
        Ok(database.get(POSITIONS, key)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub(crate) fn write(&self, batch: &mut Batch, store: StoreId, key: &[u8]) -> Result<(), Error> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Ok(batch.put_beside(store, POSITIONS, key, &bytes)?)
    }
}

impl Position {
    /// Whether more than so many milliseconds have gone by since it was written.
    pub(crate) fn is_older_than(&self, milliseconds: i64) -> bool {
        wall_clock().saturating_sub(self.at) > milliseconds
    }
}
