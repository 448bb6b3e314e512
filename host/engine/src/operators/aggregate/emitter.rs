//! Emits the results of a plan, record by record.

use super::calls::GroupResults;
use super::pending_results::PendingResults;
use super::plan::{ClosingWindow, PlannedRecord, ResultSource, WindowChange};
use crate::ledger::Fate;
use crate::operators::late;
use crate::ports::{Grouped, Outcome, Output};
use crate::record::{Headers, Record};
use crate::row::Row;
use crate::step::{Item, Parent, Step, TaskError, inherited};
use crate::topology::{Call, Emit};

/// Emits the results of a plan, or holds them until the next commit.
pub(super) struct ResultEmitter<'a, 's> {
    pub(super) step: &'a mut Step<'s>,
    pub(super) emit: Emit,
    pub(super) pending: &'a mut PendingResults,
    pub(super) results: GroupResults,
    pub(super) call: &'a Call,
}

impl ResultEmitter<'_, '_> {
    /// Emits the results of a record as its children, from number `child` on, and returns the number of the next child.
    pub(super) fn record(&mut self, item: &Item, planned: &PlannedRecord, mut child: u32) -> Result<u32, TaskError> {
        for change in &planned.changes {
            match self.emit {
                Emit::Each => self.emit(item, change, &mut child)?,
                Emit::Commit => self.hold(item, change),
                Emit::Final => {}
            }
        }
        if planned.late {
            late::reject(self.step, item, &mut child, "all windows of the record have closed");
        } else if planned.missed > 0 {
            let why = "some windows of the record have closed, and it counts in the others only";
            self.step.drop_record(&item.path, "late-window", planned.missed, why, Fate::InPart);
        }
        for closing in &planned.closing {
            self.close(item, closing, &mut child)?;
        }
        if planned.lost > 0 {
            let why =
                "stream time has advanced by more than the step's `retention`: windows expired before they closed";
            self.step.drop_record(&item.path, "expired-window", planned.lost, why, Fate::InPart);
        }
        Ok(child)
    }

    fn emit(&mut self, item: &Item, change: &WindowChange, child: &mut u32) -> Result<(), TaskError> {
        let record = result_record(item, change);
        match change.result {
            ResultSource::Gone => self.step.emit(&item.path, child, 0, record),
            ResultSource::Value(group) => {
                let value = self.grouped(group).and_then(|grouped| grouped.value.take());
                self.step.emit(&item.path, child, 0, Record { value, ..record });
            }
            ResultSource::Entry(group, index) => {
                let outcome = Outcome::Outputs(self.outputs(group, index));
                let parent = Parent { path: &item.path, record: &record };
                // The record was counted, not its results in each window.
                self.step.emit_outcome(&parent, Row::New, child, outcome, self.call)?;
            }
        }
        Ok(())
    }

    fn hold(&mut self, item: &Item, change: &WindowChange) {
        let record = result_record(item, change);
        let records = match change.result {
            ResultSource::Gone => return self.pending.remove(self.step, item, change.window, record),
            ResultSource::Value(group) => {
                let value = self.grouped(group).and_then(|grouped| grouped.value.take());
                vec![(0, Record { value, ..record })]
            }
            ResultSource::Entry(group, index) => inherited(&record, self.outputs(group, index)).collect(),
        };
        self.pending.put(self.step, item, Some(change.window), records, change.existed);
    }

    /// Emits the final result of a window. If the result fails in a later step, the dead letter shows the result,
    /// because no input record is like it.
    fn close(&mut self, item: &Item, closing: &ClosingWindow, child: &mut u32) -> Result<(), TaskError> {
        let key = Some(closing.key.clone());
        let Some(grouped) = self.grouped(closing.group) else { return Ok(()) };
        let (value, outcome) = (grouped.value.take(), grouped.outcomes.pop());
        let state = grouped.state.as_ref().map(|state| state.bytes.clone());
        let (timestamp, window) = (closing.timestamp, Some(closing.window));
        let record = Record { key, value, timestamp, headers: Headers::EMPTY, window };
        self.step.count_result(self.call, record.key.as_deref());
        match outcome {
            Some(Outcome::Fail(failure)) => {
                // The dead letter shows the state, because there is no result.
                let place = item.path.child(*child);
                *child += 1;
                let path = self.step.attribute(&place, &Record { value: state, ..record }, None);
                self.step.fail(&path, &failure, Some((self.call, Some(closing.key.as_ref()))))
            }
            _ => {
                let path = self.step.attribute(&item.path, &record, None);
                self.step.emit(&path, child, 0, record);
                Ok(())
            }
        }
    }

    /// The guest's outputs for a record in a window.
    fn outputs(&mut self, group: usize, index: usize) -> Vec<Output> {
        match self.grouped(group).and_then(|grouped| grouped.outcomes.get_mut(index)) {
            Some(Outcome::Outputs(outputs)) => std::mem::take(outputs),
            _ => Vec::new(),
        }
    }

    fn grouped(&mut self, group: usize) -> Option<&mut Grouped> {
        self.results.get_mut(group)?.as_mut()
    }
}

/// The record of a result, without its value.
fn result_record(item: &Item, change: &WindowChange) -> Record {
    Record { value: None, timestamp: change.timestamp, window: Some(change.window), ..item.record.clone() }
}
