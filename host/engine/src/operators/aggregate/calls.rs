//! The calls of a plan, level by level, so that each group has the states that it begins with.

use super::batches::batches;
use super::guest::Guest;
use super::plan::{PlannedGroup, StateRef};
use crate::calls;
use crate::manifest::FunctionManifest;
use crate::ports::{CallError, Change, Failure, Group, Grouped, Mode, Outcome, Stored};
use crate::step::{Item, Step};

/// The results of a plan's groups, by index.
pub(super) type GroupResults = Vec<Option<Grouped>>;

/// Makes the calls of a plan.
pub(super) struct Calls<'c, 's, 'l> {
    pub(super) step: &'c Step<'s>,
    pub(super) items: &'c [Item],
    pub(super) guest: &'c mut Guest<'l>,
    /// The failure if a state is too large for its store.
    pub(super) too_large: &'c dyn Fn(&Group<'_>, &Stored) -> Option<Failure>,
}

impl Calls<'_, '_, '_> {
    /// Makes all calls. Returns `None` if a record failed, was skipped or deleted its state: then the plan for later
    /// records is wrong. A plan of one record always has results, because there are no later records.
    pub(super) fn run(&mut self, drafts: &[PlannedGroup]) -> Result<Option<GroupResults>, CallError> {
        let mut results: GroupResults = drafts.iter().map(|_| None).collect();
        let mut order: Vec<usize> = (0..drafts.len()).collect();
        let turn = |number: &usize| drafts.get(*number).map(|draft| (draft.level, draft.mode() == Mode::Last));
        order.sort_by_key(turn);
        for same in order.chunk_by(|a, b| turn(a) == turn(b)) {
            let mode = same.first().and_then(|number| drafts.get(*number)).map_or(Mode::Each, PlannedGroup::mode);
            let groups: Vec<Group<'_>> =
                same.iter().filter_map(|number| Some(self.group(drafts.get(*number)?, &results))).collect();
            let mut done = Vec::with_capacity(groups.len());
            let function = self.guest.manifest;
            for batch in batches(&groups, self.step.options.batch.max(1), |group| size(group, function)) {
                match self.call(batch, mode)? {
                    Some(batch) => done.extend(batch),
                    None => return Ok(None),
                }
            }
            for (number, result) in same.iter().zip(done) {
                if let Some(place) = results.get_mut(*number) {
                    *place = Some(result);
                }
            }
        }
        Ok(Some(results))
    }

    fn call(&mut self, groups: &[Group<'_>], mode: Mode) -> Result<Option<Vec<Grouped>>, CallError> {
        if let [_] = self.items {
            let mut results = self.guest.groups(groups, mode)?;
            for (group, result) in groups.iter().zip(&mut results) {
                if let Some(failure) = self.state_too_large(group, result) {
                    result.outcomes = vec![Outcome::Fail(failure)];
                }
            }
            return Ok(Some(results));
        }
        let results = self.guest.attempt(groups, mode)?;
        let good =
            |results: &Vec<Grouped>| groups.iter().zip(results).all(|(group, result)| self.is_good(group, result));
        Ok(results.filter(good))
    }

    fn is_good(&self, group: &Group<'_>, result: &Grouped) -> bool {
        let succeeded = |outcome: &Outcome| matches!(outcome, Outcome::Outputs(_));
        result.outcomes.iter().all(succeeded)
            && result.deleted_after.is_empty()
            && (group.entries.is_empty() || result.state.is_some())
            && self.state_too_large(group, result).is_none()
    }

    /// The failure if the new state of a group is too large.
    fn state_too_large(&self, group: &Group<'_>, result: &Grouped) -> Option<Failure> {
        let changed = matches!(result.outcomes.last(), Some(Outcome::Outputs(_)));
        let state = result.state.as_ref().filter(|_| changed && !group.entries.is_empty())?;
        (self.too_large)(group, state)
    }

    fn group<'g>(&self, draft: &'g PlannedGroup, results: &GroupResults) -> Group<'g>
    where
        Self: 'g,
    {
        let state = |state: &StateRef| state_of(state, results);
        let records = draft.entries.iter().filter_map(|number| self.items.get(*number));
        Group {
            key: &draft.key,
            window: Some(draft.window),
            state: draft.base.as_ref().and_then(state),
            absorbed: draft.absorbed.iter().filter_map(state).collect(),
            entries: records.map(|item| (Change::Add, item.record.message(self.step.name_of(item.from)))).collect(),
        }
    }
}

/// The state that a reference points to.
pub(super) fn state_of(state: &StateRef, results: &GroupResults) -> Option<Stored> {
    match state {
        StateRef::Kept(stored) => Some(stored.clone()),
        StateRef::Made(group) => results.get(*group)?.as_ref()?.state.clone(),
    }
}

/// Number of records, and bytes, of a group.
fn size(group: &Group<'_>, function: &FunctionManifest) -> (usize, usize) {
    let states = group.state.iter().chain(&group.absorbed).map(|state| state.bytes.len()).sum::<usize>();
    let records = group.entries.iter().map(|(_, message)| calls::bytes_of(message, function)).sum::<usize>();
    (group.entries.len().max(1), states + records)
}
