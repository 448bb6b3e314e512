//! An instance of a component, and the calls into it.

use millrace_engine::ports::{CallError, Effect, Fault};
use millrace_engine::state::ProcessScope;
use millrace_engine::topology::GuestLimits;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc,
};
use wasmtime::{AsContextMut, Store, Trap};

use crate::abi::{
    AggregateArgs, Aggregated, JoinArgs, Manifest, ProcessArgs, Reply, RewriteArgs, Rewritten, TimerArgs,
    TransformArgs, WriteVersion, interface,
};
use crate::fault::{Breach, chain, classify};
use crate::host::{GuestHost, ProcessContext, linker};
use crate::limits::{Meter, Metering};
use crate::ticker::Ticks;

/// Most bytes of a manifest: the strings of a hostile one may all share the same memory.
const MANIFEST_BYTES: usize = 1 << 20;

/// Compiled code, linked to the host, from which instances are created.
pub(crate) struct LinkedCode {
    linked: InstancePre<GuestHost>,
    describe: ComponentExportIndex,
    configure: ComponentExportIndex,
    transform: Option<ComponentExportIndex>,
    join: Option<ComponentExportIndex>,
    aggregate: Option<ComponentExportIndex>,
    process: Option<ComponentExportIndex>,
    on_timer: Option<ComponentExportIndex>,
    rewrite: Option<ComponentExportIndex>,
}

impl LinkedCode {
    /// Links a component. An error says why it doesn't fit the contract.
    pub(crate) fn link(component: &Component) -> wasmtime::Result<Self> {
        let linked = linker(component.engine())?.instantiate_pre(component)?;
        let export = |name: &str, function: &str| {
            let instance = component.get_export_index(None, &*interface(name))?;
            component.get_export_index(Some(&instance), function)
        };
        let meta = |function: &str| {
            let missing = || wasmtime::Error::msg(format!("`meta` has no function `{function}`"));
            export("meta", function).ok_or_else(missing)
        };
        Ok(Self {
            linked,
            describe: meta("describe")?,
            configure: meta("configure")?,
            transform: export("transform", "transform"),
            join: export("join", "join"),
            aggregate: export("aggregate", "aggregate"),
            process: export("process", "process"),
            on_timer: export("process", "on-timer"),
            rewrite: export("rewrite", "rewrite"),
        })
    }
}

/// The functions of an instance that process records, and the one that rewrites values. wasmtime has checked their
/// types.
#[derive(Clone, Copy)]
pub(crate) struct Functions {
    pub transform: Option<TypedFunc<TransformArgs, (Reply,)>>,
    pub join: Option<TypedFunc<JoinArgs, (Reply,)>>,
    pub aggregate: Option<TypedFunc<AggregateArgs, (Aggregated,)>>,
    pub process: Option<TypedFunc<ProcessArgs, (Reply,)>>,
    pub on_timer: Option<TypedFunc<TimerArgs, (Reply,)>>,
    pub rewrite: Option<TypedFunc<RewriteArgs, (Rewritten,)>>,
}

/// The function that takes the config, which the plugin may refuse.
type Configure = TypedFunc<(String, Vec<WriteVersion>), (Result<(), String>,)>;

/// The end of a call: the reply with its effects, or an error; and the stores that the call had.
pub(crate) type CallEnd<R> = (Result<(R, Vec<Effect>), CallError>, Option<ProcessScope>);

/// What a call is about.
#[derive(Default)]
pub(crate) struct CallContext {
    /// Number of records.
    pub records: u32,
    /// The tick at which it must end, if its time is limited.
    pub until: Option<u64>,
    /// The stores, for a process function.
    pub process: Option<ProcessContext>,
}

/// An instance. It is dropped after any error: its memory may be in any state then.
pub(crate) struct GuestInstance {
    store: Store<GuestHost>,
    describe: TypedFunc<(), (Manifest,)>,
    configure: Configure,
    functions: Functions,
}

