//! The guests of one worker thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_engine::logic::Logic;
use millrace_engine::manifest::{FunctionManifest, Role};
use millrace_engine::ports::{
    Attempt, CallError, Called, DeploymentId, Due, Fault, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair,
};
use millrace_engine::state::ProcessScope;
use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};

use crate::abi;
use crate::arena::{Buffers, TooLarge};
use crate::host::Process;
use crate::instance::{Functions, Live, Work};
use crate::limits::{Course, ticks};
use crate::plugin::Plugin;
use crate::reply::{self, Rules};
use crate::slow::{Sample, Size};

/// The guest calls of one worker: an instance for each deployment, made when it is first called and kept until
/// something goes wrong in it.
#[derive(Default)]
pub struct Guests {
    deployments: HashMap<DeploymentId, Deployed>,
    buffers: Buffers,
}

struct Deployed {
    plugin: Arc<Plugin>,
    live: Option<Live>,
    /// The tick at which the time for calls is over, if that is limited.
    until: Option<u64>,
    /// By function.
    samples: Vec<Sample>,
}

impl Guests {
    /// No guests yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes calls to `deployment` go to this plugin. What was there under the same id is dropped.
    pub fn deploy(&mut self, deployment: DeploymentId, plugin: Arc<Plugin>) {
        let samples = vec![Sample::default(); plugin.manifest().functions.len()];
        self.deployments.insert(deployment, Deployed { plugin, live: None, until: None, samples });
    }

    /// Forgets a deployment and its instance.
    pub fn remove(&mut self, deployment: DeploymentId) {
        self.deployments.remove(&deployment);
    }
}

impl Logic for Guests {
    fn limit_time(&mut self, most: Option<Duration>) {
        for deployed in self.deployments.values_mut() {
            let now = deployed.plugin.ticks().now();
            deployed.until = most.map(|most| now.saturating_add(ticks(most)));
        }
    }

