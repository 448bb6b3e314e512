//! Calls of the aggregate function that always end in an outcome, record by record if necessary.

use crate::calls;
use crate::logic::Logic;
use crate::manifest::FunctionManifest;
use crate::ports::{Attempt, CallError, Called, Change, Effect, FunctionId, Group, Grouped, Message, Mode, Outcome};

/// The aggregate function of a step.
pub(super) struct Guest<'l> {
    pub(super) logic: &'l mut dyn Logic,
    pub(super) function: FunctionId,
    pub(super) manifest: &'l FunctionManifest,
    pub(super) effects: Vec<Effect>,
}

impl Guest<'_> {
    /// One result per group; `None` if the guest broke a rule, and then the call has no effect.
    pub(super) fn attempt(&mut self, groups: &[Group<'_>], mode: Mode) -> Result<Option<Vec<Grouped>>, CallError> {
        match self.call(groups, mode, Attempt::Batch) {
            Ok(results) => Ok(Some(results)),
            Err(CallError::Guest { .. }) => Ok(None),
            Err(host) => Err(host),
        }
    }

    /// One result per group. If the value of a group without entries can't be computed, its result has an outcome with
    /// the failure.
    pub(super) fn groups(&mut self, groups: &[Group<'_>], mode: Mode) -> Result<Vec<Grouped>, CallError> {
        match self.call(groups, mode, Attempt::Batch) {
            Err(CallError::Guest { .. }) => {}
            other => return other,
        }
        match groups {
            [one] if one.entries.is_empty() => Ok(vec![self.value(one, mode)?]),
            [one] => Ok(vec![self.entries(one, mode)?]),
            many => {
                let (first, second) = many.split_at(many.len() / 2);
                let mut results = self.groups(first, mode)?;
                results.extend(self.groups(second, mode)?);
                Ok(results)
            }
        }
    }

    /// The value of a state, by verdict, after a batch with it has failed.
    fn value(&mut self, group: &Group<'_>, mode: Mode) -> Result<Grouped, CallError> {
        let mut all = nothing_yet(group);
        match self.part(group, &[], &all, mode, Attempt::Verdict) {
            Ok(done) => Ok(done),
            Err(error) => {
                all.outcomes.push(Outcome::Fail(calls::fault(error)?));
                Ok(all)
            }
        }
    }

    /// The result of a group after a batch with it has failed: in parts, each beginning with the state of the last one.
    fn entries(&mut self, group: &Group<'_>, mode: Mode) -> Result<Grouped, CallError> {
        let mut all = nothing_yet(group);
        let mut rest = group.entries.as_slice();
        while !rest.is_empty() {
            let at = match self.part(group, rest, &all, mode, Attempt::Batch) {
                Ok(done) => {
                    all.append(done);
                    return Ok(all);
                }
                Err(CallError::Guest { .. }) if rest.len() == 1 => {
                    self.alone(group, rest, &mut all, mode)?;
                    break;
                }
                Err(CallError::Guest { at, .. }) => calls::suspect(at, rest.len()),
                Err(host) => return Err(host),
            };
            let (before, from) = rest.split_at(at);
            let (culprit, after) = from.split_at(1);
            for part in before.chunks(1).chain([culprit]) {
                self.alone(group, part, &mut all, mode)?;
            }
            rest = after;
        }
        Ok(all)
    }

    /// Calls the guest for one record: as a batch, then by verdict.
    fn alone(
        &mut self,
        group: &Group<'_>,
        entry: &[(Change, Message<'_>)],
        all: &mut Grouped,
        mode: Mode,
    ) -> Result<(), CallError> {
        let done = match self.part(group, entry, all, mode, Attempt::Batch) {
            Err(CallError::Guest { .. }) => self.part(group, entry, all, mode, Attempt::Verdict),
            other => other,
        };
        match done {
            Ok(done) => all.append(done),
            Err(error) => all.outcomes.push(Outcome::Fail(calls::fault(error)?)),
        }
        Ok(())
    }

    fn part(
        &mut self,
        group: &Group<'_>,
        entries: &[(Change, Message<'_>)],
        so_far: &Grouped,
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Grouped, CallError> {
        // The first successful record has merged the absorbed states.
        let begun = so_far.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Outputs(_)));
        let part = Group {
            key: group.key,
            window: group.window,
            state: so_far.state.clone(),
            absorbed: if begun { Vec::new() } else { group.absorbed.clone() },
            entries: entries.to_vec(),
        };
        let mut results = self.call(&[part], mode, attempt)?;
        results.pop().ok_or_else(|| CallError::Host("a call with one group gave no result".into()))
    }

    fn call(&mut self, groups: &[Group<'_>], mode: Mode, attempt: Attempt) -> Result<Vec<Grouped>, CallError> {
        let Called { result, effects } = self.logic.aggregate(self.function, groups, mode, attempt)?;
        if result.len() != groups.len() {
            return Err(CallError::Host(format!("{} groups gave {} results", groups.len(), result.len())));
        }
        self.effects.extend(effects);
        Ok(result)
    }
}

/// The result of a group before its first record.
pub(super) fn nothing_yet(group: &Group<'_>) -> Grouped {
    let outcomes = Vec::with_capacity(group.entries.len());
    Grouped { state: group.state.clone(), value: None, outcomes, deleted_after: Vec::new() }
}