impl GuestInstance {
    /// Creates an instance. Its start function has the time and memory limits of a record.
    pub(crate) fn start(
        code: &LinkedCode,
        limits: &GuestLimits,
        course: Metering,
        ticks: Ticks,
    ) -> Result<Self, CallError> {
        let meter = match course {
            Metering::Clock => Meter::clock(limits),
            Metering::Fuel => Meter::fuel(limits),
        };
        let mut store = Store::new(code.linked.engine(), GuestHost::new(*limits, meter, ticks));
        store.limiter(|host| &mut host.memory);
        // A reply is copied out of the guest's memory once; more than that can only be lists that overlap.
        store.set_hostcall_fuel(limits.memory.saturating_mul(2).max(MANIFEST_BYTES));
        let started = meter.renew(&mut store.as_context_mut()).and_then(|()| code.linked.instantiate(&mut store));
        let instance = match started {
            Ok(instance) => instance,
            Err(error) if error.is::<Trap>() || error.is::<Breach>() => {
                return Err(classify(&error, store.data_mut().failure_context()));
            }
            // The pool or the address space is exhausted: no fault of a record.
            Err(error) => return Err(CallError::Host(format!("no guest instance: {}", chain(&error)))),
        };
        Self::bind(store, &instance, code).map_err(|error| CallError::Guest {
            fault: Fault::Contract,
            at: None,
            text: format!("doesn't fit the plugin contract: {}", chain(&error)),
        })
    }

    fn bind(mut store: Store<GuestHost>, instance: &Instance, code: &LinkedCode) -> wasmtime::Result<Self> {
        let functions = Functions {
            transform: find(&mut store, instance, code.transform.as_ref())?,
            join: find(&mut store, instance, code.join.as_ref())?,
            aggregate: find(&mut store, instance, code.aggregate.as_ref())?,
            process: find(&mut store, instance, code.process.as_ref())?,
            on_timer: find(&mut store, instance, code.on_timer.as_ref())?,
            rewrite: find(&mut store, instance, code.rewrite.as_ref())?,
        };
        let describe = instance.get_typed_func(&mut store, code.describe)?;
        let configure = instance.get_typed_func(&mut store, code.configure)?;
        Ok(Self { store, describe, configure, functions })
    }

    pub(crate) fn functions(&self) -> Functions {
        self.functions
    }

    /// Asks for the manifest, in the contract's form.
    pub(crate) fn describe(&mut self) -> Result<Manifest, CallError> {
        let fuel = self.store.hostcall_fuel();
        self.store.set_hostcall_fuel(MANIFEST_BYTES);
        let manifest = self.call(self.describe, (), CallContext::default()).0?.0;
        self.store.set_hostcall_fuel(fuel);
        Ok(manifest)
    }

    /// Passes the config, and the state versions to write to stores that don't get their newest one. The inner error is
    /// the plugin's refusal.
    pub(crate) fn configure(
        &mut self,
        config: &str,
        versions: &[WriteVersion],
    ) -> Result<Result<(), String>, CallError> {
        Ok(self.call(self.configure, (config.to_owned(), versions.to_vec()), CallContext::default()).0?.0)
    }

    /// Number of records that the guest has begun in the last call, which failed.
    pub(crate) fn begun(&self) -> u32 {
        self.store.data().begun()
    }

    /// Makes a call. The stores come back in any case.
    pub(crate) fn call<A, R>(&mut self, function: TypedFunc<A, (R,)>, args: A, work: CallContext) -> CallEnd<R>
    where
        A: ComponentNamedList + Lower,
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift,
    {
        self.store.data_mut().begin(work.records, work.until, work.process);
        let meter = self.store.data().meter();
        let called = meter
            .renew(&mut self.store.as_context_mut())
            .map_err(|error| wasmtime::Error::new(Breach::Host(error.to_string())))
            .and_then(|()| function.call(&mut self.store, args));
        let host = self.store.data_mut();
        let failure_context = called.is_err().then(|| host.failure_context());
        let (effects, scope) = host.end();
        let result = match called {
            Ok((reply,)) => Ok((reply, effects)),
            Err(error) => Err(classify(&error, failure_context.unwrap_or_default())),
        };
        (result, scope)
    }
}

fn find<A, R>(
    store: &mut Store<GuestHost>,
    instance: &Instance,
    index: Option<&ComponentExportIndex>,
) -> wasmtime::Result<Option<TypedFunc<A, R>>>
where
    A: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    index.map(|index| instance.get_typed_func(store, index)).transpose()
}
