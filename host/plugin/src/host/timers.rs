//! The import `timers`, for process functions. Setting or cancelling a timer counts as an operation on a store.

use millrace_engine::ports;
use millrace_engine::state::ProcessScope;
use wasmtime::component::{LinkerInstance, WasmStr};
use wasmtime::{Result, StoreContextMut};

use super::state::{count_bytes, operation, unreadable};
use super::{GuestHost, ProcessContext};
use crate::abi::Clock;
use crate::fault::Breach;

/// Most bytes of a timer's name.
const NAME_LIMIT_BYTES: usize = 255;

type Context<'a> = StoreContextMut<'a, GuestHost>;

pub(super) fn add(timers: &mut LinkerInstance<'_, GuestHost>) -> Result<()> {
    timers.func_wrap("set-at", set_at)?;
    timers.func_wrap("set-after", set_after)?;
    timers.func_wrap("cancel", cancel)?;
    Ok(())
}

fn set_at(mut cx: Context<'_>, (name, time, clock): (WasmStr, i64, Clock)) -> Result<()> {
    let name = begin(&mut cx, &name)?;
    scope(&mut cx)?.set_at(&name, time, clock.into()).map_err(unreadable)
}

fn set_after(mut cx: Context<'_>, (name, delay, clock): (WasmStr, u64, Clock)) -> Result<()> {
    let name = begin(&mut cx, &name)?;
    scope(&mut cx)?.set_after(&name, delay, clock.into()).map_err(unreadable)
}

fn cancel(mut cx: Context<'_>, (name, clock): (WasmStr, Clock)) -> Result<()> {
    let name = begin(&mut cx, &name)?;
    scope(&mut cx)?.cancel(&name, clock.into()).map_err(unreadable)
}

/// Counts an operation, and returns the timer's name. An error says that the call may not use timers.
fn begin(cx: &mut Context<'_>, name: &WasmStr) -> Result<String> {
    scope(cx)?;
    operation(cx)?;
    let text = name.to_str(&*cx);
    let text = text.map_err(|error| Breach::contract(format!("the name of a timer is no text: {error}")))?;
    let bytes = text.len();
    if bytes > NAME_LIMIT_BYTES {
        return Err(Breach::contract(format!(
            "named a timer with {bytes} bytes; a name has at most {NAME_LIMIT_BYTES}"
        )));
    }
    let text = text.into_owned();
    count_bytes(cx, bytes)?;
    Ok(text)
}

fn scope<'a>(cx: &'a mut Context<'_>) -> Result<&'a mut ProcessScope> {
    let Some(process) = cx.data_mut().process.as_mut() else {
        return Err(Breach::contract("timers belong to process functions: no other call may use them"));
    };
    if !process.declares_timers() {
        return Err(Breach::contract("used timers, but its manifest doesn't say that it does"));
    }
    Ok(&mut process.scope)
}

impl ProcessContext {
    /// Whether the manifest says that the function sets timers.
    fn declares_timers(&self) -> bool {
        self.manifest.functions.get(self.function).is_some_and(|function| function.timers)
    }
}

impl From<Clock> for ports::Clock {
    fn from(clock: Clock) -> Self {
        match clock {
            Clock::Stream => Self::Stream,
            Clock::Wall => Self::Wall,
        }
    }
}
