//! A plan for some records: the groups of the coming calls, and the changes of each record.

use std::collections::BTreeMap;

use bytes::Bytes;
use smallvec::SmallVec;

use super::planned_windows::PlannedWindows;
use crate::ports::{Mode, Stored};
use crate::record::{Timestamp, Window};
use crate::state::aggregate_windows::AggregateClock;
use crate::state::budget::Budget;

/// A plan for some records.
pub(super) struct Plan {
    pub(super) clock: AggregateClock,
    pub(super) earliest: Timestamp,
    pub(super) windows: PlannedWindows,
    /// Entries of the store of open windows: true if written, false if deleted.
    pub(super) open: BTreeMap<Bytes, bool>,
    pub(super) groups: Vec<PlannedGroup>,
    pub(super) records: Vec<PlannedRecord>,
    /// What is left of the budget for this pass.
    pub(super) budget: Budget,
    /// The first window that closes at the time of the last record, but waits for the next pass.
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

/// A group of a coming call.
pub(super) struct PlannedGroup {
    pub(super) key: Bytes,
    pub(super) window: Window,
    pub(super) base: Option<StateRef>,
    pub(super) absorbed: Vec<StateRef>,
    /// Indexes of the records. Without any, the call asks for the value.
    pub(super) entries: SmallVec<[usize; 2]>,
    /// About how many bytes the state has after the records: the bytes before, plus those of the records.
    pub(super) bytes: usize,
    /// Groups need results of lower levels only.
    pub(super) level: usize,
    /// Another group needs the state after these entries, so no more may be added.
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

/// A reference to a state.
#[derive(Clone)]
pub(super) enum StateRef {
    /// A stored state.
    Kept(Stored),
    /// The state that a group will leave.
    Made(usize),
}

/// The plan for one record.
#[derive(Default)]
pub(super) struct PlannedRecord {
    /// Its changes, in the order of their results.
    pub(super) changes: SmallVec<[WindowChange; 2]>,
    /// Number of its windows that have closed.
    pub(super) missed: u64,
    /// Whether it is late: all of its windows have closed.
    pub(super) late: bool,
    /// Windows that close at its time.
    pub(super) closing: Vec<ClosingWindow>,
    /// Number of windows that close at its time, but have expired before.
    pub(super) lost: u64,
}

/// A window that closes.
pub(super) struct ClosingWindow {
    pub(super) key: Bytes,
    pub(super) window: Window,
    pub(super) timestamp: Timestamp,
    /// Index of the group that has its value.
    pub(super) group: usize,
}

/// A record's change of one window.
pub(super) struct WindowChange {
    pub(super) window: Window,
    pub(super) timestamp: Timestamp,
    /// Whether the window existed before.
    pub(super) existed: bool,
    pub(super) result: ResultSource,
}

/// Where the result of a change is found.
#[derive(Clone, Copy)]
pub(super) enum ResultSource {
    /// There is none: the window was merged into another one.
    Gone,
    /// In the outcome of an entry: index of the group, and of the entry in it.
    Entry(usize, usize),
    /// In the value of a group.
    Value(usize),
}
