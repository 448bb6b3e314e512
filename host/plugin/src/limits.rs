//! Limits on a guest: how each is counted, and the text for a breach.

use std::time::Duration;

use millrace_engine::ports::Fault;
use millrace_engine::size::shown;
use millrace_engine::topology::GuestLimits;
use wasmtime::ResourceLimiter;

use crate::fault::{Breach, chain};

/// Length of a tick of the epoch.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Fuel for each millisecond of the deadline in a verdict. A unit is about one machine instruction; `runtime.rs` says
/// which operators count. Fuel must be more patient than the clock, so that no record fails by fuel that passes by the
/// clock: a core of 3 GHz does 5.4 to 6.1 million units in a millisecond of a tight loop, and fewer in code that waits
/// for memory.
pub const FUEL_PER_MILLISECOND: u64 = 8_000_000;

/// Most time, in deadlines, from when a record breaks its deadline in a batch to its verdict: the record is called
/// alone, then with fuel. With half the fuel, about five deadlines were measured.
const VERDICT_TIME: u64 = 12;

/// The backstop of a verdict, in deadlines. A guest in host functions or copies burns little fuel, so the clock must
/// end it. Unless machines differ by more than this factor, the backstop decides as fuel or the deadline would.
const VERDICT_BACKSTOP: u64 = 20;

/// Most bytes of log lines and counter names of one record.
const EFFECT_BYTES: usize = 256 << 10;

/// Most bytes of log lines and counter names of all records of a call.
const EFFECT_BYTES_PER_CALL: usize = 16 << 20;

/// Bytes of the host's memory for an element of a table; tables count as memory of the instance.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// How the time of a guest is limited; each has an engine of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metering {
    /// By the clock: for batches.
    Clock,
    /// By fuel: for verdicts.
    Fuel,
}

/// How the time of a record is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meter {
    /// Ticks of the epoch.
    Clock { ticks: u64 },
    /// Fuel, with ticks as a backstop.
    Fuel { fuel: u64, ticks: u64 },
}

impl Meter {
    pub(crate) fn clock(limits: &GuestLimits) -> Self {
        Self::Clock { ticks: ticks(limits.deadline) }
    }

    pub(crate) fn fuel(limits: &GuestLimits) -> Self {
        let millis = u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX).max(1);
        let ticks = ticks(limits.deadline).saturating_mul(VERDICT_BACKSTOP);
        Self::Fuel { fuel: millis.saturating_mul(FUEL_PER_MILLISECOND), ticks }
    }

    /// Whether an interrupt with this many ticks left for calls says nothing about the record: it has run out of the
    /// call's time, not of its own, or too little time is left for a verdict.
    pub(crate) fn is_overrun(self, left: Option<u64>) -> bool {
        match (self, left) {
            (_, None) => false,
            (Self::Clock { ticks }, Some(left)) => left < ticks.saturating_mul(VERDICT_TIME),
            (Self::Fuel { .. }, Some(left)) => left == 0,
        }
    }
}

/// The number of ticks that take at least this long, although the current one has begun. It is bounded, as wasmtime
/// adds it to the current epoch.
pub(crate) fn ticks(duration: Duration) -> u64 {
    let ticks = duration.as_millis().div_ceil(TICK.as_millis()).saturating_add(1);
    u64::try_from(ticks).unwrap_or(u64::MAX).min(u64::MAX >> 8)
}

/// The text for the deadline.
pub(crate) fn deadline_text(limits: &GuestLimits, meter: Meter) -> String {
    match meter {
        Meter::Clock { .. } => format!("{:?} (limits.deadline)", limits.deadline),
        Meter::Fuel { .. } => format!("{:?} (limits.deadline), by the number of its instructions", limits.deadline),
    }
}

/// Memory of an instance, over all its memories and tables.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    limit: usize,
    used: usize,
}

impl MemoryLimit {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: 0 }
    }

    /// A refusal is a trap: a guest that could see it might answer differently in a used instance than in a fresh one.
    fn grow(&mut self, by: usize) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(by);
        if used > self.limit {
            let text = format!("wanted more memory than {} (limits.memory)", shown(self.limit));
            return Err(Breach::guest(Fault::Memory, text));
        }
        self.used = used;
        Ok(true)
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow(desired.saturating_sub(current))
    }

    /// The memory was within the limit, and the machine had none left: no fault of the guest.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Breach::Host(format!("no memory for a guest: {}", chain(&error)))))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES))
    }
}

/// What the current record has used, and the call.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    state_ops: usize,
    state_bytes: usize,
    effect_bytes: usize,
    effect_bytes_of_call: usize,
}

impl Usage {
    /// Resets what belongs to one record.
    pub(crate) fn next_record(&mut self) {
        *self = Self { effect_bytes_of_call: self.effect_bytes_of_call, ..Self::default() };
    }

    /// Counts an operation on a store or a timer.
    pub(crate) fn state_op(&mut self, limits: &GuestLimits) -> wasmtime::Result<()> {
        self.state_ops = self.state_ops.saturating_add(1);
        if self.state_ops <= limits.state_ops {
            return Ok(());
        }
        let text = format!(
            "made more than {} operations on stores and timers for one record (limits.state-ops)",
            limits.state_ops
        );
        Err(Breach::guest(Fault::State, text))
    }

    /// Counts bytes read from or written to a store.
    pub(crate) fn state_bytes(&mut self, bytes: usize, limits: &GuestLimits) -> wasmtime::Result<()> {
        self.state_bytes = self.state_bytes.saturating_add(bytes);
        if self.state_bytes <= limits.state_bytes {
            return Ok(());
        }
        let limit = shown(limits.state_bytes);
        let text = format!("read and wrote more than {limit} of state for one record (limits.state-bytes)");
        Err(Breach::guest(Fault::State, text))
    }

    /// Bytes of state that the record may still read or write.
    pub(crate) fn state_bytes_left(&self, limits: &GuestLimits) -> usize {
        limits.state_bytes.saturating_sub(self.state_bytes)
    }

    /// Counts bytes that a log line or a count takes in the host until the transaction commits.
    pub(crate) fn effect(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.effect_bytes = self.effect_bytes.saturating_add(bytes);
        self.effect_bytes_of_call = self.effect_bytes_of_call.saturating_add(bytes);
        if self.effect_bytes > EFFECT_BYTES {
            let text = format!("logged and counted more than {} for one record", shown(EFFECT_BYTES));
            return Err(Breach::guest(Fault::Output, text));
        }
        if self.effect_bytes_of_call > EFFECT_BYTES_PER_CALL {
            let text = format!("logged and counted more than {} in one call", shown(EFFECT_BYTES_PER_CALL));
            return Err(Breach::guest(Fault::Output, text));
        }
        Ok(())
    }
}
