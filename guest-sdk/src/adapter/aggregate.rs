//! Aggregates: the state of a group is read once and written once, however many records the group has.

use super::group::Task;
use super::writer::Writer;
use crate::aggregate::Aggregate;
use crate::bindings::aggregate::exports::millrace::plugin::aggregate::{Aggregated, Entry, Group, Grouped, Mode};
use crate::bindings::base::millrace::plugin::types::{Payload, Stored};
use crate::config;
use crate::ctx::Call;
use crate::error::Result;
use crate::function::Function;
use crate::value::{Value, Written};

/// An aggregate for the adapter: `#[aggregate]` implements it. The names of the value types decide how values are read
/// and written, as in the other roles.
pub trait AggregateFunction: Aggregate + Function {
    /// Reads the value of a record.
    ///
    /// # Errors
    /// The value isn't of the type.
    fn input(value: Value<'_>) -> Result<Self::Input>;

    /// Appends a result.
    ///
    /// # Errors
    /// The result can't be written.
    fn output(output: Self::Output, out: &mut Vec<u8>) -> Result<Written>;
}

type Run = fn(u32, Payload, Vec<Group>, Vec<Stored>, Vec<Entry>, Mode) -> Aggregated;

/// The way to call an aggregate, compiled for each aggregate.
pub struct AggregateFunctions(Run);

impl AggregateFunctions {
    /// That of this aggregate.
    pub const fn of<A: AggregateFunction>() -> Self {
        Self(aggregate_batch::<A>)
    }

    pub(super) fn call(
        &self,
        function: u32,
        payload: Payload,
        groups: Vec<Group>,
        absorbed: Vec<Stored>,
        entries: Vec<Entry>,
        mode: Mode,
    ) -> Aggregated {
        (self.0)(function, payload, groups, absorbed, entries, mode)
    }
}

fn aggregate_batch<A: AggregateFunction>(
    function: u32,
    payload: Payload,
    groups: Vec<Group>,
    absorbed: Vec<Stored>,
    entries: Vec<Entry>,
    mode: Mode,
) -> Aggregated {
    let call = Call::new(payload);
    let version = config::write_version(function, 0);
    let mut out = Writer::new(const { &A::SPEC }, entries.len(), call.arena.len());
    let (mut results, mut deleted) = (Vec::with_capacity(groups.len()), Vec::new());
    let (mut first, mut merged) = (0_usize, 0_usize);
    for group in &groups {
        let absorbed = next(&absorbed, &mut merged, group.absorbed);
        let start = first;
        let entries = next(&entries, &mut first, group.entries);
        let task = Task { call: &call, group, absorbed, entries, first: start, mode, version };
        let done = task.run::<A>(&mut out);
        results.push(done.grouped);
        deleted.extend(done.deleted);
    }
    Aggregated { reply: out.reply, groups: results, deleted }
}

/// The next `count` parts of a list that all groups share.
fn next<'l, T>(list: &'l [T], first: &mut usize, count: u32) -> &'l [T] {
    let start = *first;
    *first = start.saturating_add(count as usize);
    list.get(start..*first).unwrap_or_else(|| super::breach("a group has more parts than there are"))
}

/// The result of a group with an unchanged state and no value.
pub(super) fn untouched(group: &Group, call: &Call, out: &mut Writer) -> Grouped {
    let state =
        group.state.map(|stored| Stored { version: stored.version, bytes: out.bytes(call.bytes(stored.bytes)) });
    Grouped { state, value: None }
}
