//! The meta store: what must survive a restart and belongs to no store, under keys that are names. Clocks are in the
//! stores of their steps: see [`CLOCK_KEY`](crate::state::keys::CLOCK_KEY).
//!
//! | key | value |
//! |---|---|
//! | `deployment/<step>` | generation of the plugin that the step last kept state with, u32, and the plugin's name |
//! | `input/<topic>` | the driver's: written with the first offset that is committed for the topic's partition |
//! | `rest/<topic>/<section>-<number>` | a part of the run that the task of the sub-topology that reads this topic is in the middle of |
//!
//! A number would shift when a step is added to a file; a name stays. And each key belongs to one sub-topology: tasks of
//! the same partition share the store, and may run in different processes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::ports::{Backend, Scan};
use crate::step::TaskError;
use crate::topology::{Node, TopicId, Topology};

/// Name of the store that all sub-topologies share. It doesn't depend on where a step stands in the files: an app finds
/// again what it has kept, however its pipeline is edited.
pub const STORE: &str = "meta";

const DEPLOYMENT: &str = "deployment/";
const REST: &str = "rest/";
const INPUT: &str = "input/";

/// The key for what a driver keeps of an input: that it has committed an offset of the topic's partition, and of which
/// topic of that name.
pub fn input_key(topic: &str) -> Bytes {
    format!("{INPUT}{topic}").into()
}

/// The key for the deployment that a step's state has seen.
pub(crate) fn deployment_key(step: &str) -> Bytes {
    format!("{DEPLOYMENT}{step}").into()
}

/// What is kept of a step's deployment.
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

/// The key for a part of a section of a run that isn't done, of the sub-topology that reads this topic.
pub(crate) fn rest_key(topic: &str, section: usize, part: usize) -> Bytes {
    format!("{REST}{topic}/{section:04x}-{part:08x}").into()
}

/// Where the keys of all its parts begin and end.
pub(crate) fn rest_keys(topic: &str) -> (Bytes, Bytes) {
    // What follows a slash.
    (format!("{REST}{topic}/").into(), format!("{REST}{topic}0").into())
}

impl Topology {
    /// The sub-topology that a key of the meta store belongs to: only its tasks write the key. `None`: the pipeline no
    /// longer has what the key names, or the key isn't one.
    pub fn meta_owner(&self, key: &[u8]) -> Option<usize> {
        let key = std::str::from_utf8(key).ok()?;
        let rest = || Some(key.strip_prefix(REST)?.rsplit_once('/')?.0);
        if let Some(topic) = key.strip_prefix(INPUT).or_else(rest) {
            let topic = self.topics.iter().position(|known| known.name == topic).map(TopicId)?;
            return self.subtopologies.iter().position(|part| part.inputs.contains(&topic));
        }
        let step = key.strip_prefix(DEPLOYMENT)?;
        // Behind a repartition topic there is a source with the name of the step before it. It calls nobody.
        let has = |node: &Node| node.name == step && node.operator.call().is_some();
        self.subtopologies.iter().position(|part| part.nodes.iter().any(has))
    }

    /// What is wrong with a key of the meta store's partition, if it is of a run that isn't done and that no task of this
    /// pipeline would go on with: nothing reads the topic any more, or not this partition of it. `partitions` are the numbers
    /// of partitions of the topics.
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
        Some(TaskError::Rest { topic: topic.into(), reason })
    }

    /// Checks that each run that a partition of the meta store has the rest of is one of this pipeline: no task would go on
    /// with an [orphan](Self::orphan). For a driver that sees all of the store, before it opens tasks.
    ///
    /// # Errors
    /// [`TaskError::Rest`]: one isn't. [`TaskError::State`]: the store can't be read.
    pub fn check_rests(&self, backend: &dyn Backend, partition: u32, partitions: &[u32]) -> Result<(), TaskError> {
        let Some(meta) = self.subtopologies.first().map(|part| part.meta) else { return Ok(()) };
        let mut orphan = None;
        // All that begins with the prefix: a zero follows a slash.
        backend.scan(meta, REST.as_bytes(), Some(b"rest0"), &mut |key, _| {
            orphan = self.orphan(key, partition, partitions);
            if orphan.is_some() { Scan::Stop } else { Scan::Continue }
        })?;
        orphan.map_or(Ok(()), Err)
    }
}
