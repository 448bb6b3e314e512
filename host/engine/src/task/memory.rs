//! What nodes remember between runs, and how it survives a restart.

use bytes::Bytes;

use super::{TaskError, TaskOptions, shape};
use crate::meta::{decode_deployment, deployment_key, encode_deployment};
use crate::operators::{AggregateMemory, Waiting, WaitingResult};
use crate::ports::{BackendError, Clock, Scan};
use crate::record::Timestamp;
use crate::state::TaskState;
use crate::state::join::JoinStore;
use crate::state::seen::Seen;
use crate::state::timers::Timers;
use crate::state::windowed::WindowedStore;
use crate::topology::{Emit, JoinKind, NodeId, Operator, SubTopology, Topology};

/// Items in the first call of a step, while nobody knows what comes of them.
const FIRST_PACE: usize = 1;

/// What a task remembers.
pub(super) struct Memory {
    /// By node.
    pub(super) nodes: Vec<NodeMemory>,
    /// How many items go into the next call of each node. Of no effect on what comes out.
    pub(super) paces: Vec<usize>,
    /// Entries of the meta store that say which deployments the state has seen, where they aren't written yet.
    unrecorded: Vec<(Bytes, Bytes)>,
}

/// What a node remembers.
pub(crate) enum NodeMemory {
    /// Nothing.
    None,
    /// What a stream-stream join keeps.
    Join(Box<JoinStore>),
    /// When the timers of a process step are due.
    Process(Timers),
    /// What a deduplicating step has seen.
    Dedup(Box<Seen>),
    /// Windows of an aggregate, and results that wait for a commit.
    Aggregate(Box<AggregateMemory>),
}

/// So many open windows are counted: to count more would keep an app that stops.
const MOST_WINDOWS: u64 = 1_000_000;

impl NodeMemory {
    /// Memory it holds, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::None | Self::Process(_) | Self::Aggregate(_) => 0,
            Self::Join(store) => store.bytes(),
            Self::Dedup(seen) => seen.bytes(),
        }
    }

    /// When it wants to be woken by the driver's clock.
    pub(crate) fn next_tick(&self) -> Option<Timestamp> {
        match self {
            Self::None | Self::Join(_) | Self::Dedup(_) | Self::Aggregate(_) => None,
            Self::Process(timers) => timers.first(Clock::Wall),
        }
    }

    /// When the last of its timers on the driver's clock is due.
    pub(crate) fn last_tick(&self, state: &TaskState) -> Result<Option<Timestamp>, BackendError> {
        match self {
            Self::None | Self::Join(_) | Self::Dedup(_) | Self::Aggregate(_) => Ok(None),
            Self::Process(timers) => timers.last(state, Clock::Wall),
        }
    }

    /// How many windows are open that are to have a final result.
    pub(crate) fn open_windows(&self, state: &TaskState) -> Result<u64, BackendError> {
        let Self::Aggregate(memory) = self else { return Ok(0) };
        let Some(open) = memory.windows.as_ref().and_then(|windows| windows.open) else { return Ok(0) };
        let mut windows = 0;
        state.scan(open, &[], None, &mut |_, _| {
            windows += 1;
            if windows < MOST_WINDOWS { Scan::Continue } else { Scan::Stop }
        })?;
        Ok(windows)
    }

    /// Whether it has something to put out at the next commit.
    pub(crate) fn waits_for_commit(&self) -> bool {
        match self {
            Self::None | Self::Join(_) | Self::Process(_) | Self::Dedup(_) => false,
            Self::Aggregate(memory) => !memory.waiting.is_empty(),
        }
    }

    /// The results that wait for a commit, of a step that has some.
    pub(crate) fn waiting(&mut self) -> Option<&mut Waiting> {
        match self {
            Self::Aggregate(memory) => Some(&mut memory.waiting),
            _ => None,
        }
    }

    /// Memory of that, in bytes, roughly.
    pub(crate) fn waiting_bytes(&self) -> usize {
        match self {
            Self::None | Self::Join(_) | Self::Process(_) | Self::Dedup(_) => 0,
            Self::Aggregate(memory) => memory.waiting.bytes(),
        }
    }

    /// The timers of a process step that has any.
    pub(crate) fn timers(&mut self) -> Option<&mut Timers> {
        match self {
            Self::Process(timers) => Some(timers),
            _ => None,
        }
    }

    /// Memory of what the open transaction has yet to write, in bytes, roughly; without results that wait for the commit.
    pub(crate) fn pending_bytes(&self) -> usize {
        match self {
            Self::None | Self::Process(_) | Self::Aggregate(_) => 0,
            Self::Join(store) => store.pending_bytes(),
            Self::Dedup(seen) => seen.pending_bytes(),
        }
    }
}

/// Loads what a task remembers.
pub(super) fn open(
    topology: &Topology,
    shape: &SubTopology,
    options: &TaskOptions,
    state: &TaskState,
) -> Result<Memory, TaskError> {
    let unrecorded = check_deployments(topology, shape, options, state)?;
    let nodes = shape.nodes.iter().map(|node| match &node.operator {
        Operator::StreamJoin { store, kind, window, .. } => {
            let waits = *kind != JoinKind::Inner;
            let store = JoinStore::open(state, *store, window.retention(), waits, options.window_memory)?;
            Ok(NodeMemory::Join(Box::new(store)))
        }
        Operator::Process { timers: Some(store), .. } => Ok(NodeMemory::Process(Timers::open(state, *store)?)),
        Operator::Dedup { store, within, .. } => {
            Ok(NodeMemory::Dedup(Box::new(Seen::open(state, *store, *within, options.window_memory)?)))
        }
        Operator::Aggregate { windows: None, emit: Emit::Each | Emit::Final, .. } => Ok(NodeMemory::None),
        Operator::Aggregate { store, windows, emit, open, .. } => {
            let windows = windows.map(|windows| {
                let retention = topology.stores.get(store.0).and_then(|spec| spec.kind.retention());
                let retention = retention.unwrap_or(windows.kept());
                WindowedStore::open(state, (*store, *open), windows, *emit, retention)
            });
            let (windows, waiting) = (windows.transpose()?, Waiting::default());
            Ok(NodeMemory::Aggregate(Box::new(AggregateMemory { windows, waiting })))
        }
        _ => Ok(NodeMemory::None),
    });
    Ok(Memory {
        nodes: nodes.collect::<Result<_, TaskError>>()?,
        paces: vec![FIRST_PACE; shape.nodes.len()],
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
    pub(super) fn wait_again(&mut self, results: Vec<(NodeId, WaitingResult)>) -> Result<(), NodeId> {
        for (node, result) in results {
            let waiting = self.nodes.get_mut(node.0).and_then(NodeMemory::waiting);
            waiting.ok_or(node)?.push(result);
        }
        Ok(())
    }

    /// Moves into the transaction what must be committed, and is not yet.
    pub(super) fn prepare(&mut self, topology: &Topology, options: &TaskOptions, state: &mut TaskState) {
        let shape = shape(topology, options.subtopology);
        for node in &mut self.nodes {
            match node {
                NodeMemory::None => {}
                NodeMemory::Join(store) => store.prepare(state),
                NodeMemory::Process(timers) => timers.prepare(state),
                NodeMemory::Dedup(seen) => seen.prepare(state),
                NodeMemory::Aggregate(memory) => memory.windows.iter_mut().for_each(|windows| windows.prepare(state)),
            }
        }
        if state.bytes() > 0 {
            for (key, value) in self.unrecorded.drain(..) {
                state.put(shape.meta, key, Some(value));
            }
        }
    }
}
