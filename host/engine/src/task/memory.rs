//! What nodes remember between runs, and how it survives a restart.

use bytes::{BufMut, Bytes, BytesMut};

use super::{TaskError, TaskOptions, shape};
use crate::ports::StoreId;
use crate::state::TaskState;
use crate::state::window::{WindowClock, WindowStore};
use crate::topology::{Operator, StoreKind, SubTopology, Topology};

/// What a node remembers.
pub(crate) enum NodeMemory {
    /// Nothing.
    None,
    /// Both sides of a stream-stream join, the left one first.
    Join(Box<[WindowStore; 2]>),
}

impl NodeMemory {
    /// Memory it holds, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Join(sides) => sides.iter().map(WindowStore::bytes).sum(),
        }
    }

    /// Memory of what the open transaction has yet to write, in bytes, roughly.
    pub(crate) fn pending_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Join(sides) => sides.iter().map(WindowStore::pending_bytes).sum(),
        }
    }
}

/// Loads what the nodes of a task remember.
pub(super) fn open(
    topology: &Topology,
    shape: &SubTopology,
    options: &TaskOptions,
    state: &mut TaskState,
) -> Result<Vec<NodeMemory>, TaskError> {
    check_deployments(topology, shape, options, state)?;
    let nodes = shape.nodes.iter().map(|node| match &node.operator {
        Operator::StreamJoin { left, right, .. } => Ok(NodeMemory::Join(Box::new([
            open_window(topology, shape, options, state, *left)?,
            open_window(topology, shape, options, state, *right)?,
        ]))),
        _ => Ok(NodeMemory::None),
    });
    nodes.collect()
}

fn open_window(
    topology: &Topology,
    shape: &SubTopology,
    options: &TaskOptions,
    state: &TaskState,
    store: StoreId,
) -> Result<WindowStore, TaskError> {
    let retention = match topology.stores.get(store.0).map(|spec| spec.kind) {
        Some(StoreKind::Window { retention }) => retention,
        _ => 0,
    };
    let clock = state.get(shape.meta, &clock_key(topology, store))?;
    let clock = clock.and_then(|bytes| WindowClock::decode(&bytes)).unwrap_or_default();
    Ok(WindowStore::open(state, store, retention, clock, options.window_memory)?)
}

/// Moves into the transaction what must be committed.
pub(super) fn prepare(topology: &Topology, options: &TaskOptions, memory: &mut [NodeMemory], state: &mut TaskState) {
    let shape = shape(topology, options.subtopology);
    for node in memory {
        if let NodeMemory::Join(sides) = node {
            for side in sides.iter_mut() {
                side.prepare(state);
                if side.clock() != WindowClock::default() {
                    state.put(shape.meta, clock_key(topology, side.id()), Some(side.clock().encode()));
                }
            }
        }
    }
    if state.bytes() > 0 {
        record_deployments(topology, shape, options, state);
    }
}

/// By name: the number of a store changes with the pipeline.
fn clock_key(topology: &Topology, store: StoreId) -> Bytes {
    let name = topology.stores.get(store.0).map_or("", |spec| spec.name.as_str());
    format!("window-clock/{name}").into()
}

/// A task never runs an older deployment than its state has seen.
fn check_deployments(
    topology: &Topology,
    shape: &SubTopology,
    options: &TaskOptions,
    state: &TaskState,
) -> Result<(), TaskError> {
    for (plugin, deployed) in topology.plugins.iter().zip(options.deployments.iter()) {
        let recorded = state.get(shape.meta, &deployment_key(&plugin.name))?;
        let recorded = recorded.and_then(|bytes| Some(u32::from_be_bytes(*bytes.first_chunk()?))).unwrap_or(0);
        if recorded > deployed.generation {
            let plugin = plugin.name.clone();
            return Err(TaskError::OldDeployment { plugin, recorded, active: deployed.generation });
        }
    }
    Ok(())
}

fn record_deployments(topology: &Topology, shape: &SubTopology, options: &TaskOptions, state: &mut TaskState) {
    for (plugin, deployed) in topology.plugins.iter().zip(options.deployments.iter()) {
        let mut generation = BytesMut::with_capacity(4);
        generation.put_u32(deployed.generation);
        state.put(shape.meta, deployment_key(&plugin.name), Some(generation.freeze()));
    }
}

fn deployment_key(plugin: &str) -> Bytes {
    format!("deployment/{plugin}").into()
}
