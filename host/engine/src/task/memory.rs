//! The memory of a task's nodes between runs.

use bytes::Bytes;

use super::shape;
use crate::meta::{decode_deployment, deployment_key, encode_deployment};
use crate::operators::{NodeMemory, PendingResult};
use crate::state::TaskState;
use crate::step::{TaskError, TaskOptions};
use crate::topology::{NodeId, SubTopology, Topology};

/// Items in the first call of a step, when the size of their outputs is unknown.
const FIRST_CALL_SIZE: usize = 1;

/// The memory of a task between runs.
pub(super) struct TaskMemory {
    /// By node.
    pub(super) nodes: Vec<NodeMemory>,
    /// Number of items in the next call of each node. It has no effect on outputs.
    pub(super) call_sizes: Vec<usize>,
    /// Deployment entries of the meta store that aren't written yet.
    unrecorded: Vec<(Bytes, Bytes)>,
}

/// Loads the memory of a task from its state.
pub(super) fn open(
    topology: &Topology,
    shape: &SubTopology,
    options: &TaskOptions,
    state: &TaskState,
) -> Result<TaskMemory, TaskError> {
    let unrecorded = check_deployments(topology, shape, options, state)?;
    let nodes = shape.nodes.iter().map(|node| NodeMemory::open(node, topology, options.window_memory, state));
    Ok(TaskMemory {
        nodes: nodes.collect::<Result<_, _>>()?,
        call_sizes: vec![FIRST_CALL_SIZE; shape.nodes.len()],
        unrecorded,
    })
}

/// Refuses to run a step on an older deployment than the one that wrote its state. Steps without state run any
/// deployment. Returns the entries of steps whose generation or plugin has changed.
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
            && recorded > deployed.reached
            && !call.manifest.stores.is_empty()
        {
            let plugin = plugin.name.clone();
            return Err(TaskError::OldDeployment { plugin, recorded, active: deployed.reached });
        }
        let value = encode_deployment(deployed.reached, &plugin.name);
        if recorded.as_ref() != Some(&value) {
            unrecorded.push((key, value));
        }
    }
    Ok(unrecorded)
}

impl TaskMemory {
    /// The task goes on with other deployments.
    pub(super) fn swap(
        &mut self,
        topology: &Topology,
        options: &TaskOptions,
        state: &TaskState,
    ) -> Result<(), TaskError> {
        self.unrecorded = check_deployments(topology, shape(topology, options.subtopology), options, state)?;
        self.call_sizes.fill(FIRST_CALL_SIZE);
        Ok(())
    }

    /// Restores results that wait for a commit. Fails with the node of a result whose step no longer emits at commits.
    pub(super) fn restore_pending(&mut self, results: Vec<(NodeId, PendingResult)>) -> Result<(), NodeId> {
        for (node, result) in results {
            let pending = self.nodes.get_mut(node.0).and_then(NodeMemory::pending_results);
            pending.ok_or(node)?.push(result);
        }
        Ok(())
    }

    /// Writes changes that are still in memory to the transaction.
    pub(super) fn prepare(&mut self, topology: &Topology, options: &TaskOptions, state: &mut TaskState) {
        let shape = shape(topology, options.subtopology);
        for node in &mut self.nodes {
            node.prepare(state);
        }
        if state.is_changed() {
            for (key, value) in self.unrecorded.drain(..) {
                state.put(shape.meta, key, Some(value));
            }
        }
    }
}
