//! A shadow: another version of a plugin gets the calls of the active one, with the same state. What it returns is
//! compared with what the active version returned, and thrown away.
//!
//! Rules are pure, so there is no noise: the same input gives the same [report](ShadowReport), and each difference comes from the
//! code or its config. Beside a running app, a [budget](ShadowBudget) bounds the time that shadows take.

mod budget;
mod compare;
mod ignore;
mod json;
mod pure;
mod report;
mod reports;
mod sample;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::canary::{ALL, is_in_share};
use crate::deployment::{ActivePlugins, GuestTime, Shadows};
use crate::logic::Logic;
use crate::manifest::FunctionManifest;
use crate::ports::{
    Attempt, CallError, Called, DeploymentId, Due, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair, Stored,
};
use crate::state::{ProcessScope, ScopeWrite, TimerChanges};
pub use budget::{Grant, ShadowBudget, Unlimited};
use compare::{Compared, Parent};
pub use ignore::Ignore;
pub use report::{Class, Difference, GroupKey, ShadowGroup, ShadowReport};
pub use reports::ShadowReports;
pub use sample::Sample;

/// Calls of the active versions, each compared with that of a shadow where the function has one.
pub struct ShadowLogic<L> {
    logic: L,
    /// Makes the calls of the shadows: other instances, so that nothing that they do meets the active versions.
    shadow: L,
    functions: HashMap<FunctionId, Shadowed>,
    report: ShadowReport,
    reports: Arc<ShadowReports>,
    budget: Box<dyn ShadowBudget>,
}

/// A function with its shadow.
struct Shadowed {
    /// `plugin.function`.
    name: String,
    shadow: FunctionId,
    /// Generation of the shadow.
    generation: u32,
    /// The share of keys, in hundredths of a percent.
    share: u32,
    /// Manifests of the active function and the shadow: ports may have other numbers.
    manifests: [FunctionManifest; 2],
    ignore: Arc<[Ignore]>,
    /// Records, or groups, in the next call.
    piece: usize,
}

/// Most records, or groups, in a call of a shadow.
const MOST_PIECE: usize = 512;

impl<L: Logic> ShadowLogic<L> {
    /// Compares the calls of the active versions with those of the shadows that it [adopts](Logic::adopt). `logic` makes the
    /// calls of the active versions, and `shadow` those of the shadows. The differences go to `reports` whenever the times
    /// of calls are [taken](Logic::take_times).
    pub fn new(logic: L, shadow: L, budget: Box<dyn ShadowBudget>, reports: Arc<ShadowReports>) -> Self {
        Self { logic, shadow, functions: HashMap::new(), report: ShadowReport::default(), reports, budget }
    }

    /// The report so far, with those of other threads; none without a shadow.
    pub fn report(&mut self) -> Option<ShadowReport> {
        self.reports.add(self.report.take());
        self.reports.get()
    }

    /// The shadows of all functions that the pipeline calls.
    fn shadowed(plugins: &ActivePlugins, shadows: &Shadows) -> HashMap<FunctionId, Shadowed> {
        let nodes = |topology: &crate::topology::Topology| {
            let parts = topology.subtopologies.clone();
            parts.into_iter().flat_map(|part| part.nodes).collect::<Vec<_>>()
        };
        let mut functions = HashMap::new();
        for (node, other) in nodes(&plugins.topology).iter().zip(nodes(&shadows.topology)) {
            let (Some(call), Some(shadowed)) = (node.operator.call(), other.operator.call()) else { continue };
            let number = call.plugin.0;
            let Some(plan) = shadows.plans.get(number).and_then(Option::as_ref) else { continue };
            let deployed = plugins.deployments.get(number).zip(shadows.deployments.get(number));
            let Some((deployed, other)) = deployed else { continue };
            let plugin = plugins.topology.plugins.get(number).map_or("", |plugin| plugin.name.as_str());
            let function = FunctionId { deployment: deployed.id, function: call.function };
            let shadow = FunctionId { deployment: other.id, function: shadowed.function };
            let shadowed = Shadowed {
                name: format!("{plugin}.{}", call.manifest.name),
                shadow,
                generation: other.generation,
                share: plan.share,
                manifests: [call.manifest.clone(), shadowed.manifest.clone()],
                ignore: plan.ignore.iter().filter_map(|text| Ignore::parse(text).ok()).collect(),
                piece: MOST_PIECE,
            };
            functions.insert(function, shadowed);
        }
        functions
    }

