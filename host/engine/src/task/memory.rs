//! What the nodes of a task remember between runs, and how it survives a restart.

use bytes::Bytes;

use super::shape;
use crate::meta::{decode_deployment, deployment_key, encode_deployment};
use crate::operators::{NodeMemory, PendingResult};
use crate::state::TaskState;
use crate::step::{TaskError, TaskOptions};
use crate::topology::{NodeId, SubTopology, Topology};

/// Items in the first call of a step, while nobody knows what comes of them.
const FIRST_CALL_SIZE: usize = 1;

/// What a task remembers.
pub(super) struct Memory {
    /// By node.
    pub(super) nodes: Vec<NodeMemory>,
    /// How many items go into the next call of each node. Of no effect on what comes out.
    pub(super) call_sizes: Vec<usize>,
    /// Entries of the meta store that say which deployments the state has seen, where they aren't written yet.
    unrecorded: Vec<(Bytes, Bytes)>,
}

/// Loads what a task remembers.
pub(super) fn open(
    topology: &Topology,
    shape: &SubTopology,
    options: &TaskOptions,
    state: &TaskState,
) -> Result<Memory, TaskError> {
    let unrecorded = check_deployments(topology, shape, options, state)?;
    let nodes = shape.nodes.iter().map(|node| NodeMemory::open(node, topology, options.window_memory, state));
    Ok(Memory {
        nodes: nodes.collect::<Result<_, _>>()?,
        call_sizes: vec![FIRST_CALL_SIZE; shape.nodes.len()],
        unrecorded,
    })
}

/// A step that keeps state never runs an older deployment than that has seen, unless the driver knows that it can read
/// it. One that keeps none runs any. Gives what is to be recorded: a step's generation, if another one is recorded, or
/// one of another plugin.
fn check_deployments(
    topology: &Topology,
    shape: &SubTopology,
    options: &TaskOptions,
    state: &TaskState,
) -> Result<Vec<(Bytes, Bytes)>, TaskError> {
    let mut unrecorded = Vec::new();
    for (node, call) in shape.nodes.iter().filter_map(|node| Some((node, node.operator.call()?))) {
        let plugin = topology.plugins.get(call.plugin.0);
        let (Some(plugin), Some(deployed)) = (plugin, options.deployments.get(call.plugin.0)) else { continue };
        let key = deployment_key(&node.name);
        let recorded = state.get(shape.meta, &key)?;
        if let Some((recorded, of)) = recorded.as_deref().and_then(decode_deployment)
            && of == plugin.name
            && recorded > deployed.generation
            && !call.manifest.stores.is_empty()
            && !options.may_be_older
        {
            let plugin = plugin.name.clone();
            return Err(TaskError::OldDeployment { plugin, recorded, active: deployed.generation });
        }
        let value = encode_deployment(deployed.generation, &plugin.name);
        if recorded.as_ref() != Some(&value) {
            unrecorded.push((key, value));
        }
    }
    Ok(unrecorded)
}

impl Memory {
    /// Takes back results that wait for a commit. The node of one whose step doesn't wait for commits any more, if there is
    /// one.
    pub(super) fn restore_pending(&mut self, results: Vec<(NodeId, PendingResult)>) -> Result<(), NodeId> {
        for (node, result) in results {
            let pending = self.nodes.get_mut(node.0).and_then(NodeMemory::pending_results);
            pending.ok_or(node)?.push(result);
        }
        Ok(())
    }

    /// Moves into the transaction what must be committed, and is not yet.
    pub(super) fn prepare(&mut self, topology: &Topology, options: &TaskOptions, state: &mut TaskState) {
        let shape = shape(topology, options.subtopology);
        for node in &mut self.nodes {
            node.prepare(state);
        }
        if state.bytes() > 0 {
            for (key, value) in self.unrecorded.drain(..) {
                state.put(shape.meta, key, Some(value));
            }
        }
    }
}
