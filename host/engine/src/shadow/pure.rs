//! Comparing calls without stores: of transforms, joins and aggregates.

use super::compare::Parent;
use super::{MOST_PIECE, ShadowLogic, ShadowReport, Shadowed, decided, failed, grant};
use crate::calls::{fault, outcomes};
use crate::logic::Logic;
use crate::ports::{Attempt, CallError, Called, FunctionId, Group, Grouped, Mode, Outcome};

impl<L: Logic> ShadowLogic<L> {
    /// Compares the outcomes of a call without state. `called` are those of the active version.
    pub(super) fn compare_pure<T: Clone>(
        &mut self,
        function: FunctionId,
        (items, attempt): (&[T], Attempt),
        called: &Result<Called<Vec<Outcome>>, CallError>,
        parent: impl Fn(&T) -> Parent<'_>,
        mut call: impl FnMut(&mut L, FunctionId, &[T], Attempt) -> Result<Called<Vec<Outcome>>, CallError>,
    ) {
        let Self { shadow, functions, report, budget, .. } = self;
        let Some(shadowed) = functions.get_mut(&function) else { return };
        if called.is_err() && attempt == Attempt::Batch {
            return;
        }
        // Before anything is copied: most calls are left out where the budget is small.
        if !grant(shadow, budget.as_mut()) {
            report.left_out += items.iter().filter(|item| shadowed.takes(parent(item).key)).count() as u64;
            return;
        }
        let Some(active) = decided(called, attempt) else { return };
        let taken = |(item, _): &(&T, &Outcome)| shadowed.takes(parent(item).key);
        let (items, active): (Vec<T>, Vec<&Outcome>) =
            items.iter().zip(&active).filter(taken).map(|(item, outcome)| (item.clone(), outcome)).unzip();
        let (mut items, mut active) = (items.as_slice(), active.as_slice());
        while !items.is_empty() {
            let piece;
            (piece, items) = items.split_at(shadowed.piece.min(items.len()));
            let (mine, rest) = active.split_at(piece.len());
            active = rest;
            let call = |items: &[T], attempt| call(shadow, shadowed.shadow, items, attempt);
            let results = outcomes(piece, piece.len(), |_| 0, call);
            shadowed.adapt(results.is_ok());
            match results {
                Ok(results) => piece.iter().zip(mine).zip(&results.result).for_each(|((item, active), shadow)| {
                    shadowed.compared(parent(item)).outcomes(active, shadow).add_to(report);
                }),
                Err(_) => report.unfinished += piece.len() as u64,
            }
            budget.spent();
            if !grant(shadow, budget.as_mut()) {
                report.left_out += items.len() as u64;
                return;
            }
        }
    }

    /// Compares the results of a call of an aggregate.
    pub(super) fn compare_groups(
        &mut self,
        function: FunctionId,
        (groups, mode, attempt): (&[Group<'_>], Mode, Attempt),
        called: &Result<Called<Vec<Grouped>>, CallError>,
    ) {
        let Self { shadow, functions, report, budget, .. } = self;
        let Some(shadowed) = functions.get_mut(&function) else { return };
        if called.is_err() && attempt == Attempt::Batch {
            return;
        }
        if !grant(shadow, budget.as_mut()) {
            let taken = groups.iter().filter(|group| shadowed.takes(Some(group.key)));
            report.left_out += taken.map(|group| group.entries.len() as u64).sum::<u64>();
            return;
        }
        let active: Vec<Result<Grouped, Outcome>> = match called {
            Ok(called) => called.result.iter().cloned().map(Ok).collect(),
            Err(error) => match failed(Some(error), attempt) {
                Some(outcome) => vec![Err(outcome)],
                None => return,
            },
        };
        let taken = |(group, _): &(&Group<'_>, Result<Grouped, Outcome>)| shadowed.takes(Some(group.key));
        let (groups, active): (Vec<Group<'_>>, Vec<_>) =
            groups.iter().zip(active).filter(taken).map(|(group, active)| (group.clone(), active)).unzip();
        let entries = |groups: &[Group<'_>]| groups.iter().map(|group| group.entries.len() as u64).sum::<u64>();
        let (mut groups, mut active) = (groups.as_slice(), active.as_slice());
        while !groups.is_empty() {
            let piece;
            (piece, groups) = groups.split_at(shadowed.piece.min(groups.len()));
            let (mine, rest) = active.split_at(piece.len());
            active = rest;
            let results = groups_of(shadow, shadowed.shadow, piece, mode);
            shadowed.adapt(results.is_ok());
            match results {
                Ok(results) => piece.iter().zip(mine).zip(&results).for_each(|((group, active), shadow)| {
                    shadowed.compare_group(group, active, shadow, report);
                }),
                Err(_) => report.unfinished += entries(piece),
            }
            budget.spent();
            if !grant(shadow, budget.as_mut()) {
                report.left_out += entries(groups);
                return;
            }
        }
    }
}

impl Shadowed {
    fn compare_group(
        &self,
        group: &Group<'_>,
        active: &Result<Grouped, Outcome>,
        shadow: &Result<Grouped, Outcome>,
        report: &mut ShadowReport,
    ) {
        for (entry, (_, message)) in group.entries.iter().enumerate() {
            let parent = Parent { key: Some(group.key), ..Parent::of(*message) };
            let is_last = entry + 1 == group.entries.len();
            self.compared(parent).grouped((entry, is_last), active, shadow).add_to(report);
        }
    }

    /// Adapts the size of the next call: a shadow that traps for each record is called for few records at a time, so that
    /// some are finished in the time of a call.
    fn adapt(&mut self, finished: bool) {
        self.piece = match finished {
            true => self.piece.saturating_mul(2).min(MOST_PIECE),
            false => (self.piece / 8).max(1),
        };
    }
}

/// The results of a shadow for groups, one by one where they fail together.
fn groups_of(
    logic: &mut dyn Logic,
    shadow: FunctionId,
    groups: &[Group<'_>],
    mode: Mode,
) -> Result<Vec<Result<Grouped, Outcome>>, CallError> {
    match logic.aggregate(shadow, groups, mode, Attempt::Batch) {
        Ok(called) => return Ok(called.result.into_iter().map(Ok).collect()),
        Err(CallError::Guest { .. }) => {}
        Err(host) => return Err(host),
    }
    let mut results = Vec::new();
    for group in groups {
        let alone = logic.aggregate(shadow, std::slice::from_ref(group), mode, Attempt::Verdict);
        results.push(match alone {
            Ok(mut called) => Ok(called.result.pop().ok_or_else(|| CallError::Host("no result of a group".into()))?),
            Err(error) => Err(Outcome::Fail(fault(error)?)),
        });
    }
    Ok(results)
}
