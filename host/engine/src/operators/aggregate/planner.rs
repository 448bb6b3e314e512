//! Plans the changes of windows by some records, before a guest is called.
//!
//! The windows of a record depend on the existing windows and their times, never on their states. So the host can plan
//! many records in advance, each as if all records before it succeed, and note the states of each call; a state that a
//! call has yet to make is the index of its group. If a record doesn't succeed, the plan is void: see
//! [`super::windowed`].

use std::collections::BTreeMap;

use bytes::Bytes;
use smallvec::SmallVec;

use super::plan::{
    ClosingWindow, Plan, PlannedGroup, PlannedRecord, ResultSource, StateRef, WindowChange, WindowState,
};
use super::planned_windows::PlannedWindows;
use crate::ports::{BackendError, Scan, StoreId};
use crate::record::{Record, Timestamp, Window, length};
use crate::state::TaskState;
use crate::state::aggregate_windows::{AggregateWindows, open_from, open_key, opened, order_of, place, time_of};
use crate::state::budget::Budget;
use crate::state::keys::decode_aggregate;
use crate::topology::{Emit, WindowKind, Windows};

/// Builds a plan over the state that it will change.
pub(super) struct Planner<'p> {
    state: &'p TaskState,
    pub(super) store: &'p mut AggregateWindows,
    /// Whether a group may have several records: not if each state must be checked.
    joint: bool,
    /// What is left of the budget for calls.
    work: Budget,
    /// Bytes of the current record's value.
    value: usize,
    pub(super) plan: Plan,
}

/// Whether a range scan returns an entry.
pub(super) enum Wanted {
    Yes,
    /// Only if no other such entry follows.
    IfLast,
    /// No, and no later entry.
    Enough,
}

impl<'p> Planner<'p> {
    pub(super) fn new(
        state: &'p TaskState,
        store: &'p mut AggregateWindows,
        joint: bool,
        budget: Budget,
        records: usize,
    ) -> Self {
        let plan = Plan {
            clock: store.clock,
            earliest: store.earliest,
            windows: PlannedWindows::new(store.windows.kind, records),
            open: BTreeMap::new(),
            groups: Vec::with_capacity(records),
            records: Vec::with_capacity(records),
            budget,
            more: None,
        };
        Self { state, store, joint, work: budget, value: 0, plan }
    }

    /// Whether the plan takes no more records.
    pub(super) fn is_full(&self) -> bool {
        self.plan.more.is_some() || self.plan.budget.is_full() || self.work.is_full()
    }

    /// Advances stream time to a record's timestamp, even if the record fails later.
    pub(super) fn observe(&mut self, record: &Record) {
        self.plan.clock.time = self.plan.clock.time.max(record.timestamp);
        self.value = length(&record.value);
    }

    /// Windows that end before this time have closed.
    pub(super) fn close(&self) -> Timestamp {
        self.store.close(&self.plan.clock)
    }

    /// The state of a window, unless it has expired.
    pub(super) fn find(&mut self, key: &[u8], window: Window) -> Result<Option<WindowState>, BackendError> {
        let kind = self.store.windows.kind;
        if time_of(kind, window) < self.store.horizon(&self.plan.clock) {
            return Ok(None);
        }
        self.read(key, window)
    }

    fn read(&mut self, key: &[u8], window: Window) -> Result<Option<WindowState>, BackendError> {
        if let Some(planned) = self.plan.windows.get(key, window) {
            return Ok(planned.clone());
        }
        self.store.get(self.state, key, window)?.map(|bytes| self.live(&bytes)).transpose()
    }

    fn live(&self, bytes: &Bytes) -> Result<WindowState, BackendError> {
        let (timestamp, stored) = decode_aggregate(bytes).ok_or_else(|| BackendError {
            store: format!("number {}", self.store.store.0),
            reason: "a state is shorter than its header".into(),
        })?;
        Ok(WindowState { timestamp, state: StateRef::Kept(stored) })
    }

