//! A shadow: another version of a plugin gets the calls of the active one, with the same state. What it returns is
//! compared with what the active version returned, and thrown away.
//!
//! Rules are pure, so there is no noise: the same input gives the same [report](ShadowReport), and each difference comes from the
//! code or its config.

mod compare;
mod ignore;
mod json;
mod report;

use std::collections::HashMap;
use std::time::Duration;

use crate::calls::{fault, outcomes};
use crate::deployment::ActivePlugins;
use crate::logic::Logic;
use crate::manifest::FunctionManifest;
use crate::ports::{Attempt, CallError, Called, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair};
use crate::state::{ProcessScope, ScopeWrite};
use crate::step::Deployed;
use compare::{Compared, Parent};
pub use ignore::Ignore;
pub use report::{Class, Difference, GroupKey, Sample, ShadowGroup, ShadowReport};

/// Calls of the active versions, each compared with that of a shadow where the function has one.
pub struct ShadowLogic<L> {
    logic: L,
    functions: HashMap<FunctionId, Shadowed>,
    report: ShadowReport,
}

/// A function with its shadow.
struct Shadowed {
    /// `plugin.function`.
    name: String,
    shadow: FunctionId,
    /// Manifests of the active function and the shadow: ports may have other numbers.
    manifests: [FunctionManifest; 2],
}

impl<L: Logic> ShadowLogic<L> {
    /// Compares the calls of the active versions with those of the others. `logic` makes the calls of both. Differences
    /// that `ignore` covers are counted only.
    pub fn new(logic: L, active: &ActivePlugins, shadow: &ActivePlugins, ignore: Vec<Ignore>) -> Self {
        let nodes = |plugins: &ActivePlugins| {
            let parts = plugins.topology.subtopologies.clone();
            parts.into_iter().flat_map(|part| part.nodes).collect::<Vec<_>>()
        };
        let mut functions = HashMap::new();
        for (node, other) in nodes(active).iter().zip(nodes(shadow)) {
            let (Some(call), Some(shadowed)) = (node.operator.call(), other.operator.call()) else { continue };
            let deployed = |plugins: &ActivePlugins| plugins.deployments.get(call.plugin.0).map(|deployed| deployed.id);
            let (Some(deployment), Some(other)) = (deployed(active), deployed(shadow)) else { continue };
            let plugin = active.topology.plugins.get(call.plugin.0).map_or("", |plugin| plugin.name.as_str());
            if deployment != other {
                let function = FunctionId { deployment, function: call.function };
                let shadow = FunctionId { deployment: other, function: shadowed.function };
                let name = format!("{plugin}.{}", call.manifest.name);
                let manifests = [call.manifest.clone(), shadowed.manifest.clone()];
                functions.insert(function, Shadowed { name, shadow, manifests });
            }
        }
        Self { logic, functions, report: ShadowReport::new(ignore) }
    }

    /// The differences so far.
    pub fn report(&self) -> &ShadowReport {
        &self.report
    }

    /// Compares the outcomes of a call without state. `called` are those of the active version.
    fn compare_pure<T>(
        &mut self,
        function: FunctionId,
        (items, attempt): (&[T], Attempt),
        called: &Result<Called<Vec<Outcome>>, CallError>,
        parent: impl Fn(&T) -> Parent<'_>,
        mut call: impl FnMut(&mut L, FunctionId, &[T], Attempt) -> Result<Called<Vec<Outcome>>, CallError>,
    ) {
        let Self { logic, functions, report } = self;
        let Some(shadowed) = functions.get(&function) else { return };
        let Some(active) = decided(called, attempt) else { return };
        let shadow = outcomes(items, items.len(), |_| 0, |items, attempt| call(logic, shadowed.shadow, items, attempt));
        let Ok(shadow) = shadow else { return report.skip(items.len()) };
        for ((item, active), shadow) in items.iter().zip(&active).zip(&shadow.result) {
            shadowed.compared(parent(item)).outcomes(active, shadow).add_to(report);
        }
    }

    /// The results of a shadow for groups, one by one where they fail together.
    fn shadow_groups(
        &mut self,
        shadow: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
    ) -> Result<Vec<Result<Grouped, Outcome>>, CallError> {
        match self.logic.aggregate(shadow, groups, mode, Attempt::Batch) {
            Ok(called) => return Ok(called.result.into_iter().map(Ok).collect()),
            Err(CallError::Guest { .. }) => {}
            Err(host) => return Err(host),
        }
        let mut results = Vec::new();
        for group in groups {
            let alone = self.logic.aggregate(shadow, std::slice::from_ref(group), mode, Attempt::Verdict);
            results.push(match alone {
                Ok(mut called) => {
                    Ok(called.result.pop().ok_or_else(|| CallError::Host("no result of a group".into()))?)
                }
                Err(error) => Err(Outcome::Fail(fault(error)?)),
            });
        }
        Ok(results)
    }

