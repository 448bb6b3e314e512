//! The meta store: what must survive a restart and belongs to no store, under keys that are names. Clocks are in the
//! stores of their steps: see [`CLOCK_KEY`](crate::state::keys::CLOCK_KEY).
//!
//! | key | value |
//! |---|---|
//! | `deployment/<step>` | generation of the plugin that the step last kept state with, u32, and the plugin's name |
//! | `input/<topic>` | the driver's: written with the first offset that is committed for the topic's partition |
//! | `rest/<source>/<number>` | a part of the run that the tasks of the sub-topology with this first source are in the middle of |
//!
//! A number would shift when a step is added to a file; a name stays. And each key belongs to one sub-topology: tasks of
//! the same partition share the store, and may run in different processes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::topology::{Node, SubTopology, TopicId, Topology};

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

/// The key for a part of a run that isn't done, of the sub-topology with this first source.
pub(crate) fn rest_key(source: &str, part: usize) -> Bytes {
    format!("{REST}{source}/{part:08x}").into()
}

/// Where the keys of all its parts begin and end.
pub(crate) fn rest_keys(source: &str) -> (Bytes, Bytes) {
    // What follows a slash.
    (format!("{REST}{source}/").into(), format!("{REST}{source}0").into())
}

impl Topology {
    /// The sub-topology that a key of the meta store belongs to: only its tasks write the key. `None`: the pipeline no
    /// longer has what the key names, or the key isn't one.
    pub fn meta_owner(&self, key: &[u8]) -> Option<usize> {
        let key = std::str::from_utf8(key).ok()?;
        if let Some(topic) = key.strip_prefix(INPUT) {
            let topic = self.topics.iter().position(|known| known.name == topic).map(TopicId)?;
            return self.subtopologies.iter().position(|part| part.inputs.contains(&topic));
        }
        if let Some((source, _)) = key.strip_prefix(REST).and_then(|rest| rest.rsplit_once('/')) {
            let begins = |part: &SubTopology| part.nodes.first().is_some_and(|node| node.name == source);
            return self.subtopologies.iter().position(begins);
        }
        let step = key.strip_prefix(DEPLOYMENT)?;
        // Behind a repartition topic there is a source with the name of the step before it. It calls nobody.
        let has = |node: &Node| node.name == step && node.operator.call().is_some();
        self.subtopologies.iter().position(|part| part.nodes.iter().any(has))
    }
}
