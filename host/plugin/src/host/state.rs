//! The import `state`: the stores of a process function. Each operation counts against the record's limits.

use bytes::Bytes;
use millrace_engine::ports::{BackendError, Stored};
use millrace_engine::state::{self, ProcessScope};
use wasmtime::component::{LinkerInstance, WasmList};
use wasmtime::{Error, Result, StoreContextMut};

use super::{GuestHost, ProcessContext};
use crate::abi::{GuestValue, Item, Page, Value};
use crate::check::check_version;
use crate::fault::Breach;

type Context<'a> = StoreContextMut<'a, GuestHost>;

pub(super) fn add(state: &mut LinkerInstance<'_, GuestHost>) -> Result<()> {
    state.func_wrap("get", get)?;
    state.func_wrap("put", put)?;
    state.func_wrap("delete", delete)?;
    state.func_wrap("range", range)?;
    state.func_wrap("prefix", prefix)?;
    Ok(())
}

fn get(mut cx: Context<'_>, (store, key): (u32, WasmList<u8>)) -> Result<(Option<Value>,)> {
    let key = first_key(&mut cx, &key)?;
    let found = scope(&mut cx, store)?.get(store as usize, &key).map_err(unreadable)?;
    let Some(found) = found else { return Ok((None,)) };
    count_bytes(&mut cx, found.bytes.len())?;
    Ok((Some(value(found)),))
}

fn put(mut cx: Context<'_>, (store, key, value): (u32, WasmList<u8>, GuestValue)) -> Result<()> {
    let key = first_key(&mut cx, &key)?;
    count_bytes(&mut cx, value.bytes.len())?;
    let bytes = Bytes::copy_from_slice(value.bytes.as_le_slice(&cx));
    let process = process(&mut cx, store)?;
    check_version(process.store(store), value.version).map_err(Breach::contract)?;
    process.scope.put(store as usize, key, Stored { version: value.version, bytes });
    Ok(())
}

fn delete(mut cx: Context<'_>, (store, key): (u32, WasmList<u8>)) -> Result<()> {
    let key = first_key(&mut cx, &key)?;
    scope(&mut cx, store)?.delete(store as usize, key);
    Ok(())
}

type RangeArgs = (u32, Option<WasmList<u8>>, Option<WasmList<u8>>, u32);

fn range(mut cx: Context<'_>, (store, start, end, max_bytes): RangeArgs) -> Result<(Page,)> {
    operation(&mut cx)?;
    let start = optional(&mut cx, start)?.unwrap_or_default();
    let end = optional(&mut cx, end)?;
    page(cx, store, &start, end.as_deref(), max_bytes)
}

type PrefixArgs = (u32, WasmList<u8>, Option<WasmList<u8>>, u32);

fn prefix(mut cx: Context<'_>, (store, prefix, start, max_bytes): PrefixArgs) -> Result<(Page,)> {
    let prefix = first_key(&mut cx, &prefix)?;
    let start = optional(&mut cx, start)?.unwrap_or_default();
    let start = start.max(prefix.clone());
    page(cx, store, &start, after(&prefix).as_deref(), max_bytes)
}

/// The first key after all that begin with the prefix; `None` if there is none.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix.get(..=last)?.to_vec();
    *after.last_mut()? += 1;
    Some(after)
}

fn page(mut cx: Context<'_>, store: u32, from: &[u8], to: Option<&[u8]>, max_bytes: u32) -> Result<(Page,)> {
    let host = cx.data();
    // At most what the record may still read, so that no page is built only to be refused.
    let max_bytes = (max_bytes as usize).min(host.used.state_bytes_left(&host.limits));
    let scope = scope(&mut cx, store)?;
    if to.is_some_and(|to| from >= to) {
        return Ok((Page { items: Vec::new(), next: None },));
    }
    let found = scope.range(store as usize, from, to, max_bytes).map_err(unreadable)?;
    let bytes = found.items.iter().map(|(key, stored)| key.len() + stored.bytes.len() + state::Page::ITEM).sum();
    count_bytes(&mut cx, bytes)?;
    let items = found.items.into_iter().map(|(key, stored)| Item { key: key.to_vec(), value: value(stored) });
    Ok((Page { items: items.collect(), next: found.next.map(Vec::from) },))
}

pub(super) fn operation(cx: &mut Context<'_>) -> Result<()> {
    let host = cx.data_mut();
    host.used.state_op(&host.limits)
}

/// Counts an operation, and returns its key.
fn first_key(cx: &mut Context<'_>, key: &WasmList<u8>) -> Result<Bytes> {
    operation(cx)?;
    count_bytes(cx, key.len())?;
    Ok(Bytes::copy_from_slice(key.as_le_slice(&*cx)))
}

fn optional(cx: &mut Context<'_>, key: Option<WasmList<u8>>) -> Result<Option<Bytes>> {
    key.map(|key| {
        count_bytes(cx, key.len())?;
        Ok(Bytes::copy_from_slice(key.as_le_slice(&*cx)))
    })
    .transpose()
}

pub(super) fn count_bytes(cx: &mut Context<'_>, bytes: usize) -> Result<()> {
    let host = cx.data_mut();
    host.used.state_bytes(bytes, &host.limits)
}

fn process<'a>(cx: &'a mut Context<'_>, store: u32) -> Result<&'a mut ProcessContext> {
    let Some(process) = cx.data_mut().process.as_mut() else {
        return Err(Breach::contract("state belongs to process functions: no other call may use it"));
    };
    let stores = process.scope.stores();
    if store as usize >= stores {
        return Err(Breach::contract(format!("asked for store {store} of a function with {stores}")));
    }
    Ok(process)
}

fn scope<'a>(cx: &'a mut Context<'_>, store: u32) -> Result<&'a mut ProcessScope> {
    process(cx, store).map(|process| &mut process.scope)
}

pub(super) fn unreadable(error: BackendError) -> Error {
    Error::new(Breach::Host(error.to_string()))
}

fn value(stored: Stored) -> Value {
    Value { version: stored.version, bytes: stored.bytes.into() }
}
