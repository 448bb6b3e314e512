//! Guest calls that are split between the active version of a plugin and its canary, by the keys of the records.

use std::time::Duration;

use crate::canary::{Canary, CanaryFunction};
use crate::logic::Logic;
use crate::ports::{Attempt, CallError, Called, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair, Stored};
use crate::state::ProcessScope;
use crate::step::Deployed;

/// Makes the calls of the active versions, and those for the keys of a canary with its functions.
pub(crate) struct SplitLogic<'l> {
    logic: &'l mut dyn Logic,
    deployments: &'l [Deployed],
}

/// A function of a canary, for a call of the active version.
struct Target<'c> {
    canary: &'c Canary,
    function: &'c CanaryFunction,
}

impl Target<'_> {
    fn id(&self) -> FunctionId {
        FunctionId { deployment: self.canary.id, function: self.function.function }
    }
}

/// Gives the ports of outputs the numbers that they have in the active version.
fn translate(target: &Target<'_>, outcome: &mut Outcome) {
    if let Outcome::Outputs(outputs) = outcome {
        for output in outputs {
            output.port = target.function.ports.get(output.port as usize).copied().unwrap_or(u32::MAX);
        }
    }
}

impl<'l> SplitLogic<'l> {
    pub(crate) fn new(logic: &'l mut dyn Logic, deployments: &'l [Deployed]) -> Self {
        Self { logic, deployments }
    }

    /// Whether a plugin has a canary.
    pub(crate) fn is_needed(&self) -> bool {
        self.deployments.iter().any(|deployed| deployed.canary.is_some())
    }

    /// The calls without any split.
    pub(crate) fn whole(&mut self) -> &mut dyn Logic {
        &mut *self.logic
    }

    fn target(&self, function: FunctionId) -> Option<Target<'l>> {
        let deployed = self.deployments.iter().find(|deployed| deployed.id == function.deployment)?;
        let canary = deployed.canary.as_deref()?;
        Some(Target { canary, function: canary.functions.get(&function.function)? })
    }

    /// Makes a call for several items, each by the version that has its key, and puts the results into their order.
    fn split<T: Clone, R>(
        &mut self,
        function: FunctionId,
        items: &[T],
        key: impl Fn(&T) -> Option<&[u8]>,
        translate: impl Fn(&Target<'_>, &mut R),
        mut call: impl FnMut(&mut dyn Logic, FunctionId, &[T]) -> Result<Called<Vec<R>>, CallError>,
    ) -> Result<Called<Vec<R>>, CallError> {
        let Some(target) = self.target(function) else { return call(self.logic, function, items) };
        let is_taken: Vec<bool> = items.iter().map(|item| target.canary.takes(key(item))).collect();
        if !is_taken.contains(&true) {
            return call(self.logic, function, items);
        }
        if !is_taken.contains(&false) {
            let mut called = call(self.logic, target.id(), items)?;
            called.result.iter_mut().for_each(|result| translate(&target, result));
            return Ok(called);
        }
        let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
        let mut effects = Vec::new();
        for by_canary in [false, true] {
            let of_part = |(place, taken): (usize, &bool)| (*taken == by_canary).then_some(place);
            let places: Vec<usize> = is_taken.iter().enumerate().filter_map(of_part).collect();
            let part: Vec<T> = places.iter().filter_map(|place| items.get(*place).cloned()).collect();
            let called = call(self.logic, if by_canary { target.id() } else { function }, &part);
            let called = called.map_err(|error| at_place(error, &places))?;
            effects.extend(called.effects);
            for (place, mut result) in places.iter().zip(called.result) {
                if by_canary {
                    translate(&target, &mut result);
                }
                if let Some(slot) = results.get_mut(*place) {
                    *slot = Some(result);
                }
            }
        }
        let result = results.into_iter().collect::<Option<Vec<_>>>();
        let result = result.ok_or_else(|| CallError::Host("a call gave fewer results than it had records".into()))?;
        Ok(Called { result, effects })
    }

    /// Makes a call with stores by the version that has the key.
    fn one(
        &mut self,
        function: FunctionId,
        key: Option<&[u8]>,
        scope: ProcessScope,
        call: impl FnOnce(&mut dyn Logic, FunctionId, ProcessScope) -> (CalledProcess, ProcessScope),
    ) -> (CalledProcess, ProcessScope) {
        let Some(target) = self.target(function).filter(|target| target.canary.takes(key)) else {
            return call(self.logic, function, scope);
        };
        let (mut called, scope) = call(self.logic, target.id(), scope);
        if let Ok(called) = &mut called {
            translate(&target, &mut called.result);
        }
        (called, scope)
    }
}

type CalledProcess = Result<Called<Outcome>, CallError>;

/// The error of a part of a call, for the whole call.
fn at_place(error: CallError, places: &[usize]) -> CallError {
    match error {
        CallError::Guest { fault, at, text } => {
            CallError::Guest { fault, at: at.and_then(|at| places.get(at).copied()), text }
        }
        host => host,
    }
}

impl Logic for SplitLogic<'_> {
    fn limit_time(&mut self, limit: Option<Duration>) {
        self.logic.limit_time(limit);
    }

    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        self.split(
            function,
            messages,
            |message| message.key,
            translate,
            |logic, function, part| logic.transform(function, part, attempt),
        )
    }

    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        self.split(
            function,
            pairs,
            |pair| pair.key,
            translate,
            |logic, function, part| logic.join(function, part, attempt),
        )
    }

    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        let translate = |target: &Target<'_>, grouped: &mut Grouped| {
            grouped.outcomes.iter_mut().for_each(|it| translate(target, it))
        };
        self.split(
            function,
            groups,
            |group| Some(group.key),
            translate,
            |logic, function, part| logic.aggregate(function, part, mode, attempt),
        )
    }

    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (CalledProcess, ProcessScope) {
        self.one(function, message.key, scope, |logic, function, scope| {
            logic.process(function, message, scope, attempt)
        })
    }

    fn on_timer(
        &mut self,
        function: FunctionId,
        due: Due<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (CalledProcess, ProcessScope) {
        self.one(function, due.key, scope, |logic, function, scope| logic.on_timer(function, due, scope, attempt))
    }

    /// Both versions write the state in the same version, so the active one rewrites the values of all keys.
    fn rewrite(
        &mut self,
        function: FunctionId,
        store: usize,
        values: &[Stored],
        attempt: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError> {
        self.logic.rewrite(function, store, values, attempt)
    }
}
