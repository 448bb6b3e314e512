//! The host's side of an instance: the state that its imports use.

mod imports;
mod state;
mod timers;

use std::sync::Arc;

use millrace_engine::manifest::{Manifest, StoreManifest};
use millrace_engine::ports::Effect;
use millrace_engine::state::ProcessScope;
use millrace_engine::topology::GuestLimits;
use wasmtime::StoreContextMut;

use crate::abi::Level;
use crate::fault::FailureContext;
use crate::limits::{MemoryLimit, Meter, Usage, deadline_text};
use crate::ticker::Ticks;

pub(crate) use imports::linker;

/// The data of a store: one instance and the call it is in.
pub(crate) struct GuestHost {
    /// Memory of the instance.
    pub memory: MemoryLimit,
    limits: GuestLimits,
    meter: Meter,
    ticks: Ticks,
    /// The tick at which the current call must end, if its time is limited.
    until: Option<u64>,
    /// Number of records of the current call.
    records: u32,
    /// Index of the record that the guest has announced last.
    at: Option<u32>,
    used: Usage,
    effects: Vec<Effect>,
    last_error: Option<String>,
    process: Option<ProcessContext>,
}

/// The stores and timers of a process function during a call.
pub(crate) struct ProcessContext {
    pub scope: ProcessScope,
    pub manifest: Arc<Manifest>,
    /// Index of the function in the manifest.
    pub function: usize,
}

impl ProcessContext {
    /// A store of the function.
    fn store(&self, store: u32) -> Option<&StoreManifest> {
        self.manifest.functions.get(self.function)?.stores.get(store as usize)
    }
}

impl GuestHost {
    pub(crate) fn new(limits: GuestLimits, meter: Meter, ticks: Ticks) -> Self {
        Self {
            memory: MemoryLimit::new(limits.memory),
            limits,
            meter,
            ticks,
            until: None,
            records: 0,
            at: None,
            used: Usage::default(),
            effects: Vec::new(),
            last_error: None,
            process: None,
        }
    }

    pub(crate) fn meter(&self) -> Meter {
        self.meter
    }

    /// Ticks left for the current call, if its time is limited.
    pub(crate) fn ticks_left(&self) -> Option<u64> {
        self.until.map(|until| until.saturating_sub(self.ticks.now()))
    }

    /// Begins a call with this number of records.
    pub(crate) fn begin(&mut self, records: u32, until: Option<u64>, process: Option<ProcessContext>) {
        self.records = records;
        self.until = until;
        self.at = None;
        self.used = Usage::default();
        self.effects.clear();
        self.last_error = None;
        self.process = process;
    }

    /// Number of records that the guest has begun in the current call.
    pub(crate) fn begun(&self) -> u32 {
        self.at.map_or(0, |at| at.saturating_add(1))
    }

    /// Ends the call, and returns its effects and its stores.
    pub(crate) fn end(&mut self) -> (Vec<Effect>, Option<ProcessScope>) {
        self.records = 0;
        (std::mem::take(&mut self.effects), self.process.take().map(|process| process.scope))
    }

    /// What the host knows about the call, to explain its failure.
    pub(crate) fn failure_context(&mut self) -> FailureContext {
        FailureContext {
            at: self.at.map(|at| at as usize),
            last_error: self.last_error.take(),
            deadline: deadline_text(&self.limits, self.meter),
            overrun: self.meter.is_overrun(self.ticks_left()),
        }
    }
}

impl Meter {
    /// Gives the record that begins now its whole budget, or the rest of the time for the call.
    pub(crate) fn renew(self, store: &mut StoreContextMut<'_, GuestHost>) -> wasmtime::Result<()> {
        let (Self::Clock { ticks } | Self::Fuel { ticks, .. }) = self;
        let left = store.data().ticks_left();
        store.set_epoch_deadline(left.map_or(ticks, |left| left.min(ticks)));
        if let Self::Fuel { fuel, .. } = self {
            store.set_fuel(fuel)?;
        }
        Ok(())
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}
