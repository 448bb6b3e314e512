//! The roles with state: aggregates and processors.

use super::arena::{self, Arena, Input};
use super::record::{Group, Grouped, Outcome, Record};
use super::{Bench, Change, Mode};
use crate::adapter;
use crate::bindings::aggregate::exports::millrace::plugin::aggregate as raw;
use crate::bindings::base::millrace::plugin::types::{Reply, Stored};
use crate::bindings::process::exports::millrace::plugin::process::Due;
use crate::state::{self, State};
use crate::store::StoreKey;
use crate::timers::Clock;

impl Bench {
    /// Adds records to the states of their groups: one result a group.
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

    /// Processes a record. Stream time goes to its timestamp, if that is later; timers that are due by then fire with
    /// the next [`advance`](Bench::advance).
    pub fn process(&mut self, function: &str, record: &Record) -> Outcome {
        let index = self.index(function);
        let mut arena = Arena::default();
        let message = arena.message(record);
        let payload = arena.payload();
        let plugin = self.plugin;
        let host = self.hosts.entry(index).or_default();
        host.stream_time = host.stream_time.max(record.timestamp);
        self.guarded(index, Input::record(record), || adapter::process(plugin, index, payload, message))
    }

    /// Moves a clock of a function on to `time`, and fires the timers that are due, in the order of their times.
    /// What they set for no later fires too.
    pub fn advance(&mut self, function: &str, clock: Clock, time: i64) -> Vec<Outcome> {
        let index = self.index(function);
        let host = self.hosts.entry(index).or_default();
        let now = if clock == Clock::Wall { &mut host.wall_time } else { &mut host.stream_time };
        *now = time.max(*now);
        let now = *now;
        let mut outcomes = Vec::new();
        while let Some((key, name, time)) = self.next_due(index, clock, now) {
            let mut arena = Arena::default();
            let key_span = key.as_ref().map(|key| arena.span(key));
            let due = Due { key: key_span, name: arena.span(name.as_bytes()), time, clock };
            let (bytes, plugin) = (arena.payload().arena, self.plugin);
            let input = Input { key, value: None, timestamp: time, headers: Vec::new() };
            outcomes.push(self.guarded(index, input, || adapter::on_timer(plugin, index, bytes, due)));
        }
        outcomes
    }

    /// Takes the timer that is due first.
    fn next_due(&mut self, index: u32, clock: Clock, now: i64) -> Option<(Option<Vec<u8>>, String, i64)> {
        let timers = &mut self.hosts.entry(index).or_default().timers;
        let due = timers.iter().filter(|((wall, ..), time)| *wall == (clock == Clock::Wall) && **time <= now);
        let (timer, time) = due.min_by_key(|(_, time)| **time).map(|(timer, time)| (timer.clone(), *time))?;
        timers.remove(&timer);
        Some((timer.1, timer.2, time))
    }

    /// Makes a call with one outcome, and undoes its writes unless that is good.
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
    /// If the function has no such store, or what is in it can't be read.
    #[allow(clippy::expect_used, reason = "a test bench")]
    pub fn stored<K: StoreKey, V: State>(&mut self, function: &str, store: &str, key: &K) -> Option<V> {
        let index = self.index(function);
        let stores = self.plugin.functions.get(index as usize).map(|entry| entry.spec.stores).unwrap_or_default();
        let store = stores.iter().position(|spec| spec.name == store).expect("a store of this name") as u32;
        let host = self.hosts.entry(index).or_default();
        let (version, bytes) = host.stores.get(&store)?.get(&key.to_bytes())?;
        Some(state::decode(*version, bytes).expect("a state that can be read"))
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
