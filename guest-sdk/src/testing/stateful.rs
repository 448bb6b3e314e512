//! The roles with state: aggregates and processors.

use super::arena::{self, Arena, Input};
use super::host::TimerId;
use super::record::{Group, Grouped, IntoKey, Outcome, Record};
use super::{Bench, Change, Mode};
use crate::adapter;
use crate::bindings::aggregate::exports::millrace::plugin::aggregate as raw;
use crate::bindings::base::millrace::plugin::types::{Reply, Stored};
use crate::bindings::process::exports::millrace::plugin::process::Due;
use crate::state::{self, State};
use crate::store::StoreKey;
use crate::timers::Clock;

impl Bench {
    /// Adds records to the states of their groups. Returns one result for each group.
    pub fn aggregate(&mut self, function: &str, groups: &[Group], mode: Mode) -> Vec<Grouped> {
        let index = self.index(function);
        let mut arena = Arena::default();
        let entries = groups.iter().flat_map(|group| &group.entries).map(|(back, record)| raw::Entry {
            change: if *back { Change::Subtract } else { Change::Add },
            message: arena.message(record),
        });
        let entries = entries.collect();
        let raw_groups = groups.iter().map(|group| raw_group(&mut arena, group)).collect();
        let absorbed = groups.iter().flat_map(|group| &group.absorbed).map(|state| stored(&mut arena, state)).collect();
        let (payload, plugin) = (arena.payload(), self.plugin);
        let called =
            self.call(index, || adapter::aggregate(plugin, index, payload, raw_groups, absorbed, entries, mode));
        let inputs = groups.iter().flat_map(|group| {
            group.entries.iter().map(|(_, record)| Input { key: Some(group.key.clone()), ..Input::record(record) })
        });
        let ports = self.ports(index);
        let mut outcomes = arena::outcomes(&called.reply, &ports, inputs).into_iter();
        let mut deleted = called.deleted.iter().map(|index| *index as usize).peekable();
        let mut end = 0;
        let results = called.groups.iter().zip(groups).map(|(result, group)| {
            let start = end;
            end += group.entries.len();
            Grouped {
                state: result.state.map(|stored| owned(&called.reply.arena, stored)),
                value: result.value.map(|span| arena::bytes(&called.reply.arena, span).to_vec()),
                outcomes: outcomes.by_ref().take(group.entries.len()).collect(),
                deleted: std::iter::from_fn(|| deleted.next_if(|index| *index < end)).map(|at| at - start).collect(),
            }
        });
        results.collect()
    }

    /// Processes a record. Stream time moves to its timestamp, if that is later; timers that are due by then fire with
    /// the next [`advance`](Bench::advance).
    pub fn process(&mut self, function: &str, record: &Record) -> Outcome {
        let index = self.index(function);
        let mut arena = Arena::default();
        let message = arena.message(record);
        let payload = arena.payload();
        let plugin = self.plugin;
        let host = self.hosts.entry(index).or_default();
        host.stream_time = host.stream_time.max(Some(record.timestamp));
        self.guarded(index, Input::record(record), || adapter::process(plugin, index, payload, message))
    }

    /// Processes records as a host does: after each, the due timers of the stream clock fire.
    pub fn process_all(&mut self, function: &str, records: &[Record]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for record in records {
            outcomes.push(self.process(function, record));
            outcomes.extend(self.advance(function, Clock::Stream, record.timestamp));
        }
        outcomes
    }

    /// Moves a clock of a function on to `time`, and fires the due timers in the order of their times, then of their
    /// keys, then of their names. Timers that these set wait for the next call, even if they are due already. A clock
    /// never goes back: an earlier `time` doesn't move it.
    pub fn advance(&mut self, function: &str, clock: Clock, time: i64) -> Vec<Outcome> {
        let index = self.index(function);
        let due = self.hosts.entry(index).or_default().advance(clock, time);
        due.into_iter().filter_map(|(timer, time)| self.fire(index, timer, time)).collect()
    }

