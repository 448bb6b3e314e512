//! One instance of a component, and the calls into it.

use millrace_engine::ports::{CallError, Effect, Fault};
use millrace_engine::state::ProcessScope;
use millrace_engine::topology::GuestLimits;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc,
};
use wasmtime::{AsContextMut, Store, Trap};

use crate::abi::{
    AggregateArgs, Aggregated, JoinArgs, Manifest, ProcessArgs, Reply, TimerArgs, TransformArgs, WriteVersion,
    interface,
};
use crate::fault::{Breach, chain, classify};
use crate::host::{Host, Process, linker};
use crate::limits::{Course, Meter};
use crate::ticker::Ticks;

/// Bytes that a manifest may have: strings of a hostile one may all share the same memory.
const MANIFEST_BYTES: usize = 1 << 20;

/// Compiled code, linked to the host: instances are made from it.
pub(crate) struct Code {
    linked: InstancePre<Host>,
    describe: ComponentExportIndex,
    configure: ComponentExportIndex,
    transform: Option<ComponentExportIndex>,
    join: Option<ComponentExportIndex>,
    aggregate: Option<ComponentExportIndex>,
    process: Option<ComponentExportIndex>,
    on_timer: Option<ComponentExportIndex>,
}

impl Code {
    /// Links a component. An error means that it doesn't fit the contract.
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
        })
    }
}

/// Functions of an instance that the role calls go to. Their types were compared with ours when they were looked up.
#[derive(Clone, Copy)]
pub(crate) struct Functions {
    pub transform: Option<TypedFunc<TransformArgs, (Reply,)>>,
    pub join: Option<TypedFunc<JoinArgs, (Reply,)>>,
    pub aggregate: Option<TypedFunc<AggregateArgs, (Aggregated,)>>,
    pub process: Option<TypedFunc<ProcessArgs, (Reply,)>>,
    pub on_timer: Option<TypedFunc<TimerArgs, (Reply,)>>,
}

/// Hands over the config; the plugin may refuse it.
type Configure = TypedFunc<(String, Vec<WriteVersion>), (Result<(), String>,)>;

/// What is left of a call: the reply with its effects, or why there is none; and the stores that were lent.
pub(crate) type Ended<R> = (Result<(R, Vec<Effect>), CallError>, Option<ProcessScope>);

/// What a call is over.
#[derive(Default)]
pub(crate) struct Work {
    /// Number of records.
    pub records: u32,
    /// The tick at which its time is over, if that is limited.
    pub until: Option<u64>,
    /// The stores of a process function, where it is one.
    pub process: Option<Process>,
}

/// A live instance. Dropped after any error: what is in its memory then is anyone's guess.
pub(crate) struct Live {
    store: Store<Host>,
    describe: TypedFunc<(), (Manifest,)>,
    configure: Configure,
    functions: Functions,
}

impl Live {
    /// Makes an instance. Its start function has a record's time and memory.
    pub(crate) fn start(code: &Code, limits: &GuestLimits, course: Course, ticks: Ticks) -> Result<Self, CallError> {
        let meter = match course {
            Course::Ordinary => Meter::clock(limits),
            Course::Verdict => Meter::fuel(limits),
        };
        let mut store = Store::new(code.linked.engine(), Host::new(*limits, meter, ticks));
        store.limiter(|host| &mut host.memory);
        // A reply is copied out of the guest's memory once; what is more can only be lists that overlap.
        store.set_hostcall_fuel(limits.memory.saturating_mul(2).max(MANIFEST_BYTES));
        let started = meter.renew(&mut store.as_context_mut()).and_then(|()| code.linked.instantiate(&mut store));
        let instance = match started {
            Ok(instance) => instance,
            Err(error) if error.is::<Trap>() || error.is::<Breach>() => {
                return Err(classify(&error, store.data_mut().scene()));
            }
            // No room in the pool, no address space: nothing that a record could be blamed for.
            Err(error) => return Err(CallError::Host(format!("no guest instance: {}", chain(&error)))),
        };
        Self::bind(store, &instance, code).map_err(|error| CallError::Guest {
            fault: Fault::Contract,
            at: None,
            text: format!("doesn't fit the plugin contract: {}", chain(&error)),
        })
    }

    fn bind(mut store: Store<Host>, instance: &Instance, code: &Code) -> wasmtime::Result<Self> {
        let functions = Functions {
            transform: find(&mut store, instance, code.transform.as_ref())?,
            join: find(&mut store, instance, code.join.as_ref())?,
            aggregate: find(&mut store, instance, code.aggregate.as_ref())?,
            process: find(&mut store, instance, code.process.as_ref())?,
            on_timer: find(&mut store, instance, code.on_timer.as_ref())?,
        };
        let describe = instance.get_typed_func(&mut store, code.describe)?;
        let configure = instance.get_typed_func(&mut store, code.configure)?;
        Ok(Self { store, describe, configure, functions })
    }

    pub(crate) fn functions(&self) -> Functions {
        self.functions
    }

    /// The manifest, in the contract's form.
    pub(crate) fn describe(&mut self) -> Result<Manifest, CallError> {
        let fuel = self.store.hostcall_fuel();
        self.store.set_hostcall_fuel(MANIFEST_BYTES);
        let manifest = self.call(self.describe, (), Work::default()).0?.0;
        self.store.set_hostcall_fuel(fuel);
        Ok(manifest)
    }

    /// Hands over the config. The inner error is the plugin's refusal.
    pub(crate) fn configure(&mut self, config: &str) -> Result<Result<(), String>, CallError> {
        Ok(self.call(self.configure, (config.to_owned(), Vec::new()), Work::default()).0?.0)
    }

    /// Records that the guest has begun in the last call that failed.
    pub(crate) fn begun(&self) -> u32 {
        self.store.data().begun()
    }

    /// One call. The stores come back whatever happens.
    pub(crate) fn call<A, R>(&mut self, function: TypedFunc<A, (R,)>, args: A, work: Work) -> Ended<R>
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
        let scene = called.is_err().then(|| host.scene());
        let (effects, scope) = host.end();
        let result = match called {
            Ok((reply,)) => Ok((reply, effects)),
            Err(error) => Err(classify(&error, scene.unwrap_or_default())),
        };
        (result, scope)
    }
}

fn find<A, R>(
    store: &mut Store<Host>,
    instance: &Instance,
    index: Option<&ComponentExportIndex>,
) -> wasmtime::Result<Option<TypedFunc<A, R>>>
where
    A: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    index.map(|index| instance.get_typed_func(store, index)).transpose()
}
