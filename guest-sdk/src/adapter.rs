//! The adapter between the contract and the rules: the same code in a guest and in a native test.

mod aggregate;
mod group;
mod join;
mod process;
mod rewrite;
mod transform;
mod writer;

use std::rc::Rc;

use crate::bindings::aggregate::exports::millrace::plugin::aggregate as aggregates;
use crate::bindings::base::exports::millrace::plugin::meta::{Manifest, WriteVersion};
use crate::bindings::base::millrace::plugin::types::{Message, Payload, Reply, Stored};
use crate::bindings::join::exports::millrace::plugin::join::Pair;
use crate::bindings::process::exports::millrace::plugin::process::Due;
use crate::config;
use crate::ctx::{self, Call};
use crate::error::{Error, Result, codes};
use crate::function::{Entry, Plugin};
use crate::key::{Key, KeyType};
use crate::panic;
use crate::value::Value;

pub use aggregate::{AggregateFunction, AggregateFunctions};
pub use join::{JoinArgs, JoinFunction, join_batch};
pub use process::{ProcessArgs, ProcessFunction, ProcessFunctions, TimerArgs, TimerFunction, stateful, store};
pub use rewrite::rewrite;
pub use transform::{TransformArgs, TransformFunction, transform_batch};
pub use writer::Writer;

/// The way to call a function, by its role. Each function has its own compiled loop over a batch.
pub enum Run {
    /// A transform.
    Transform(fn(Payload, Vec<Message>) -> Reply),
    /// A join.
    Join(fn(Payload, Vec<Pair>) -> Reply),
    /// An aggregate.
    Aggregate(AggregateFunctions),
    /// A process function.
    Process(ProcessFunctions),
}

/// The export `describe`.
pub fn describe(plugin: &Plugin) -> Manifest {
    panic::report();
    plugin.describe()
}

/// The export `configure`.
///
/// # Errors
/// Those of the contract.
pub fn configure(plugin: &Plugin, json: &str, versions: Vec<WriteVersion>) -> Result<(), String> {
    panic::report();
    config::configure(plugin, json, versions)
}

/// The export `transform`.
pub fn transform(plugin: &Plugin, function: u32, payload: Payload, messages: Vec<Message>) -> Reply {
    match entry(plugin, function).run {
        Run::Transform(run) => run(payload, messages),
        _ => breach("a function called in a role that isn't its own"),
    }
}

/// The export `join`.
pub fn join(plugin: &Plugin, function: u32, payload: Payload, pairs: Vec<Pair>) -> Reply {
    match entry(plugin, function).run {
        Run::Join(run) => run(payload, pairs),
        _ => breach("a function called in a role that isn't its own"),
    }
}

/// The export `aggregate`.
pub fn aggregate(
    plugin: &Plugin,
    function: u32,
    payload: Payload,
    groups: Vec<aggregates::Group>,
    absorbed: Vec<Stored>,
    entries: Vec<aggregates::Entry>,
    mode: aggregates::Mode,
) -> aggregates::Aggregated {
    match &entry(plugin, function).run {
        Run::Aggregate(run) => run.call(function, payload, groups, absorbed, entries, mode),
        _ => breach("a function called in a role that isn't its own"),
    }
}

/// The export `process`.
pub fn process(plugin: &Plugin, function: u32, payload: Payload, message: Message) -> Reply {
    match &entry(plugin, function).run {
        Run::Process(run) => (run.process)(function, payload, message),
        _ => breach("a function called in a role that isn't its own"),
    }
}

/// The export `on-timer`.
pub fn on_timer(plugin: &Plugin, function: u32, arena: Vec<u8>, due: Due) -> Reply {
    match &entry(plugin, function).run {
        Run::Process(run) => (run.on_timer)(function, arena, due),
        _ => breach("a function called in a role that isn't its own"),
    }
}

fn entry(plugin: &Plugin, function: u32) -> &'static Entry {
    plugin.functions.get(function as usize).unwrap_or_else(|| breach("a function that the manifest doesn't have"))
}

/// The host broke the contract. The record has no outcome.
#[cold]
#[allow(clippy::panic, reason = "an invariant between host and guest")]
fn breach(what: &str) -> ! {
    panic!("the host broke the contract: {what}")
}

impl Call {
    fn new(payload: Payload) -> Self {
        Self { arena: Rc::new(payload.arena), headers: payload.headers, config: config::current() }
    }

    fn value(&self, message: &Message, label: &'static str) -> Value<'_> {
        Value { arena: &self.arena, range: message.value.map(ctx::ends), label }
    }

    fn key<K: KeyType>(&self, key: Option<crate::bindings::base::millrace::plugin::types::Span>) -> Result<Key<K>> {
        let key = key.ok_or_else(|| Error::permanent(codes::NULL_KEY, "key: null, expected a key"))?;
        K::decode(self.bytes(key)).map(Key)
    }
}
