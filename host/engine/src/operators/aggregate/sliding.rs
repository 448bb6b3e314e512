//! Sliding windows: for each record the window that ends with it, and the one that begins after it if there is
//! something in it; a record also goes into all windows of others that its time lies in.
//!
//! Kafka Streams' way for stores that can be read backwards, and with it the order of results. Windows don't begin
//! before zero: all records up to the length share the first one. Late is a record whose right window would have
//! closed, or one for which only closed windows are left.

use bytes::Bytes;

use super::outline::{Live, Planned, ResultOf};
use super::plan::{Plan, Wanted};
use crate::ports::BackendError;
use crate::record::{Timestamp, Window};
use crate::step::Item;

/// A record on its way into its windows.
struct Arrival<'a, 'p> {
    plan: &'a mut Plan<'p>,
    planned: Planned,
    number: usize,
    key: &'a Bytes,
    time: Timestamp,
    difference: i64,
}

/// What the windows that were there say of those that are to be made.
#[derive(Default)]
struct Around {
    /// The state of the windows that begin at or before the record and go on after it: what is in the record's right
    /// window.
    right: Option<Live>,
    /// The state of the last window that ends before the record.
    left: Option<Live>,
    has_left: bool,
    has_right: bool,
    /// The time of the last record before this one.
    previous: Option<Timestamp>,
}

/// Gives what the record does, and whether windows may close at its time: they don't at early ones.
pub(super) fn plan(
    plan: &mut Plan<'_>,
    (number, item): (usize, &Item),
    difference: i64,
) -> Result<(Planned, bool), BackendError> {
    let time = item.record.timestamp;
    let Some(key) = &item.record.key else { return Ok((Planned::default(), false)) };
    if time.saturating_add(difference) < plan.close() {
        return Ok((Planned { late: true, ..Planned::default() }, false));
    }
    let mut arrival = Arrival { plan, planned: Planned::default(), number, key, time, difference };
    let early = time < difference;
    if early {
        arrival.early()?;
    } else {
        arrival.later()?;
    }
    let mut planned = arrival.planned;
    planned.late = !planned.changes.iter().any(|change| matches!(change.result, ResultOf::Entry(..)));
    Ok((planned, !early))
}

impl Arrival<'_, '_> {
    fn later(&mut self) -> Result<(), BackendError> {
        let (time, begins) = (self.time, self.time.saturating_sub(self.difference));
        // Of the windows that end before the record, only the last counts.
        let wanted = |window: Window| if window.start < begins { Wanted::IfLast } else { Wanted::Yes };
        let from = begins.saturating_sub(self.difference).max(0);
        let windows = self.plan.range(self.key, (from, time.saturating_add(1)), wanted)?;
        let starts: Vec<Timestamp> = windows.iter().map(|(window, _)| window.start).collect();
        let mut around = Around { has_right: starts.contains(&time.saturating_add(1)), ..Around::default() };
        for (window, live) in windows.into_iter().rev().filter(|(window, _)| window.start <= time) {
            if window.end > time {
                if around.right.is_none() {
                    around.right = Some(self.as_it_is(&live));
                }
                self.update(window, Some(live));
            } else if window.end == time {
                around.has_left = true;
                let before = live.timestamp;
                self.update(window, Some(live));
                if before >= time {
                    // There is a record of the same time already, with all that it made.
                    return Ok(());
                }
                around.previous = Some(before);
            } else {
                around.previous = Some(live.timestamp);
                around.left = Some(live);
                break;
            }
        }
        self.create(around, &starts);
        Ok(())
    }

    fn create(&mut self, around: Around, starts: &[Timestamp]) {
        let begins = self.time.saturating_sub(self.difference);
        if let Some(previous) = around.previous {
            let start = previous.saturating_add(1);
            let end = start.saturating_add(self.difference);
            if !starts.contains(&start) && end >= self.time {
                self.update(Window { start, end }, None);
            }
        }
        if !around.has_left {
            let filled = around.previous.is_some_and(|previous| begins <= previous);
            let base = around.left.filter(|_| filled).map(|live| Live { timestamp: self.time, ..live });
            self.update(Window { start: begins, end: self.time }, base);
        }
        self.begin_right(around.has_right, around.right);
    }

    fn early(&mut self) -> Result<(), BackendError> {
        let time = self.time;
        let windows = self.plan.range(self.key, (0, time.saturating_add(1)), |_| Wanted::Yes)?;
        let starts: Vec<Timestamp> = windows.iter().map(|(window, _)| window.start).collect();
        let has_right = starts.contains(&time.saturating_add(1));
        let (mut around, mut shared) = (Around { has_right, ..Around::default() }, None);
        for (window, live) in windows.into_iter().filter(|(window, _)| window.start <= time) {
            if window.start == 0 {
                around.previous = (live.timestamp < time).then_some(live.timestamp);
                shared = Some(live);
            } else {
                around.right = Some(self.as_it_is(&live));
                self.update(window, Some(live));
            }
        }
        // Where no window lies between, all later records in the shared one are in the right window too.
        let right = around.right.or_else(|| shared.clone());
        self.begin_right(around.has_right, right);
        if let Some(previous) = around.previous {
            let start = previous.saturating_add(1);
            if !starts.contains(&start) {
                self.update(Window { start, end: start.saturating_add(self.difference) }, None);
            }
        }
        self.update(Window { start: 0, end: self.difference }, shared);
        Ok(())
    }

    /// The state of a window before the record goes into it.
    fn as_it_is(&mut self, live: &Live) -> Live {
        self.plan.seal(&live.state);
        live.clone()
    }

    /// Adds the record to a window, unless that is closed; without a state it is a new one.
    fn update(&mut self, window: Window, base: Option<Live>) {
        if window.end < self.plan.close() {
            self.planned.missed += 1;
            return;
        }
        let timestamp = base.as_ref().map_or(self.time, |live| live.timestamp.max(self.time));
        let change = self.plan.add(self.number, self.key, (window, timestamp), base, vec![], false);
        self.planned.changes.push(change);
    }

    /// The window that begins after the record, if there is something in it.
    fn begin_right(&mut self, exists: bool, state: Option<Live>) {
        let start = self.time.saturating_add(1);
        if let Some(live) = state.filter(|live| !exists && live.timestamp > self.time) {
            let window = Window { start, end: start.saturating_add(self.difference) };
            let change = self.plan.copy(self.key, window, live);
            self.planned.changes.extend(change);
        }
    }
}
