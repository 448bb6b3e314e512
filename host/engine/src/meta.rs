//! The meta store: data that must survive a restart and belongs to no other store, by name. Clocks are in the stores of
//! their steps: see [`CLOCK_KEY`](crate::state::keys::CLOCK_KEY).
//!
//! | key | value |
//! |---|---|
//! | `deployment/<step>` | generation of the plugin that last wrote the step's state, u32, and the plugin's name |
//! | `input/<topic>` | the driver's: written with the first offset that it commits for the topic's partition |
//! | `rest/<topic>/<section>-<number>` | a part of the unfinished run of the sub-topology that reads this topic |
//!
//! A step keeps its name when another step is added to a file; its number would shift. Each key belongs to one
//! sub-topology: tasks of the same partition share the store, and may run in different processes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::ports::{Backend, Scan};
use crate::step::TaskError;
use crate::topology::{Node, TopicId, Topology};

/// Name of the store that all sub-topologies share. The name doesn't depend on the order of steps in the files, so an
/// app finds the store after its pipeline was edited.
pub const STORE: &str = "meta";

const DEPLOYMENT: &str = "deployment/";
const REST: &str = "rest/";
const INPUT: &str = "input/";

/// The key under which a driver notes that it has committed an offset of the topic's partition, and the topic's id.
pub fn input_key(topic: &str) -> Bytes {
    format!("{INPUT}{topic}").into()
}

/// The key for the deployment that last wrote a step's state.
pub(crate) fn deployment_key(step: &str) -> Bytes {
    format!("{DEPLOYMENT}{step}").into()
}

/// The value of a [`deployment_key`].
pub(crate) fn encode_deployment(generation: u32, plugin: &str) -> Bytes {
    let mut value = BytesMut::with_capacity(4 + plugin.len());
    value.put_u32(generation);
    value.put_slice(plugin.as_bytes());
    value.freeze()
}

/// Generation and name of the plugin; `None` if the bytes aren't that.
pub(crate) fn decode_deployment(value: &[u8]) -> Option<(u32, &str)> {
    let (generation, plugin) = value.split_first_chunk()?;
    Some((u32::from_be_bytes(*generation), std::str::from_utf8(plugin).ok()?))
}

/// The key for a part of a section of the unfinished run of the sub-topology that reads this topic.
pub(crate) fn unfinished_run_key(topic: &str, section: usize, part: usize) -> Bytes {
    format!("{REST}{topic}/{section:04x}-{part:08x}").into()
}

/// The range of the keys of all parts.
pub(crate) fn unfinished_run_keys(topic: &str) -> (Bytes, Bytes) {
    // `0` follows `/`.
    (format!("{REST}{topic}/").into(), format!("{REST}{topic}0").into())
}

impl Topology {
    /// The sub-topology that owns a key of the meta store: only its tasks write the key. `None` if the pipeline no
    /// longer has the step or topic that the key names, or the key is malformed.
    pub fn meta_owner(&self, key: &[u8]) -> Option<usize> {
        let key = std::str::from_utf8(key).ok()?;
        let rest = || Some(key.strip_prefix(REST)?.rsplit_once('/')?.0);
        if let Some(topic) = key.strip_prefix(INPUT).or_else(rest) {
            let topic = self.topics.iter().position(|known| known.name == topic).map(TopicId)?;
            return self.subtopologies.iter().position(|part| part.inputs.contains(&topic));
        }
        let step = key.strip_prefix(DEPLOYMENT)?;
        // The source of a repartition topic has the name of the step before the topic, and no call.
        let has = |node: &Node| node.name == step && node.operator.call().is_some();
        self.subtopologies.iter().position(|part| part.nodes.iter().any(has))
    }

    /// The error if a key of the meta store is of an unfinished run that no task of this pipeline would go on with: no
    /// step reads the topic any more, or no task has this partition of it. `partitions` are the numbers of partitions
    /// of the topics.
    pub fn orphan(&self, key: &[u8], partition: u32, partitions: &[u32]) -> Option<TaskError> {
        let (topic, _) = std::str::from_utf8(key).ok()?.strip_prefix(REST)?.rsplit_once('/')?;
        let reason = match self.meta_owner(key).and_then(|owner| self.subtopologies.get(owner)) {
            None => "no step reads this topic any more".to_owned(),
            Some(part) => {
                let counts = part.inputs.iter().filter_map(|topic| partitions.get(topic.0));
                if counts.max().is_some_and(|tasks| partition < *tasks) {
                    return None;
                }
                format!("the steps that read it have no partition {partition} any more")
            }
        };
        Some(TaskError::UnfinishedRun { topic: topic.into(), reason })
    }

    /// Checks that a task of this pipeline would go on with each unfinished run in a partition of the meta store: none
    /// is an [orphan](Self::orphan). For a driver that has the whole store, before it opens tasks.
    ///
    /// # Errors
    /// [`TaskError::UnfinishedRun`]: one is. [`TaskError::State`]: the store can't be read.
    pub fn check_rests(&self, backend: &dyn Backend, partition: u32, partitions: &[u32]) -> Result<(), TaskError> {
        let Some(meta) = self.subtopologies.first().map(|part| part.meta) else { return Ok(()) };
        let mut orphan = None;
        // All keys with the prefix: `0` follows `/`.
        backend.scan(meta, REST.as_bytes(), Some(b"rest0"), &mut |key, _| {
            orphan = self.orphan(key, partition, partitions);
            if orphan.is_some() { Scan::Stop } else { Scan::Continue }
        })?;
        orphan.map_or(Ok(()), Err)
    }
}
