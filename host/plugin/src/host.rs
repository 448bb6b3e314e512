//! The host's side of an instance: what its imports work on.

mod imports;
mod state;
mod timers;

use std::sync::Arc;

use millrace_engine::manifest::Manifest;
use millrace_engine::ports::Effect;
use millrace_engine::state::ProcessScope;
use millrace_engine::topology::GuestLimits;
use wasmtime::StoreContextMut;

use crate::abi::Level;
use crate::fault::Scene;
use crate::limits::{MemoryLimit, Meter, Used, deadline_text};
use crate::ticker::Ticks;

pub(crate) use imports::linker;

/// The data of a store: one instance and the call it is in.
pub(crate) struct Host {
    /// Memory of the instance.
    pub memory: MemoryLimit,
    limits: GuestLimits,
    meter: Meter,
    ticks: Ticks,
    /// The tick at which the time for the current call is over, if that is limited.
    until: Option<u64>,
    /// Number of records of the current call.
    records: u32,
    /// The record that the guest works on, as it says.
    at: Option<u32>,
    used: Used,
    effects: Vec<Effect>,
    last_error: Option<String>,
    process: Option<Process>,
}

/// What a process function may touch while its call lasts.
pub(crate) struct Process {
    pub scope: ProcessScope,
    pub manifest: Arc<Manifest>,
    /// Index of the function in the manifest.
    pub function: usize,
}

impl Process {
    /// The state versions that the function may write to a store.
    fn writes(&self, store: u32) -> &[u32] {
        let function = self.manifest.functions.get(self.function);
        function.and_then(|function| function.stores.get(store as usize)).map_or(&[], |store| &store.writes)
    }
}

impl Host {
    pub(crate) fn new(limits: GuestLimits, meter: Meter, ticks: Ticks) -> Self {
        Self {
            memory: MemoryLimit::new(limits.memory),
            limits,
            meter,
            ticks,
            until: None,
            records: 0,
            at: None,
            used: Used::default(),
            effects: Vec::new(),
            last_error: None,
            process: None,
        }
    }

    pub(crate) fn meter(&self) -> Meter {
        self.meter
    }

    /// Ticks that are left for the current call, if its time is limited.
    pub(crate) fn ticks_left(&self) -> Option<u64> {
        self.until.map(|until| until.saturating_sub(self.ticks.now()))
    }

    /// A call over so many records begins.
    pub(crate) fn begin(&mut self, records: u32, until: Option<u64>, process: Option<Process>) {
        self.records = records;
        self.until = until;
        self.at = None;
        self.used = Used::default();
        self.effects.clear();
        self.last_error = None;
        self.process = process;
    }

    /// Records that the guest has begun in the current call.
    pub(crate) fn begun(&self) -> u32 {
        self.at.map_or(0, |at| at.saturating_add(1))
    }

    /// The call is over: its effects and its stores.
    pub(crate) fn end(&mut self) -> (Vec<Effect>, Option<ProcessScope>) {
        self.records = 0;
        (std::mem::take(&mut self.effects), self.process.take().map(|process| process.scope))
    }

    /// What is known of the call, for who explains its failure.
    pub(crate) fn scene(&mut self) -> Scene {
        Scene {
            at: self.at.map(|at| at as usize),
            last_words: self.last_error.take(),
            deadline: deadline_text(&self.limits, self.meter),
            overrun: self.meter.is_overrun(self.ticks_left()),
        }
    }
}

impl Meter {
    /// Gives the record that starts now its whole budget, as far as there is time for it.
    pub(crate) fn renew(self, store: &mut StoreContextMut<'_, Host>) -> wasmtime::Result<()> {
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
