//! The imports of every plugin: log, count and at.

use millrace_engine::ports::Effect;
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, Result, StoreContextMut};

use super::{GuestHost, state, timers};
use crate::abi::{Level, interface};
use crate::fault::Breach;

/// A longer line or name is truncated.
const LINE_LIMIT_BYTES: usize = 16 << 10;

/// Bytes of an effect in the host beside its text.
const EFFECT_OVERHEAD_BYTES: usize = 64;

/// All functions of the host that a plugin can import.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<GuestHost>> {
    let mut linker = Linker::new(engine);
    linker.instance(&interface("logging"))?.func_wrap("log", log)?;
    linker.instance(&interface("metrics"))?.func_wrap("count", count)?;
    linker.instance(&interface("budget"))?.func_wrap("at", at)?;
    state::add(&mut linker.instance(&interface("state"))?)?;
    timers::add(&mut linker.instance(&interface("timers"))?)?;
    Ok(linker)
}

fn log(mut cx: StoreContextMut<'_, GuestHost>, (level, text): (Level, WasmStr)) -> Result<()> {
    let text = line(&cx, &text)?;
    let host = cx.data_mut();
    host.used.effect(EFFECT_OVERHEAD_BYTES + text.len())?;
    if level == Level::Error {
        host.last_error = Some(text.clone());
    }
    host.effects.push(Effect::Log { level: level.name(), text });
    Ok(())
}

fn count(mut cx: StoreContextMut<'_, GuestHost>, (name, n): (WasmStr, u64)) -> Result<()> {
    let name = line(&cx, &name)?;
    let host = cx.data_mut();
    host.used.effect(EFFECT_OVERHEAD_BYTES + name.len())?;
    host.effects.push(Effect::Count { name, n });
    Ok(())
}

/// Indexes must rise: a guest that could announce a record again could renew its budget without end.
fn at(mut cx: StoreContextMut<'_, GuestHost>, (index,): (u32,)) -> Result<()> {
    let host = cx.data_mut();
    if index >= host.records {
        let records = host.records;
        return Err(Breach::contract(format!("said that it is at record {index} of a call with {records}")));
    }
    if let Some(before) = host.at.filter(|before| index <= *before) {
        return Err(Breach::contract(format!("said that it is at record {index} after record {before}")));
    }
    host.at = Some(index);
    host.used.next_record();
    host.last_error = None;
    let meter = host.meter;
    meter.renew(&mut cx)
}

fn line(cx: &StoreContextMut<'_, GuestHost>, text: &WasmStr) -> Result<String> {
    let text =
        text.to_str(cx).map_err(|error| Breach::contract(format!("a log line or a name is no text: {error}")))?;
    Ok(text.get(..text.floor_char_boundary(LINE_LIMIT_BYTES)).unwrap_or(&text).to_owned())
}