    /// The live windows of a key whose key times are in `[from, to]`, in the order of time.
    pub(super) fn range(
        &mut self,
        key: &[u8],
        (from, to): (Timestamp, Timestamp),
        wanted: impl Fn(Window) -> Wanted,
    ) -> Result<Vec<(Window, WindowState)>, BackendError> {
        let from = from.max(self.store.horizon(&self.plan.clock));
        if from > to {
            return Ok(Vec::new());
        }
        let kind = self.store.windows.kind;
        let planned = self.plan.windows.range(key, (from, to));
        let mut found: Vec<(Window, Bytes)> = Vec::new();
        self.store.visit(self.state, key, (from, to), &mut |window, value| {
            if place(planned, kind, window).is_ok() {
                return Scan::Continue;
            }
            match wanted(window) {
                Wanted::Enough => return Scan::Stop,
                // Only the last of these counts, and there may be many.
                Wanted::IfLast => found.clear(),
                Wanted::Yes => {}
            }
            found.push((window, value()));
            Scan::Continue
        })?;
        let stored = found.into_iter().map(|(window, bytes)| Ok((window, self.live(&bytes)?)));
        let mut windows = stored.collect::<Result<Vec<_>, BackendError>>()?;
        let planned = planned.iter().filter_map(|(window, live)| Some((*window, live.clone()?)));
        windows.extend(planned.filter(|(window, _)| !matches!(wanted(*window), Wanted::Enough)));
        windows.sort_by_key(|(window, _)| order_of(kind, *window));
        let unwanted = windows.iter().take_while(|(window, _)| matches!(wanted(*window), Wanted::IfLast)).count();
        windows.drain(..unwanted.saturating_sub(1));
        Ok(windows)
    }

    /// Adds a record to a window. Absorbed states are merged into a new state first.
    pub(super) fn add(
        &mut self,
        record: usize,
        key: &Bytes,
        (window, timestamp): (Window, Timestamp),
        base: Option<WindowState>,
        absorbed: Vec<StateRef>,
        existed: bool,
    ) -> WindowChange {
        let base = base.map(|live| live.state);
        let group = match base {
            Some(StateRef::Made(group)) if self.takes(group, window) => group,
            base => self.group(key, window, base, absorbed),
        };
        let (mut index, value) = (0, self.value);
        if let Some(group) = self.plan.groups.get_mut(group) {
            index = group.entries.len();
            group.entries.push(record);
            group.bytes = group.bytes.saturating_add(value);
            // Its result may be as large as the state.
            self.work.take(group.bytes);
        }
        self.keep(key, window, WindowState { timestamp, state: StateRef::Made(group) });
        WindowChange { window, timestamp, existed, result: ResultSource::Entry(group, index) }
    }

    /// Whether a record may be added to a group: the window is the same, and no other group needs the state in between.
    fn takes(&self, group: usize, window: Window) -> bool {
        let group = self.plan.groups.get(group);
        self.joint && group.is_some_and(|group| !group.sealed && !group.entries.is_empty() && group.window == window)
    }

    /// Starts a window with the state of another one, without a record.
    pub(super) fn copy(&mut self, key: &Bytes, window: Window, of: WindowState) -> Option<WindowChange> {
        let timestamp = of.timestamp;
        self.work.take(self.plan.bytes(&of.state));
        let asked = (self.store.emit != Emit::Final).then(|| self.group(key, window, Some(of.state.clone()), vec![]));
        self.seal(&of.state);
        self.keep(key, window, of);
        Some(WindowChange { window, timestamp, existed: false, result: ResultSource::Value(asked?) })
    }

    fn keep(&mut self, key: &Bytes, window: Window, live: WindowState) {
        let kind = self.store.windows.kind;
        let plan = &mut self.plan;
        plan.clock.observed = plan.clock.observed.max(time_of(kind, window));
        plan.windows.set(key, window, Some(live));
        if self.store.open.is_some() {
            plan.open.insert(open_key(key, window), true);
            plan.earliest = plan.earliest.min(window.end);
        }
    }

    /// Removes a window that is merged into another one.
    pub(super) fn remove(&mut self, key: &Bytes, window: Window) -> WindowChange {
        self.plan.windows.set(key, window, None);
        if self.store.open.is_some() {
            self.plan.open.insert(open_key(key, window), false);
        }
        WindowChange { window, timestamp: window.end, existed: true, result: ResultSource::Gone }
    }

