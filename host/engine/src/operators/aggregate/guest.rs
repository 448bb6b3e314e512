//! Calls of the aggregate function that always come to a verdict, record by record where they must.

use crate::calls;
use crate::ports::{
    Attempt, CallError, Called, Change, Effect, FunctionId, Group, Grouped, Logic, Message, Mode, Outcome, Stored,
};

/// The aggregate function of a step.
pub(super) struct Guest<'l> {
    pub(super) logic: &'l mut dyn Logic,
    pub(super) function: FunctionId,
    pub(super) effects: Vec<Effect>,
}

impl Guest<'_> {
    /// One result a group.
    pub(super) fn groups(&mut self, groups: &[Group<'_>]) -> Result<Vec<Grouped>, CallError> {
        match self.call(groups, Attempt::Batch) {
            Err(CallError::Guest { .. }) => {}
            other => return other,
        }
        match groups {
            [one] => Ok(vec![self.entries(one)?]),
            many => {
                let (first, second) = many.split_at(many.len() / 2);
                let mut results = self.groups(first)?;
                results.extend(self.groups(second)?);
                Ok(results)
            }
        }
    }

    /// A group that broke a rule: its records one after another, the state going from each to the next.
    fn entries(&mut self, group: &Group<'_>) -> Result<Grouped, CallError> {
        let (outcomes, deleted_after) = (Vec::with_capacity(group.entries.len()), Vec::new());
        let mut all = Grouped { state: group.state.clone(), value: None, outcomes, deleted_after };
        let mut rest = group.entries.as_slice();
        while !rest.is_empty() {
            let at = match self.part(group, rest, &all.state, Attempt::Batch) {
                Ok(done) => {
                    all.append(done);
                    return Ok(all);
                }
                Err(CallError::Guest { .. }) if rest.len() == 1 => {
                    self.alone(group, rest, &mut all)?;
                    break;
                }
                Err(CallError::Guest { at, .. }) => calls::suspect(at, rest.len()),
                Err(host) => return Err(host),
            };
            let (before, from) = rest.split_at(at);
            let (culprit, after) = from.split_at(1);
            for part in before.chunks(1).chain([culprit]) {
                self.alone(group, part, &mut all)?;
            }
            rest = after;
        }
        Ok(all)
    }

    /// One record: in a batch of its own, then by verdict.
    fn alone(
        &mut self,
        group: &Group<'_>,
        entry: &[(Change, Message<'_>)],
        all: &mut Grouped,
    ) -> Result<(), CallError> {
        let done = match self.part(group, entry, &all.state, Attempt::Batch) {
            Err(CallError::Guest { .. }) => self.part(group, entry, &all.state, Attempt::Verdict),
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
        state: &Option<Stored>,
        attempt: Attempt,
    ) -> Result<Grouped, CallError> {
        let part = Group {
            key: group.key,
            window: group.window,
            state: state.clone(),
            absorbed: Vec::new(),
            entries: entries.to_vec(),
        };
        let mut results = self.call(&[part], attempt)?;
        results.pop().ok_or_else(|| CallError::Host("a call with one group gave no result".into()))
    }

    fn call(&mut self, groups: &[Group<'_>], attempt: Attempt) -> Result<Vec<Grouped>, CallError> {
        let Called { result, effects } = self.logic.aggregate(self.function, groups, Mode::Each, attempt)?;
        self.effects.extend(effects);
        Ok(result)
    }
}