    /// Makes a call with stores: first that of the shadow, whose writes are undone.
    fn call_with_stores(
        &mut self,
        function: FunctionId,
        (parent, scope): (Parent<'_>, ProcessScope),
        attempt: Attempt,
        call: &mut ProcessCall<'_, L>,
    ) -> (CalledProcess, ProcessScope) {
        let Self { logic, functions, report } = self;
        let Some(shadowed) = functions.get(&function) else { return call(logic, function, scope, attempt) };
        let before = scope.timers();
        let (mut shadow, mut scope) = call(logic, shadowed.shadow, scope, Attempt::Batch);
        if matches!(shadow, Err(CallError::Guest { .. })) {
            scope.rewind(before.clone());
            (shadow, scope) = call(logic, shadowed.shadow, scope, Attempt::Verdict);
        }
        let shadow_writes = scope.writes();
        scope.rewind(before);
        let (called, scope) = call(logic, function, scope, attempt);
        let one = |called: &CalledProcess| called.as_ref().ok().map(|called| called.result.clone());
        let active = one(&called).or_else(|| failed(called.as_ref().err(), attempt));
        let shadow = one(&shadow).or_else(|| failed(shadow.as_ref().err(), Attempt::Verdict));
        match (active, shadow) {
            (Some(active), Some(shadow)) => {
                let writes = |outcome: &Outcome, writes: Vec<ScopeWrite>| {
                    // What a failed call has written is undone.
                    if matches!(outcome, Outcome::Fail(_)) { Vec::new() } else { writes }
                };
                let (mine, theirs) = (writes(&active, scope.writes()), writes(&shadow, shadow_writes));
                shadowed.compared(parent).outcomes(&active, &shadow).writes(&mine, &theirs).add_to(report);
            }
            (None, _) => {}
            (_, None) => report.skip(1),
        }
        (called, scope)
    }
}

type CalledProcess = Result<Called<Outcome>, CallError>;

type ProcessCall<'c, L> = dyn FnMut(&mut L, FunctionId, ProcessScope, Attempt) -> (CalledProcess, ProcessScope) + 'c;

impl Shadowed {
    fn compared<'a>(&'a self, parent: Parent<'a>) -> Compared<'a> {
        Compared::new(&self.name, [&self.manifests[0], &self.manifests[1]], parent)
    }
}

/// The outcomes of the active version, if they are decided: after a failed batch the engine calls again.
fn decided(called: &Result<Called<Vec<Outcome>>, CallError>, attempt: Attempt) -> Option<Vec<Outcome>> {
    match called {
        Ok(called) => Some(called.result.clone()),
        Err(error) => failed(Some(error), attempt).map(|outcome| vec![outcome]),
    }
}

/// The outcome of a call that has failed for good.
fn failed(error: Option<&CallError>, attempt: Attempt) -> Option<Outcome> {
    let Some(CallError::Guest { fault, at, text }) = error.filter(|_| attempt == Attempt::Verdict) else { return None };
    let error = CallError::Guest { fault: *fault, at: *at, text: text.clone() };
    crate::calls::fault(error).ok().map(Outcome::Fail)
}

impl<L: Logic> Logic for ShadowLogic<L> {
    fn limit_time(&mut self, limit: Option<Duration>) {
        self.logic.limit_time(limit);
    }

    fn retire(&mut self, active: &[Deployed]) {
        self.logic.retire(active);
    }

    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let called = self.logic.transform(function, messages, attempt);
        self.compare_pure(function, (messages, attempt), &called, |message| Parent::of(*message), Logic::transform);
        called
    }

    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let called = self.logic.join(function, pairs, attempt);
        self.compare_pure(function, (pairs, attempt), &called, Parent::of_pair, Logic::join);
        called
    }

    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        let called = self.logic.aggregate(function, groups, mode, attempt);
        let Some(shadow) = self.functions.get(&function).map(|shadowed| shadowed.shadow) else { return called };
        let active: Vec<Result<Grouped, Outcome>> = match &called {
            Ok(called) => called.result.iter().cloned().map(Ok).collect(),
            Err(error) => match failed(Some(error), attempt) {
                Some(outcome) => vec![Err(outcome)],
                None => return called,
            },
        };
        let shadow = self.shadow_groups(shadow, groups, mode);
        let Self { functions, report, .. } = self;
        let (Some(shadowed), Ok(shadow)) = (functions.get(&function), shadow) else {
            report.skip(groups.iter().map(|group| group.entries.len()).sum());
            return called;
        };
        for ((group, active), shadow) in groups.iter().zip(&active).zip(&shadow) {
            for (entry, (_, message)) in group.entries.iter().enumerate() {
                let parent = Parent { key: Some(group.key), ..Parent::of(*message) };
                let is_last = entry + 1 == group.entries.len();
                shadowed.compared(parent).grouped((entry, is_last), active, shadow).add_to(report);
            }
        }
        called
    }

    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (CalledProcess, ProcessScope) {
        let mut call = |logic: &mut L, function, scope, attempt| logic.process(function, message, scope, attempt);
        self.call_with_stores(function, (Parent::of(message), scope), attempt, &mut call)
    }

    fn on_timer(
        &mut self,
        function: FunctionId,
        due: Due<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (CalledProcess, ProcessScope) {
        let mut call = |logic: &mut L, function, scope, attempt| logic.on_timer(function, due, scope, attempt);
        self.call_with_stores(function, (Parent::of_timer(&due), scope), attempt, &mut call)
    }
}
