//! The imports that every plugin has: log, count and at.

use millrace_engine::ports::Effect;
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, Result, StoreContextMut};

use super::{Host, state, timers};
use crate::abi::{Level, interface};
use crate::fault::Breach;

/// A longer line is cut: a log is for people.
const LINE: usize = 16 << 10;

/// What an effect costs the host beside its text, in bytes.
const EFFECT: usize = 64;

/// All that a plugin can ask of the host, and nothing else.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.instance(&interface("logging"))?.func_wrap("log", log)?;
    linker.instance(&interface("metrics"))?.func_wrap("count", count)?;
    linker.instance(&interface("budget"))?.func_wrap("at", at)?;
    state::add(&mut linker.instance(&interface("state"))?)?;
    timers::add(&mut linker.instance(&interface("timers"))?)?;
    Ok(linker)
}

fn log(mut cx: StoreContextMut<'_, Host>, (level, text): (Level, WasmStr)) -> Result<()> {
    let text = line(&cx, &text)?;
    let host = cx.data_mut();
    host.used.effect(EFFECT + text.len())?;
    if level == Level::Error {
        host.last_error = Some(text.clone());
    }
    host.effects.push(Effect::Log { level: level.name(), text });
    Ok(())
}

fn count(mut cx: StoreContextMut<'_, Host>, (name, n): (WasmStr, u64)) -> Result<()> {
    let name = line(&cx, &name)?;
    let host = cx.data_mut();
    host.used.effect(EFFECT + name.len())?;
    host.effects.push(Effect::Count { name, n });
    Ok(())
}

/// Indexes must rise: a guest that could name a record twice could renew its budget for ever.
fn at(mut cx: StoreContextMut<'_, Host>, (index,): (u32,)) -> Result<()> {
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

fn line(cx: &StoreContextMut<'_, Host>, text: &WasmStr) -> Result<String> {
    let text =
        text.to_str(cx).map_err(|error| Breach::contract(format!("a log line or a name is no text: {error}")))?;
    Ok(text.get(..text.floor_char_boundary(LINE)).unwrap_or(&text).to_owned())
}