    fn group(&mut self, key: &Bytes, window: Window, base: Option<StateRef>, absorbed: Vec<StateRef>) -> usize {
        let levels = base.iter().chain(&absorbed).map(|state| self.seal(state));
        let level = levels.max().unwrap_or(0);
        let bytes = base.iter().chain(&absorbed).map(|state| self.plan.bytes(state)).sum();
        self.plan.groups.push(PlannedGroup {
            key: key.clone(),
            window,
            base,
            absorbed,
            entries: SmallVec::new(),
            bytes,
            level,
            sealed: false,
        });
        self.plan.groups.len() - 1
    }

    /// Seals a state, because another group needs it as it is. Returns the level of that group.
    pub(super) fn seal(&mut self, state: &StateRef) -> usize {
        let StateRef::Made(group) = state else { return 0 };
        self.plan.groups.get_mut(*group).map_or(0, |group| {
            group.sealed = true;
            group.level + 1
        })
    }

    /// Closes windows at the current stream time, in the order of their ends, as many as fit into the budget.
    pub(super) fn close_windows(&mut self, planned: &mut PlannedRecord) -> Result<(), BackendError> {
        let (Some(open), close) = (self.store.open, self.close()) else { return Ok(()) };
        let from = self.plan.clock.closed;
        if close <= from {
            return Ok(());
        }
        self.plan.clock.closed = close;
        if self.plan.earliest >= close {
            return Ok(());
        }
        for entry in self.take_open(open, from, close)? {
            let Some((window, key)) = opened(&entry) else { continue };
            if self.plan.budget.is_full() {
                (self.plan.clock.closed, self.plan.earliest) = (window.end, window.end);
                self.plan.more = Some(entry);
                return Ok(());
            }
            let key = entry.slice_ref(key);
            self.plan.open.insert(entry.clone(), false);
            match self.visible_at_close(&key, window)? {
                Some(live) => {
                    self.plan.budget.take(key.len() + self.plan.bytes(&live.state));
                    let group = self.group(&key, window, Some(live.state), vec![]);
                    planned.closing.push(ClosingWindow { key, window, timestamp: live.timestamp, group });
                }
                None => {
                    self.plan.budget.take(key.len());
                    planned.lost += 1;
                }
            }
        }
        Ok(())
    }

    /// A closing window's state. With a `retention`, an expired window has none, as in Kafka Streams; sessions ignore
    /// the retention, as there.
    fn visible_at_close(&mut self, key: &[u8], window: Window) -> Result<Option<WindowState>, BackendError> {
        match self.store.windows {
            Windows { kind: WindowKind::Hopping { .. } | WindowKind::Sliding { .. }, retention: Some(_), .. } => {
                self.find(key, window)
            }
            _ => self.read(key, window),
        }
    }

    /// The open windows that end in `[from, to)`, in order, up to one more than the budget takes. Notes the end of the
    /// next one.
    fn take_open(&mut self, open: StoreId, from: Timestamp, to: Timestamp) -> Result<Vec<Bytes>, BackendError> {
        // Skips windows that have closed already.
        let (first, end) = (self.store.resume.clone().unwrap_or_else(|| open_from(from)), open_from(to));
        let (mut found, mut next) = (Vec::new(), Timestamp::MAX);
        let (written, most) = (&self.plan.open, self.plan.budget.entries());
        self.state.scan(open, &first, None, &mut |entry, _| {
            if written.contains_key(entry) {
                return Scan::Continue;
            }
            if entry >= end.as_ref() || found.len() > most {
                next = opened(entry).map_or(Timestamp::MIN, |(window, _)| window.end);
                return Scan::Stop;
            }
            found.push(Bytes::copy_from_slice(entry));
            Scan::Continue
        })?;
        found.extend(written.range(first..end.clone()).filter(|(_, is)| **is).map(|(entry, _)| entry.clone()));
        let later = written.range(end..).find(|(_, is)| **is).and_then(|(entry, _)| opened(entry));
        self.plan.earliest = later.map_or(next, |(window, _)| next.min(window.end));
        found.sort();
        Ok(found)
    }
}
