//! A deployed plugin: its instance, and the calls into it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_engine::deployment::GuestTime;
use millrace_engine::manifest::{FunctionManifest, Role};
use millrace_engine::ports::{Attempt, CallError, Called, FunctionId, Outcome};
use millrace_engine::state::ProcessScope;
use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};

use super::manifest;
use crate::abi;
use crate::host::ProcessContext;
use crate::instance::{CallContext, Functions, GuestInstance};
use crate::limits::{Metering, ticks};
use crate::plugin::Plugin;
use crate::slow::{CallSize, Sample};

/// A plugin that was deployed to this worker, with its instance.
pub(super) struct DeployedPlugin {
    pub(super) plugin: Arc<Plugin>,
    /// The instance that the last call has left.
    instance: Option<GuestInstance>,
    /// The tick at which calls must end, if their time is limited.
    until: Option<u64>,
    /// Times of the calls of each function.
    samples: Vec<Sample>,
    /// Time of the calls since it was last taken.
    time: GuestTime,
    is_shadow: bool,
}

impl DeployedPlugin {
    pub(super) fn new(plugin: Arc<Plugin>, is_shadow: bool) -> Self {
        let samples = vec![Sample::default(); plugin.manifest().functions.len()];
        Self { plugin, instance: None, until: None, samples, time: GuestTime::default(), is_shadow }
    }

    /// Takes the time of its calls since the last time.
    pub(super) fn take_time(&mut self) -> GuestTime {
        std::mem::take(&mut self.time)
    }

    /// Limits the total time of the calls that follow.
    pub(super) fn limit_time(&mut self, most: Option<Duration>) {
        let now = self.plugin.ticks().now();
        self.until = most.map(|most| now.saturating_add(ticks(most)));
    }

    /// Calls a function without stores.
    pub(super) fn call_pure<A, R, T>(
        &mut self,
        target: (FunctionId, Attempt),
        choose: impl FnOnce(Functions) -> Option<TypedFunc<A, (R,)>>,
        args: A,
        size: CallSize,
        check: impl FnOnce(R) -> Result<T, CallError>,
    ) -> Result<Called<T>, CallError>
    where
        A: ComponentNamedList + Lower,
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift,
    {
        self.call(target, choose, args, (size, None), check).0
    }

    /// Rewrites values. The time for it isn't one of records, by which two versions are compared.
    pub(super) fn call_rewrite<T>(
        &mut self,
        target: (FunctionId, Attempt),
        args: abi::RewriteArgs,
        values: u32,
        check: impl FnOnce(abi::Rewritten) -> Result<T, CallError>,
    ) -> Result<Called<T>, CallError> {
        let time = self.take_time();
        let called = self.call_pure(target, |functions| functions.rewrite, args, CallSize::of(values), check);
        self.time = time;
        called
    }

    /// Calls a process function, which has one outcome.
    pub(super) fn call_with_stores<A>(
        &mut self,
        function: FunctionId,
        attempt: Attempt,
        choose: impl FnOnce(Functions) -> Option<TypedFunc<A, (abi::Reply,)>>,
        args: A,
        scope: ProcessScope,
        check: impl FnOnce(abi::Reply, &FunctionManifest) -> Result<Vec<Outcome>, CallError>,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope)
    where
        A: ComponentNamedList + Lower,
    {
        let plugin = Arc::clone(&self.plugin);
        let process =
            ProcessContext { scope, manifest: Arc::clone(plugin.called()), function: function.function as usize };
        let check = |reply| {
            let mut outcomes = check(reply, manifest(&plugin, function, Role::Process)?)?;
            outcomes.pop().ok_or_else(|| CallError::Host("one outcome was checked, and none is there".into()))
        };
        let (result, scope) = self.call((function, attempt), choose, args, (CallSize::of(1), Some(process)), check);
        match scope {
            Some(scope) => (result, scope),
            None => unreachable!("a call gives back the stores that it was given"),
        }
    }

    /// Makes a call: a batch in the plugin's instance, a verdict in a new one. An instance is dropped after any
    /// failure.
    fn call<A, R, T>(
        &mut self,
        (function, attempt): (FunctionId, Attempt),
        choose: impl FnOnce(Functions) -> Option<TypedFunc<A, (R,)>>,
        args: A,
        (size, process): (CallSize, Option<ProcessContext>),
        check: impl FnOnce(R) -> Result<T, CallError>,
    ) -> (Result<Called<T>, CallError>, Option<ProcessScope>)
    where
        A: ComponentNamedList + Lower,
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift,
    {
        let began = self.plugin.ticks().now();
        if self.until.is_some_and(|until| until <= began) {
            return (Err(CallError::Overrun), process.map(|process| process.scope));
        }
        let instance = match (attempt, self.instance.take()) {
            (Attempt::Batch, Some(instance)) => Ok(instance),
            (Attempt::Batch, None) => self.plugin.instantiate(Metering::Clock),
            (Attempt::Verdict, kept) => {
                self.instance = kept;
                self.plugin.instantiate(Metering::Fuel)
            }
        };
        let (mut instance, function_of_role) = match instance.and_then(|instance| choose_function(instance, choose)) {
            Ok(ready) => ready,
            Err(error) => return (Err(error), process.map(|process| process.scope)),
        };
        let CallSize { records, .. } = size;
        let called_at = Instant::now();
        let (called, scope) =
            instance.call(function_of_role, args, CallContext { records, until: self.until, process });
        let nanos = u64::try_from(called_at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.time.add_call(records, nanos);
        let done = if called.is_ok() { size.results } else { size.begun(instance.begun()) };
        self.measure(function, began, done);
        let result = called.and_then(|(reply, effects)| Ok(Called { result: check(reply)?, effects }));
        let result = result.map_err(|error| if records == 1 { blame_the_record(error) } else { error });
        if attempt == Attempt::Batch && result.is_ok() {
            self.instance = Some(instance);
        }
        (result, scope)
    }

    /// Logs a function that is slow. Its calls are judged together: the time of a single call says little.
    fn measure(&mut self, function: FunctionId, began: u64, results: u32) {
        let (plugin, index) = (&self.plugin, function.function as usize);
        let now = plugin.ticks().now();
        let Some(sample) = self.samples.get_mut(index).filter(|_| !self.is_shadow) else { return };
        if let Some(each) = sample.add(now - began, results.into(), (plugin.slow(), index), now) {
            let function = plugin.manifest().functions.get(index).map_or("", |function| function.name.as_str());
            tracing::warn!(
                plugin = plugin.manifest().name,
                function,
                ms_per_record = each,
                "a rule is slow: the records of its partitions wait for it"
            );
        }
    }
}

/// A call with one record has failed because of that record.
fn blame_the_record(error: CallError) -> CallError {
    match error {
        CallError::Guest { fault, text, .. } => CallError::Guest { fault, at: Some(0), text },
        other @ (CallError::Host(_) | CallError::Overrun) => other,
    }
}

fn choose_function<F>(
    instance: GuestInstance,
    choose: impl FnOnce(Functions) -> Option<F>,
) -> Result<(GuestInstance, F), CallError> {
    let function = choose(instance.functions());
    let function =
        function.ok_or_else(|| CallError::Host("a role that was exported when it was loaded is gone".into()));
    function.map(|function| (instance, function))
}