    fn transform(
        &mut self,
        function: FunctionId,
        messages: &[Message<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let (deployed, buffers) = self.parts(function)?;
        let plugin = Arc::clone(&deployed.plugin);
        let manifest = manifest(&plugin, function, Role::Transform)?;
        let Some(records) = count(messages.len())? else { return Ok(nothing()) };
        buffers.messages(messages, manifest.wants_headers).map_err(too_large)?;
        let args = (function.function, buffers.payload.clone(), buffers.messages.clone());
        deployed.pure(
            (function, attempt),
            |functions| functions.transform,
            args,
            Size::of(records),
            |reply| {
                let key = |at: usize| messages.get(at)?.key;
                reply::outcomes(reply, messages.len(), rules(&plugin, manifest, &key))
            },
        )
    }

    fn join(
        &mut self,
        function: FunctionId,
        pairs: &[Pair<'_>],
        attempt: Attempt,
    ) -> Result<Called<Vec<Outcome>>, CallError> {
        let (deployed, buffers) = self.parts(function)?;
        let plugin = Arc::clone(&deployed.plugin);
        let manifest = manifest(&plugin, function, Role::Join)?;
        let Some(records) = count(pairs.len())? else { return Ok(nothing()) };
        buffers.pairs(pairs, manifest.wants_headers).map_err(too_large)?;
        let args = (function.function, buffers.payload.clone(), buffers.pairs.clone());
        deployed.pure(
            (function, attempt),
            |functions| functions.join,
            args,
            Size::of(records),
            |reply| {
                let key = |at: usize| pairs.get(at)?.key;
                let rules = Rules { inherits_value: false, ..rules(&plugin, manifest, &key) };
                reply::outcomes(reply, pairs.len(), rules)
            },
        )
    }

    fn aggregate(
        &mut self,
        function: FunctionId,
        groups: &[Group<'_>],
        mode: Mode,
        attempt: Attempt,
    ) -> Result<Called<Vec<Grouped>>, CallError> {
        let (deployed, buffers) = self.parts(function)?;
        let plugin = Arc::clone(&deployed.plugin);
        let manifest = manifest(&plugin, function, Role::Aggregate)?;
        if groups.is_empty() {
            return Ok(nothing());
        }
        let keys: Vec<&[u8]> = groups.iter().flat_map(|group| group.entries.iter().map(|_| group.key)).collect();
        let records = count(keys.len())?.unwrap_or(0);
        buffers.groups(groups, manifest.wants_headers).map_err(too_large)?;
        let Buffers { payload, groups: list, absorbed, entries, .. } = buffers;
        let lists = (list.clone(), absorbed.clone(), entries.clone());
        let args = (function.function, payload.clone(), lists.0, lists.1, lists.2, mode.into());
        deployed.pure(
            (function, attempt),
            |functions| functions.aggregate,
            args,
            Size::of_groups(records, groups),
            |reply| {
                let key = |at: usize| keys.get(at).copied();
                let outputs = mode == Mode::Each;
                let rules = Rules { inherits_value: false, outputs, ..rules(&plugin, manifest, &key) };
                reply::grouped(reply, groups, rules)
            },
        )
    }

    fn process(
        &mut self,
        function: FunctionId,
        message: Message<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        let prepared = self.prepare(function, |buffers, headers| {
            let message = buffers.message(&message, headers)?;
            Ok((function.function, buffers.payload.clone(), message))
        });
        let (deployed, plugin, args) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return (Err(error), scope),
        };
        let check = |reply, manifest: &FunctionManifest| {
            let key = |_| message.key;
            reply::outcomes(reply, 1, rules(&plugin, manifest, &key))
        };
        deployed.with_stores(function, attempt, |functions| functions.process, args, scope, check)
    }

    fn on_timer(
        &mut self,
        function: FunctionId,
        due: Due<'_>,
        scope: ProcessScope,
        attempt: Attempt,
    ) -> (Result<Called<Outcome>, CallError>, ProcessScope) {
        let prepared = self.prepare(function, |buffers, _| {
            let timer = buffers.due(&due)?;
            Ok((function.function, buffers.timer.clone(), timer))
        });
        let (deployed, plugin, args) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return (Err(error), scope),
        };
        // The key is that of the record that set the timer, and there is no value to take over.
        let check = |reply, manifest: &FunctionManifest| {
            let key = |_| due.key;
            reply::outcomes(reply, 1, Rules { inherits_value: false, ..rules(&plugin, manifest, &key) })
        };
        deployed.with_stores(function, attempt, |functions| functions.on_timer, args, scope, check)
    }
}

/// A process function with the arguments for a call.
type ProcessCall<'a, A> = (&'a mut Deployed, Arc<Plugin>, A);

impl Guests {
    fn parts(&mut self, function: FunctionId) -> Result<(&mut Deployed, &mut Buffers), CallError> {
        let id = function.deployment;
        match self.deployments.get_mut(&id) {
            Some(deployed) => Ok((deployed, &mut self.buffers)),
            None => Err(CallError::Host(format!("deployment {} isn't known to this worker", id.0))),
        }
    }

    /// Looks up a process function, and writes the arguments of a call; `write` is told whether it wants headers.
    fn prepare<A>(
        &mut self,
        function: FunctionId,
        write: impl FnOnce(&mut Buffers, bool) -> Result<A, TooLarge>,
    ) -> Result<ProcessCall<'_, A>, CallError> {
        let (deployed, buffers) = self.parts(function)?;
        let plugin = Arc::clone(&deployed.plugin);
        let wants_headers = manifest(&plugin, function, Role::Process)?.wants_headers;
        let args = write(buffers, wants_headers).map_err(too_large)?;
        Ok((deployed, plugin, args))
    }
}

impl Deployed {
    /// A call without stores.
    fn pure<A, R, T>(
        &mut self,
        target: (FunctionId, Attempt),
        choose: impl FnOnce(Functions) -> Option<TypedFunc<A, (R,)>>,
        args: A,
        size: Size,
        check: impl FnOnce(R) -> Result<T, CallError>,
    ) -> Result<Called<T>, CallError>
    where
        A: ComponentNamedList + Lower,
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift,
    {
        self.call(target, choose, args, (size, None), check).0
    }

