//! What was planned for some records: the groups of the calls to come, and what each record does.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::ports::{Mode, Stored};
use crate::record::{Timestamp, Window};
use crate::state::aggregate_windows::AggregateClock;
use crate::state::budget::Budget;

/// What was planned.
pub(super) struct Plan {
    pub(super) clock: AggregateClock,
    pub(super) earliest: Timestamp,
    /// Windows that change, by the key of their entry; `None`: gone.
    pub(super) windows: BTreeMap<Bytes, Option<WindowState>>,
    /// Entries of the store of open windows that are written, or deleted.
    pub(super) open: BTreeMap<Bytes, bool>,
    pub(super) groups: Vec<PlannedGroup>,
    pub(super) records: Vec<PlannedRecord>,
    /// What the step may still let out in this pass.
    pub(super) budget: Budget,
    /// Where the windows begin that close at the time of the last record too, and wait for the next pass.
    pub(super) more: Option<Bytes>,
}

impl Plan {
    /// About how many bytes a state has.
    pub(super) fn bytes(&self, state: &StateRef) -> usize {
        match state {
            StateRef::Kept(stored) => stored.bytes.len(),
            StateRef::Made(group) => self.groups.get(*group).map_or(0, |group| group.bytes),
        }
    }
}

/// A group of a call to come.
pub(super) struct PlannedGroup {
    pub(super) key: Bytes,
    pub(super) window: Window,
    pub(super) base: Option<StateRef>,
    pub(super) absorbed: Vec<StateRef>,
    /// Numbers of the records. Without any, the value is asked for.
    pub(super) entries: Vec<usize>,
    /// About how many bytes the state has after them: what was there, and what was added to it.
    pub(super) bytes: usize,
    /// Groups of one level don't need each other's results, only those of lower levels.
    pub(super) level: usize,
    /// Something needs the state as it is after these entries.
    pub(super) sealed: bool,
}

impl PlannedGroup {
    pub(super) fn mode(&self) -> Mode {
        if self.entries.is_empty() { Mode::Last } else { Mode::Each }
    }
}

/// A window with a state.
#[derive(Clone)]
pub(super) struct WindowState {
    pub(super) timestamp: Timestamp,
    pub(super) state: StateRef,
}

/// A state.
#[derive(Clone)]
pub(super) enum StateRef {
    /// This one.
    Kept(Stored),
    /// The one that a group leaves.
    Made(usize),
}

/// What a record does.
#[derive(Default)]
pub(super) struct PlannedRecord {
    /// What it changes, in the order in which results come out.
    pub(super) changes: Vec<WindowChange>,
    /// Windows that it would go to, were they not closed.
    pub(super) missed: u64,
    /// Whether it goes nowhere, because it comes too late.
    pub(super) late: bool,
    /// Windows that close at its time.
    pub(super) closing: Vec<ClosingWindow>,
    /// Windows that close at its time, but were kept for too short a time to come out.
    pub(super) lost: u64,
}

/// A window that closes.
pub(super) struct ClosingWindow {
    pub(super) key: Bytes,
    pub(super) window: Window,
    pub(super) timestamp: Timestamp,
    /// The group that its value is asked of.
    pub(super) group: usize,
}

/// What a record does to one window.
pub(super) struct WindowChange {
    pub(super) window: Window,
    pub(super) timestamp: Timestamp,
    /// Whether the window was there before.
    pub(super) existed: bool,
    pub(super) result: ResultSource,
}

/// Where the result is to be found.
#[derive(Clone, Copy)]
pub(super) enum ResultSource {
    /// There is none: the window has become part of another one.
    Gone,
    /// The outcome of an entry: group, and index within it.
    Entry(usize, usize),
    /// The value of a group.
    Value(usize),
}
