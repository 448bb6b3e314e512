//! What nodes remember between runs.

use super::aggregate::{AggregateMemory, PendingResults};
use crate::ports::{BackendError, Clock, Scan};
use crate::record::Timestamp;
use crate::state::TaskState;
use crate::state::aggregate_windows::AggregateWindows;
use crate::state::dedup::DedupStore;
use crate::state::join::JoinStore;
use crate::state::timers::Timers;
use crate::topology::{Emit, JoinKind, Node, Operator, Topology};

/// What a node remembers.
pub(crate) enum NodeMemory {
    /// Nothing.
    None,
    /// What a stream-stream join keeps.
    Join(Box<JoinStore>),
    /// When the timers of a process step are due.
    Process(Timers),
    /// What a deduplicating step has store.
    Dedup(Box<DedupStore>),
    /// Windows of an aggregate, and results that wait for a commit.
    Aggregate(Box<AggregateMemory>),
}

/// So many open windows are counted: to count more would keep an app that stops.
const MOST_WINDOWS: u64 = 1_000_000;

impl NodeMemory {
    /// Loads what a node remembers; of live windows at most so many bytes.
    pub(crate) fn open(
        node: &Node,
        topology: &Topology,
        window_memory: usize,
        state: &TaskState,
    ) -> Result<Self, BackendError> {
        match &node.operator {
            Operator::StreamJoin { store, kind, window, .. } => {
                let waits = *kind != JoinKind::Inner;
                let store = JoinStore::open(state, *store, window.retention(), waits, window_memory)?;
                Ok(Self::Join(Box::new(store)))
            }
            Operator::Process { timers: Some(store), .. } => Ok(Self::Process(Timers::open(state, *store)?)),
            Operator::Dedup { store, within, .. } => {
                Ok(Self::Dedup(Box::new(DedupStore::open(state, *store, *within, window_memory)?)))
            }
            Operator::Aggregate { windows: None, emit: Emit::Each | Emit::Final, .. } => Ok(Self::None),
            Operator::Aggregate { store, windows, emit, open, .. } => {
                let windows = windows.map(|windows| {
                    let retention = topology.stores.get(store.0).and_then(|spec| spec.kind.retention());
                    let retention = retention.unwrap_or(windows.kept());
                    AggregateWindows::open(state, (*store, *open), windows, *emit, retention)
                });
                let (windows, pending) = (windows.transpose()?, PendingResults::default());
                Ok(Self::Aggregate(Box::new(AggregateMemory { windows, pending })))
            }
            _ => Ok(Self::None),
        }
    }

    /// Memory it holds, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::None | Self::Process(_) | Self::Aggregate(_) => 0,
            Self::Join(store) => store.bytes(),
            Self::Dedup(store) => store.bytes(),
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
            Self::Aggregate(memory) => !memory.pending.is_empty(),
        }
    }

    /// The results that wait for a commit, of a step that has some.
    pub(crate) fn pending_results(&mut self) -> Option<&mut PendingResults> {
        match self {
            Self::Aggregate(memory) => Some(&mut memory.pending),
            _ => None,
        }
    }

    /// Memory of that, in bytes, roughly.
    pub(crate) fn pending_result_bytes(&self) -> usize {
        match self {
            Self::None | Self::Join(_) | Self::Process(_) | Self::Dedup(_) => 0,
            Self::Aggregate(memory) => memory.pending.bytes(),
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
    pub(crate) fn unwritten_bytes(&self) -> usize {
        match self {
            Self::None | Self::Process(_) | Self::Aggregate(_) => 0,
            Self::Join(store) => store.unwritten_bytes(),
            Self::Dedup(store) => store.unwritten_bytes(),
        }
    }

    /// Moves into the transaction what must be committed, and is not yet.
    pub(crate) fn prepare(&mut self, state: &mut TaskState) {
        match self {
            Self::None => {}
            Self::Join(store) => store.prepare(state),
            Self::Process(timers) => timers.prepare(state),
            Self::Dedup(store) => store.prepare(state),
            Self::Aggregate(memory) => memory.windows.iter_mut().for_each(|windows| windows.prepare(state)),
        }
    }
}
