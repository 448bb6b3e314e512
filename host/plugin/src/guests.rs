//! The guests of one worker thread.

mod deployed;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use millrace_engine::deployment::{ActivePlugins, GuestTime};
use millrace_engine::logic::Logic;
use millrace_engine::manifest::{FunctionManifest, Role};
use millrace_engine::ports::{
    Attempt, CallError, Called, DeploymentId, Due, Fault, FunctionId, Group, Grouped, Message, Mode, Outcome, Pair,
    Stored,
};
use millrace_engine::state::ProcessScope;

use crate::abi;
use crate::arena::{CallBuffers, TooLarge};
use crate::plugin::Plugin;
use crate::registry::PluginRegistry;
use crate::reply::{self, ReplyRules};
use crate::slow::CallSize;
use deployed::DeployedPlugin;

/// The guests of one worker: an instance of each plugin that it has called, created at the first call and kept until a
/// call fails.
#[derive(Default)]
pub struct GuestInstances {
    registry: Arc<PluginRegistry>,
    deployments: HashMap<DeploymentId, DeployedPlugin>,
    /// The time limit of the calls that follow.
    most: Option<Duration>,
    buffers: CallBuffers,
    /// Whether these are shadows, whose budget bounds how long records wait: a slow one isn't logged.
    is_shadow: bool,
}

impl GuestInstances {
    /// The guests of a thread that calls these plugins.
    pub fn new(registry: Arc<PluginRegistry>) -> Self {
        Self { registry, ..Self::default() }
    }

    /// The guests of shadows: none is logged as slow.
    pub fn of_shadows(registry: Arc<PluginRegistry>) -> Self {
        Self { is_shadow: true, ..Self::new(registry) }
    }

    /// The guests of a thread that calls these plugins only.
    pub fn of(plugins: impl IntoIterator<Item = (DeploymentId, Arc<Plugin>)>) -> Self {
        let registry = PluginRegistry::default();
        plugins.into_iter().for_each(|(deployment, plugin)| registry.add(deployment, plugin));
        Self::new(Arc::new(registry))
    }
}

impl Logic for GuestInstances {
    fn limit_time(&mut self, most: Option<Duration>) {
        self.most = most;
        self.deployments.values_mut().for_each(|deployed| deployed.limit_time(most));
    }

    fn adopt(&mut self, plugins: &ActivePlugins) {
        self.deployments.retain(|deployment, _| plugins.ids().any(|id| id == *deployment));
    }

