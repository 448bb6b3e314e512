//! Sliding windows: each record makes a left window, which ends with it, and a right window, which begins after it if
//! it has records. A record also goes into each window of other records that contains its time.
//!
//! The algorithm, and with it the order of results, is Kafka Streams' for stores that can be read backwards. Windows
//! don't begin before zero: all records up to the length share the first one. A record is late if its right window
//! would have closed, or if all of its windows have.

use bytes::Bytes;

use super::plan::{PlannedRecord, ResultSource, WindowState};
use super::planner::{Planner, Wanted};
use crate::ports::BackendError;
use crate::record::{Timestamp, Window};
use crate::step::Item;

/// The planning of one record.
struct SlidingStep<'a, 'p> {
    planner: &'a mut Planner<'p>,
    planned: PlannedRecord,
    number: usize,
    key: &'a Bytes,
    time: Timestamp,
    difference: i64,
}

/// The existing windows near a record, which decide about its new windows.
#[derive(Default)]
struct Neighbours {
    /// The state of the record's right window: that of the last window that begins at or before the record and ends
    /// after it.
    right: Option<WindowState>,
    /// The state of the last window that ends before the record.
    left: Option<WindowState>,
    has_left: bool,
    has_right: bool,
    /// The time of the previous record.
    previous: Option<Timestamp>,
}

/// Plans a record, and returns whether windows may close at its time: not if the time is less than the length.
pub(super) fn plan(
    planner: &mut Planner<'_>,
    (number, item): (usize, &Item),
    difference: i64,
) -> Result<(PlannedRecord, bool), BackendError> {
    let time = item.record.timestamp;
    let Some(key) = &item.record.key else { return Ok((PlannedRecord::default(), false)) };
    if time.saturating_add(difference) < planner.close() {
        return Ok((PlannedRecord { late: true, ..PlannedRecord::default() }, false));
    }
    let mut step = SlidingStep { planner, planned: PlannedRecord::default(), number, key, time, difference };
    let early = time < difference;
    if early {
        step.early()?;
    } else {
        step.later()?;
    }
    let mut planned = step.planned;
    planned.late = !planned.changes.iter().any(|change| matches!(change.result, ResultSource::Entry(..)));
    Ok((planned, !early))
}

impl SlidingStep<'_, '_> {
    fn later(&mut self) -> Result<(), BackendError> {
        let (time, begins) = (self.time, self.time.saturating_sub(self.difference));
        // Of the windows that end before the record, only the last one counts.
        let wanted = |window: Window| if window.start < begins { Wanted::IfLast } else { Wanted::Yes };
        let from = begins.saturating_sub(self.difference).max(0);
        let windows = self.planner.range(self.key, (from, time.saturating_add(1)), wanted)?;
        let starts: Vec<Timestamp> = windows.iter().map(|(window, _)| window.start).collect();
        let mut neighbours =
            Neighbours { has_right: starts.contains(&time.saturating_add(1)), ..Neighbours::default() };
        for (window, live) in windows.into_iter().rev().filter(|(window, _)| window.start <= time) {
            if window.end > time {
                if neighbours.right.is_none() {
                    neighbours.right = Some(self.sealed(&live));
                }
                self.update(window, Some(live));
            } else if window.end == time {
                neighbours.has_left = true;
                let before = live.timestamp;
                self.update(window, Some(live));
                if before >= time {
                    // A record with the same time has made all windows already.
                    return Ok(());
                }
                neighbours.previous = Some(before);
            } else {
                neighbours.previous = Some(live.timestamp);
                neighbours.left = Some(live);
                break;
            }
        }
        self.create(neighbours, &starts);
        Ok(())
    }

    fn create(&mut self, neighbours: Neighbours, starts: &[Timestamp]) {
        let begins = self.time.saturating_sub(self.difference);
        if let Some(previous) = neighbours.previous {
            let start = previous.saturating_add(1);
            let end = start.saturating_add(self.difference);
            if !starts.contains(&start) && end >= self.time {
                self.update(Window { start, end }, None);
            }
        }
        if !neighbours.has_left {
            let filled = neighbours.previous.is_some_and(|previous| begins <= previous);
            let base = neighbours.left.filter(|_| filled).map(|live| WindowState { timestamp: self.time, ..live });
            self.update(Window { start: begins, end: self.time }, base);
        }
        self.create_right(neighbours.has_right, neighbours.right);
    }

    fn early(&mut self) -> Result<(), BackendError> {
        let time = self.time;
        let windows = self.planner.range(self.key, (0, time.saturating_add(1)), |_| Wanted::Yes)?;
        let starts: Vec<Timestamp> = windows.iter().map(|(window, _)| window.start).collect();
        let has_right = starts.contains(&time.saturating_add(1));
        let (mut neighbours, mut shared) = (Neighbours { has_right, ..Neighbours::default() }, None);
        for (window, live) in windows.into_iter().filter(|(window, _)| window.start <= time) {
            if window.start == 0 {
                neighbours.previous = (live.timestamp < time).then_some(live.timestamp);
                shared = Some(live);
            } else {
                neighbours.right = Some(self.sealed(&live));
                self.update(window, Some(live));
            }
        }
        // Without a window in between, all later records of the shared window are in the right window too.
        let right = neighbours.right.or_else(|| shared.clone());
        self.create_right(neighbours.has_right, right);
        if let Some(previous) = neighbours.previous {
            let start = previous.saturating_add(1);
            if !starts.contains(&start) {
                self.update(Window { start, end: start.saturating_add(self.difference) }, None);
            }
        }
        self.update(Window { start: 0, end: self.difference }, shared);
        Ok(())
    }

    /// The state of a window before the record is added.
    fn sealed(&mut self, live: &WindowState) -> WindowState {
        self.planner.seal(&live.state);
        live.clone()
    }

    /// Adds the record to a window, unless the window has closed. Without a state, the window is new.
    fn update(&mut self, window: Window, base: Option<WindowState>) {
        if window.end < self.planner.close() {
            self.planned.missed += 1;
            return;
        }
        let timestamp = base.as_ref().map_or(self.time, |live| live.timestamp.max(self.time));
        let change = self.planner.add(self.number, self.key, (window, timestamp), base, vec![], false);
        self.planned.changes.push(change);
    }

    /// Creates the right window, if it has records.
    fn create_right(&mut self, exists: bool, state: Option<WindowState>) {
        let start = self.time.saturating_add(1);
        if let Some(live) = state.filter(|live| !exists && live.timestamp > self.time) {
            let window = Window { start, end: start.saturating_add(self.difference) };
            let change = self.planner.copy(self.key, window, live);
            self.planned.changes.extend(change);
        }
    }
}