    fn fire(&mut self, index: u32, timer: TimerId, time: i64) -> Option<Outcome> {
        let host = self.hosts.entry(index).or_default();
        if !host.take(&timer, time) {
            return None;
        }
        // Outputs of a timer of the wall clock have the stream time.
        let timestamp = if timer.wall { host.stream_time.unwrap_or(time) } else { time };
        let clock = if timer.wall { Clock::Wall } else { Clock::Stream };
        let mut arena = Arena::default();
        let key = timer.key.as_ref().map(|key| arena.span(key));
        let due = Due { key, name: arena.span(timer.name.as_bytes()), time, clock };
        let (bytes, plugin) = (arena.payload().arena, self.plugin);
        let input = Input { key: timer.key, value: None, timestamp, headers: Vec::new() };
        host.wall_is_due = timer.wall;
        let outcome = self.guarded(index, input, || adapter::on_timer(plugin, index, bytes, due));
        self.hosts.entry(index).or_default().wall_is_due = false;
        Some(outcome)
    }

    /// The time that a timer of a key is set for, or `None` if it isn't set.
    pub fn timer(&self, function: &str, key: impl IntoKey, name: &str, clock: Clock) -> Option<i64> {
        let timer = TimerId { wall: clock == Clock::Wall, key: Some(key.into_key()), name: name.to_owned() };
        self.hosts.get(&self.index(function))?.timers.get(&timer).copied()
    }

    /// Makes a call with one outcome, and undoes its writes unless the record was processed.
    #[allow(clippy::expect_used, reason = "a test bench")]
    fn guarded(&mut self, index: u32, input: Input, work: impl FnOnce() -> Reply) -> Outcome {
        let host = self.hosts.entry(index).or_default();
        host.key = input.key.clone();
        let before = host.clone();
        let reply = self.call(index, work);
        let ports = self.ports(index);
        let outcome = arena::outcomes(&reply, &ports, std::iter::once(input)).pop();
        let outcome = outcome.expect("a process function answers with one outcome");
        if !outcome.is_good() {
            self.hosts.insert(index, before);
        }
        outcome
    }

    /// The value of a key in a function's store.
    ///
    /// # Panics
    /// If the function has no such store, or its value can't be read.
    #[allow(clippy::expect_used, reason = "a test bench")]
    pub fn stored<K: StoreKey, V: State>(&mut self, function: &str, store: &str, key: &K) -> Option<V> {
        let index = self.index(function);
        let store = self.store_index(index, store);
        let host = self.hosts.entry(index).or_default();
        let (version, bytes) = host.stores.get(&store)?.get(&key.to_bytes())?;
        Some(state::decode(*version, bytes).expect("a state that can be read"))
    }

    /// Rewrites a value of a function's store in the newest version: returns this version with the new value, or the
    /// reason why the value can't be rewritten. The store of an aggregate has the function's name.
    ///
    /// # Errors
    /// The reason.
    ///
    /// # Panics
    /// If the function has no such store.
    #[allow(clippy::expect_used, reason = "a test bench")]
    pub fn rewrite(
        &mut self,
        function: &str,
        store: &str,
        version: u32,
        value: impl AsRef<[u8]>,
    ) -> Result<(u32, Vec<u8>), String> {
        let index = self.index(function);
        let store = self.store_index(index, store);
        let mut arena = Arena::default();
        let values = vec![Stored { version, bytes: arena.span(value.as_ref()) }];
        let (bytes, plugin) = (arena.payload().arena, self.plugin);
        let mut rewritten = self.call(index, || adapter::rewrite(plugin, index, store, bytes, values));
        let reason = |span| String::from_utf8_lossy(arena::bytes(&rewritten.arena, span)).into_owned();
        let value = rewritten.values.pop().expect("a rewrite answers with one value for each");
        value.map(|stored| owned(&rewritten.arena, stored)).map_err(reason)
    }

    #[allow(clippy::expect_used, reason = "a test bench")]
    fn store_index(&self, function: u32, store: &str) -> u32 {
        let stores = self.plugin.functions.get(function as usize).map(|entry| entry.spec.stores).unwrap_or_default();
        stores.iter().position(|spec| spec.name == store).expect("a store of this name") as u32
    }
}

fn raw_group(arena: &mut Arena, group: &Group) -> raw::Group {
    raw::Group {
        key: arena.span(&group.key),
        window: group.window.map(arena::window),
        state: group.state.as_ref().map(|state| stored(arena, state)),
        absorbed: group.absorbed.len() as u32,
        entries: group.entries.len() as u32,
    }
}

fn stored(arena: &mut Arena, (version, bytes): &(u32, Vec<u8>)) -> Stored {
    Stored { version: *version, bytes: arena.span(bytes) }
}

fn owned(arena: &[u8], stored: Stored) -> (u32, Vec<u8>) {
    (stored.version, arena::bytes(arena, stored.bytes).to_vec())
}
