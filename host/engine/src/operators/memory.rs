//! The memory of a node between runs.

use super::aggregate::{AggregateMemory, PendingResults};
use crate::ports::{BackendError, Clock, Scan};
use crate::record::Timestamp;
use crate::state::TaskState;
use crate::state::aggregate_windows::AggregateWindows;
use crate::state::dedup::DedupStore;
use crate::state::join::JoinStore;
use crate::state::state_cache::StateCache;
use crate::state::timers::Timers;
use crate::topology::{Emit, JoinKind, Node, Operator, Topology};

/// The memory of a node between runs.
pub(crate) enum NodeMemory {
    /// Nothing.
    None,
    /// The store of a stream-stream join.
    Join(Box<JoinStore>),
    /// The timers of a process step.
    Process(Timers),
    /// The identities of a deduplicating step.
    Dedup(Box<DedupStore>),
    /// Windows of an aggregate, and its pending results.
    Aggregate(Box<AggregateMemory>),
}

/// A cache of windows or states gets a quarter of the memory for the entries of a join: it can be read again.
const CACHE_SHARE: usize = 4;

/// Most open windows that are counted: to count more would delay an app that stops.
const MOST_WINDOWS: u64 = 1_000_000;

impl NodeMemory {
    /// Loads the memory of a node from its state, with at most `window_memory` bytes of live entries.
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
            Operator::Aggregate { store, windows, emit, open, .. } => {
                let windows = windows.map(|windows| {
                    let retention = topology.stores.get(store.0).and_then(|spec| spec.kind.retention());
                    let retention = retention.unwrap_or(windows.kept());
                    AggregateWindows::open(
                        state,
                        (*store, *open),
                        (windows, *emit),
                        retention,
                        window_memory / CACHE_SHARE,
                    )
                });
                let (windows, pending) = (windows.transpose()?, PendingResults::default());
                let states = StateCache::new(*store, window_memory / CACHE_SHARE);
                Ok(Self::Aggregate(Box::new(AggregateMemory { windows, states, emit: *emit, pending })))
            }
            _ => Ok(Self::None),
        }
    }

    /// When its first timer on the driver's clock is due.
    pub(crate) fn next_tick(&self) -> Option<Timestamp> {
        match self {
            Self::None | Self::Join(_) | Self::Dedup(_) | Self::Aggregate(_) => None,
            Self::Process(timers) => timers.first(Clock::Wall),
        }
    }

    /// When its last timer on the driver's clock is due.
    pub(crate) fn last_tick(&self, state: &TaskState) -> Result<Option<Timestamp>, BackendError> {
        match self {
            Self::None | Self::Join(_) | Self::Dedup(_) | Self::Aggregate(_) => Ok(None),
            Self::Process(timers) => timers.last(state, Clock::Wall),
        }
    }

    /// Number of open windows that wait for a final result.
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

    /// Whether results wait for the next commit.
    pub(crate) fn waits_for_commit(&self) -> bool {
        match self {
            Self::None | Self::Join(_) | Self::Process(_) | Self::Dedup(_) => false,
            Self::Aggregate(memory) => !memory.pending.is_empty(),
        }
    }

    /// The results that wait for the next commit, of a step that emits at commits.
    pub(crate) fn pending_results(&mut self) -> Option<&mut PendingResults> {
        match self {
            Self::Aggregate(memory) if memory.emit == Emit::Commit => Some(&mut memory.pending),
            _ => None,
        }
    }

    /// Memory of these results, in bytes, roughly.
    pub(crate) fn pending_result_bytes(&self) -> usize {
        match self {
            Self::None | Self::Join(_) | Self::Process(_) | Self::Dedup(_) => 0,
            Self::Aggregate(memory) => memory.pending.bytes(),
        }
    }

    /// The timers of a process step, if it has any.
    pub(crate) fn timers(&mut self) -> Option<&mut Timers> {
        match self {
            Self::Process(timers) => Some(timers),
            _ => None,
        }
    }

    /// Memory of changes that aren't in the transaction yet, in bytes, roughly; without pending results.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        match self {
            Self::None | Self::Process(_) | Self::Aggregate(_) => 0,
            Self::Join(store) => store.unwritten_bytes(),
            Self::Dedup(store) => store.unwritten_bytes(),
        }
    }

    /// Writes changes that are still in memory to the transaction.
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