    /// Makes a call with stores: first that of the shadow, whose writes are undone.
    fn call_with_stores(
        &mut self,
        function: FunctionId,
        (parent, scope): (Parent<'_>, ProcessScope),
        attempt: Attempt,
        call: &mut ProcessCall<'_, L>,
    ) -> (CalledProcess, ProcessScope) {
        let Self { logic, shadow: other, functions, report, budget, .. } = self;
        let shadowed = functions.get(&function).filter(|shadowed| shadowed.takes(parent.key));
        let Some(shadowed) = shadowed else { return call(logic, function, scope, attempt) };
        if !grant(other, budget.as_mut()) {
            report.left_out += 1;
            return call(logic, function, scope, attempt);
        }
        let before = scope.timers();
        let (mut shadow, mut scope) = call(other, shadowed.shadow, scope, Attempt::Batch);
        if matches!(shadow, Err(CallError::Guest { .. })) {
            scope.rewind(before.clone());
            (shadow, scope) = call(other, shadowed.shadow, scope, Attempt::Verdict);
        }
        let (shadow_writes, shadow_timers) = (scope.writes(), scope.timer_changes());
        scope.rewind(before);
        budget.spent();
        let (called, scope) = call(logic, function, scope, attempt);
        let one = |called: &CalledProcess| called.as_ref().ok().map(|called| called.result.clone());
        let active = one(&called).or_else(|| failed(called.as_ref().err(), attempt));
        let shadow = one(&shadow).or_else(|| failed(shadow.as_ref().err(), Attempt::Verdict));
        match (active, shadow) {
            (Some(active), Some(shadow)) => {
                // What a failed call has changed is undone.
                let kept = |outcome: &Outcome, changes: Changes| match outcome {
                    Outcome::Fail(_) => Changes::default(),
                    _ => changes,
                };
                let mine = kept(&active, (scope.writes(), scope.timer_changes()));
                let theirs = kept(&shadow, (shadow_writes, shadow_timers));
                let compared = shadowed.compared(parent).outcomes(&active, &shadow);
                compared.writes(&mine.0, &theirs.0).timers(&mine.1, &theirs.1).add_to(report);
            }
            (None, _) => {}
            (_, None) => report.unfinished += 1,
        }
        (called, scope)
    }
}

/// The entries that a call has written, and the timers that it has changed.
type Changes = (Vec<ScopeWrite>, TimerChanges);

type CalledProcess = Result<Called<Outcome>, CallError>;

type ProcessCall<'c, L> = dyn FnMut(&mut L, FunctionId, ProcessScope, Attempt) -> (CalledProcess, ProcessScope) + 'c;

impl Shadowed {
    fn compared<'a>(&'a self, parent: Parent<'a>) -> Compared<'a> {
        Compared::new((&self.name, &self.ignore), [&self.manifests[0], &self.manifests[1]], parent)
    }

    /// Whether the shadow gets the calls for this key. Records without a key are in a share of all only.
    fn takes(&self, key: Option<&[u8]>) -> bool {
        self.share == ALL || key.is_some_and(|key| is_in_share(key, self.generation, self.share))
    }
}

/// Whether a shadow may be called now. Limits the time of the call.
fn grant(shadow: &mut dyn Logic, budget: &mut dyn ShadowBudget) -> bool {
    let Some(grant) = budget.grant() else { return false };
    shadow.limit_time(grant.limit);
    true
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

    fn adopt(&mut self, plugins: &ActivePlugins) {
        self.logic.adopt(plugins);
        self.shadow.adopt(plugins);
        self.reports.add(std::mem::take(&mut self.report));
        let shadows = plugins.shadows.as_ref();
        self.functions = shadows.map(|shadows| Self::shadowed(plugins, shadows)).unwrap_or_default();
        self.report.generation = self.functions.values().map(|shadowed| shadowed.generation).max().unwrap_or(0);
        self.reports.begin(self.report.generation);
        let budgets = shadows.iter().flat_map(|shadows| shadows.plans.iter().flatten()).map(|plan| plan.budget);
        self.budget.begin(budgets.max().unwrap_or(0));
    }

    fn take_times(&mut self) -> Vec<(DeploymentId, GuestTime)> {
        if self.report.generation > 0 {
            self.reports.add(self.report.take());
        }
        self.logic.take_times()
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
        self.compare_groups(function, (groups, mode, attempt), &called);
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

    /// The shadow has no state of its own.
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