    fn take_times(&mut self) -> Vec<(DeploymentId, GuestTime)> {
        self.deployments.iter_mut().map(|(id, deployed)| (*id, deployed.take_time())).collect()
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
        deployed.call_pure(
            (function, attempt),
            |functions| functions.transform,
            args,
            CallSize::of(records),
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
        deployed.call_pure(
            (function, attempt),
            |functions| functions.join,
            args,
            CallSize::of(records),
            |reply| {
                let key = |at: usize| pairs.get(at)?.key;
                let rules = ReplyRules { inherits_value: false, ..rules(&plugin, manifest, &key) };
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
        let CallBuffers { payload, groups: list, stored: absorbed, entries, .. } = buffers;
        let lists = (list.clone(), absorbed.clone(), entries.clone());
        let args = (function.function, payload.clone(), lists.0, lists.1, lists.2, mode.into());
        deployed.call_pure(
            (function, attempt),
            |functions| functions.aggregate,
            args,
            CallSize::of_groups(records, groups),
            |reply| {
                let key = |at: usize| keys.get(at).copied();
                let outputs = mode == Mode::Each;
                let rules = ReplyRules { inherits_value: false, outputs, ..rules(&plugin, manifest, &key) };
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
        deployed.call_with_stores(function, attempt, |functions| functions.process, args, scope, check)
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
            Ok((function.function, buffers.arena.clone(), timer))
        });
        let (deployed, plugin, args) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return (Err(error), scope),
        };
        // An output may inherit the key of the record that set the timer; there is no value to inherit.
        let check = |reply, manifest: &FunctionManifest| {
            let key = |_| due.key;
            reply::outcomes(reply, 1, ReplyRules { inherits_value: false, ..rules(&plugin, manifest, &key) })
        };
        deployed.call_with_stores(function, attempt, |functions| functions.on_timer, args, scope, check)
    }

    fn rewrite(
        &mut self,
        function: FunctionId,
        store: usize,
        values: &[Stored],
        attempt: Attempt,
    ) -> Result<Called<Vec<Result<Stored, String>>>, CallError> {
        let (deployed, buffers) = self.parts(function)?;
        let plugin = Arc::clone(&deployed.plugin);
        let (manifest, index) = with_store(&plugin, function, store)?;
        let Some(count) = count(values.len())? else { return Ok(nothing()) };
        buffers.values(values).map_err(too_large)?;
        let args = (function.function, index, buffers.arena.clone(), buffers.stored.clone());
        let check = |reply| reply::rewritten(reply, values.len(), (manifest, store), plugin.limits());
        deployed.call_rewrite((function, attempt), args, count, check)
    }
}

/// A process function with the arguments of a call.
type PreparedCall<'a, A> = (&'a mut DeployedPlugin, Arc<Plugin>, A);

impl GuestInstances {
    fn parts(&mut self, function: FunctionId) -> Result<(&mut DeployedPlugin, &mut CallBuffers), CallError> {
        let id = function.deployment;
        let deployed = match self.deployments.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let plugin = self.registry.get(id);
                let plugin = plugin.ok_or_else(|| CallError::Host(format!("deployment {} is unknown", id.0)))?;
                let deployed = place.insert(DeployedPlugin::new(plugin, self.is_shadow));
                deployed.limit_time(self.most);
                deployed
            }
        };
        Ok((deployed, &mut self.buffers))
    }

    /// Looks up a process function, and writes the arguments of a call. `write` gets whether the function wants
    /// headers.
    fn prepare<A>(
        &mut self,
        function: FunctionId,
        write: impl FnOnce(&mut CallBuffers, bool) -> Result<A, TooLarge>,
    ) -> Result<PreparedCall<'_, A>, CallError> {
        let (deployed, buffers) = self.parts(function)?;
        let plugin = Arc::clone(&deployed.plugin);
        let wants_headers = manifest(&plugin, function, Role::Process)?.wants_headers;
        let args = write(buffers, wants_headers).map_err(too_large)?;
        Ok((deployed, plugin, args))
    }
}

fn manifest(plugin: &Plugin, id: FunctionId, role: Role) -> Result<&FunctionManifest, CallError> {
    let function = plugin.called().functions.get(id.function as usize);
    function.filter(|function| function.role == role).ok_or_else(|| {
        let (plugin, index, role) = (&plugin.manifest().name, id.function, role.name());
        CallError::Host(format!("plugin `{plugin}` has no {role} function {index}"))
    })
}

/// A function that has this store, and the store's index in the contract.
fn with_store(plugin: &Plugin, id: FunctionId, store: usize) -> Result<(&FunctionManifest, u32), CallError> {
    let function = plugin.called().functions.get(id.function as usize);
    let function = function.filter(|function| store < function.stores.len());
    function.zip(u32::try_from(store).ok()).ok_or_else(|| {
        let (plugin, index) = (&plugin.manifest().name, id.function);
        CallError::Host(format!("plugin `{plugin}` has no function {index} with a store {store}"))
    })
}

/// The rules for a role whose records have one value.
fn rules<'a>(
    plugin: &'a Plugin,
    function: &'a FunctionManifest,
    key: &'a dyn Fn(usize) -> Option<&'a [u8]>,
) -> ReplyRules<'a> {
    ReplyRules { function, limits: plugin.limits(), inherits_value: true, outputs: true, key }
}

/// The number of records of a call; `None` for none.
fn count(records: usize) -> Result<Option<u32>, CallError> {
    let count = u32::try_from(records).map_err(|_| too_large(TooLarge))?;
    Ok((count > 0).then_some(count))
}

/// The engine calls again with fewer records; for a single record this is the verdict.
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