    /// A call of a process function, which has one outcome.
    fn with_stores<A>(
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
        let process = Process { scope, manifest: plugin.shared_manifest(), function: function.function as usize };
        let check = |reply| {
            let mut outcomes = check(reply, manifest(&plugin, function, Role::Process)?)?;
            outcomes.pop().ok_or_else(|| CallError::Host("one outcome was checked, and none is there".into()))
        };
        let (result, scope) = self.call((function, attempt), choose, args, (Size::of(1), Some(process)), check);
        match scope {
            Some(scope) => (result, scope),
            None => unreachable!("a call gives back the stores that it was given"),
        }
    }

    /// A call in the kept instance, or for a verdict in one of its own. The instance is kept only if all went well.
    fn call<A, R, T>(
        &mut self,
        (function, attempt): (FunctionId, Attempt),
        choose: impl FnOnce(Functions) -> Option<TypedFunc<A, (R,)>>,
        args: A,
        (size, process): (Size, Option<Process>),
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
        let live = match (attempt, self.live.take()) {
            (Attempt::Batch, Some(live)) => Ok(live),
            (Attempt::Batch, None) => self.plugin.instantiate(Course::Ordinary),
            (Attempt::Verdict, kept) => {
                self.live = kept;
                self.plugin.instantiate(Course::Verdict)
            }
        };
        let (mut live, chosen) = match live.and_then(|live| chosen(live, choose)) {
            Ok(ready) => ready,
            Err(error) => return (Err(error), process.map(|process| process.scope)),
        };
        let Size { records, .. } = size;
        let (called, scope) = live.call(chosen, args, Work { records, until: self.until, process });
        let done = if called.is_ok() { size.results } else { size.begun(live.begun()) };
        self.measure(function, began, done);
        let result = called.and_then(|(reply, effects)| Ok(Called { result: check(reply)?, effects }));
        let result = result.map_err(|error| if records == 1 { blame_the_one(error) } else { error });
        if attempt == Attempt::Batch && result.is_ok() {
            self.live = Some(live);
        }
        (result, scope)
    }

    /// Names a function that is slow. Its calls together are judged: what a single one takes says little.
    fn measure(&mut self, function: FunctionId, began: u64, results: u32) {
        let (plugin, index) = (&self.plugin, function.function as usize);
        let now = plugin.ticks().now();
        let Some(sample) = self.samples.get_mut(index) else { return };
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

/// A call of one record can only have failed for that record.
fn blame_the_one(error: CallError) -> CallError {
    match error {
        CallError::Guest { fault, text, .. } => CallError::Guest { fault, at: Some(0), text },
        other @ (CallError::Host(_) | CallError::Overrun) => other,
    }
}

fn chosen<F>(live: Live, choose: impl FnOnce(Functions) -> Option<F>) -> Result<(Live, F), CallError> {
    let function = choose(live.functions());
    let function =
        function.ok_or_else(|| CallError::Host("a role that was exported when it was loaded is gone".into()));
    function.map(|function| (live, function))
}

fn manifest(plugin: &Plugin, id: FunctionId, role: Role) -> Result<&FunctionManifest, CallError> {
    let function = plugin.manifest().functions.get(id.function as usize);
    function.filter(|function| function.role == role).ok_or_else(|| {
        let (plugin, index, role) = (&plugin.manifest().name, id.function, role.name());
        CallError::Host(format!("plugin `{plugin}` has no {role} function {index}"))
    })
}

/// The rules of the roles whose records have one value.
fn rules<'a>(
    plugin: &'a Plugin,
    function: &'a FunctionManifest,
    key: &'a dyn Fn(usize) -> Option<&'a [u8]>,
) -> Rules<'a> {
    Rules { function, limits: plugin.limits(), inherits_value: true, outputs: true, key }
}

/// The number of records of a call; `None` for none.
fn count(records: usize) -> Result<Option<u32>, CallError> {
    let count = u32::try_from(records).map_err(|_| too_large(TooLarge))?;
    Ok((count > 0).then_some(count))
}

/// The engine asks again with fewer records; if it is one alone, this is the verdict on it.
fn too_large(_: TooLarge) -> CallError {
    let text = "the records of the call have more than 4 GiB: no guest can take them".to_owned();
    CallError::Guest { fault: Fault::Memory, at: None, text }
}

fn nothing<T>() -> Called<Vec<T>> {
    Called { result: Vec::new(), effects: Vec::new() }
}

impl From<Mode> for abi::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Each => Self::Each,
            Mode::Last => Self::Last,
        }
    }
}
