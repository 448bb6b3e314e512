//! Comparing calls without stores: of transforms, joins and aggregates.

use super::compare::Parent;
use super::{ShadowLogic, decided, failed, grant};
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
        let Some(shadowed) = functions.get(&function) else { return };
        let Some(active) = decided(called, attempt) else { return };
        let taken = |(item, _): &(&T, &Outcome)| shadowed.takes(parent(item).key);
        let (items, active): (Vec<T>, Vec<&Outcome>) =
            items.iter().zip(&active).filter(taken).map(|(item, outcome)| (item.clone(), outcome)).unzip();
        if items.is_empty() {
            return;
        }
        if !grant(shadow, budget.as_mut()) {
            report.left_out += items.len() as u64;
            return;
        }
        let results =
            outcomes(&items, items.len(), |_| 0, |items, attempt| call(shadow, shadowed.shadow, items, attempt));
        budget.spent();
        let Ok(results) = results else {
            report.unfinished += items.len() as u64;
            return;
        };
        for ((item, active), shadow) in items.iter().zip(active).zip(&results.result) {
            shadowed.compared(parent(item)).outcomes(active, shadow).add_to(report);
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
        let Some(shadowed) = functions.get(&function) else { return };
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
        let entries = groups.iter().map(|group| group.entries.len() as u64).sum::<u64>();
        if groups.is_empty() {
            return;
        }
        if !grant(shadow, budget.as_mut()) {
            report.left_out += entries;
            return;
        }
        let results = groups_of(shadow, shadowed.shadow, &groups, mode);
        budget.spent();
        let Ok(results) = results else {
            report.unfinished += entries;
            return;
        };
        for ((group, active), shadow) in groups.iter().zip(&active).zip(&results) {
            for (entry, (_, message)) in group.entries.iter().enumerate() {
                let parent = Parent { key: Some(group.key), ..Parent::of(*message) };
                let is_last = entry + 1 == group.entries.len();
                shadowed.compared(parent).grouped((entry, is_last), active, shadow).add_to(report);
            }
        }
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
