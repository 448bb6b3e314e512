//! Aggregates: the state of a group is read once and written once, whatever its records do.

use super::group::Task;
use super::writer::Writer;
use crate::aggregate::Aggregate;
use crate::bindings::aggregate::exports::millrace::plugin::aggregate::{
    Aggregated, Entry, Group, Grouped, MergePair, Merged, Mode,
};
use crate::bindings::base::millrace::plugin::types::{Failure, FailureClass, Payload, Span, Stored};
use crate::config;
use crate::ctx::Call;
use crate::error::{Error, Kind, Result};
use crate::function::Function;
use crate::state;

/// The ways into an aggregate, compiled for each.
pub struct AggregateFunctions {
    pub(super) aggregate: fn(u32, Payload, Vec<Group>, Vec<Entry>, Mode) -> Aggregated,
    pub(super) merge: fn(u32, Vec<u8>, Vec<MergePair>) -> Merged,
}

impl AggregateFunctions {
    /// Those of this aggregate.
    pub const fn of<A: Aggregate + Function>() -> Self {
        Self { aggregate: aggregate_batch::<A>, merge: merge_batch::<A> }
    }
}

fn aggregate_batch<A: Aggregate + Function>(
    function: u32,
    payload: Payload,
    groups: Vec<Group>,
    entries: Vec<Entry>,
    mode: Mode,
) -> Aggregated {
    let call = Call::new(payload);
    let version = config::write_version(function, 0);
    let mut out = Writer::new(const { &A::SPEC }, entries.len(), call.arena.len());
    let (mut results, mut deleted) = (Vec::with_capacity(groups.len()), Vec::new());
    let mut first = 0_usize;
    for group in &groups {
        let end = first.saturating_add(group.entries as usize);
        let own = entries.get(first..end).unwrap_or_else(|| super::breach("a group has more entries than there are"));
        let done = Task { call: &call, group, entries: own, first, mode, version }.run::<A>(&mut out);
        results.push(done.grouped);
        deleted.extend(done.deleted);
        first = end;
    }
    Aggregated { reply: out.reply, groups: results, deleted }
}

fn merge_batch<A: Aggregate + Function>(function: u32, arena: Vec<u8>, pairs: Vec<MergePair>) -> Merged {
    let call = Call::new(Payload { arena, headers: Vec::new() });
    let version = config::write_version(function, 0);
    let mut out = Vec::with_capacity(call.arena.len());
    let states = pairs.iter().enumerate().map(|(index, pair)| {
        crate::host::at(index as u32);
        let start = out.len();
        merged::<A>(&call, pair, version, &mut out).map_err(|error| {
            out.truncate(start);
            failure(&error, &mut out)
        })
    });
    let states = states.collect();
    Merged { arena: out, states }
}

fn merged<A: Aggregate>(call: &Call, pair: &MergePair, version: Option<u32>, out: &mut Vec<u8>) -> Result<Stored> {
    let key = call.key::<A::Key>(Some(pair.key))?.0;
    let read = |stored: &Stored| state::decode(stored.version, call.bytes(stored.bytes));
    let state = A::merge(read(&pair.left)?, read(&pair.right)?, &key)?;
    let start = out.len();
    let version = state::encode(&state, version, out)?;
    Ok(Stored { version, bytes: Span { start: start as u32, length: (out.len() - start) as u32 } })
}

fn failure(error: &Error, out: &mut Vec<u8>) -> Failure {
    let mut put = |text: &str| {
        let start = out.len() as u32;
        out.extend_from_slice(text.as_bytes());
        Span { start, length: text.len() as u32 }
    };
    // Two states can't be skipped.
    let class = if error.kind() == Kind::Transient { FailureClass::Transient } else { FailureClass::Permanent };
    Failure { class, code: put(error.code()), text: put(&error.to_string()) }
}

/// A group whose state is as it was, and which has no value.
pub(super) fn untouched(group: &Group, call: &Call, out: &mut Writer) -> Grouped {
    let state =
        group.state.map(|stored| Stored { version: stored.version, bytes: out.bytes(call.bytes(stored.bytes)) });
    Grouped { state, value: None }
}
