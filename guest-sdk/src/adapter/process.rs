//! Processors.

use super::breach;
use super::transform::TransformArgs;
use super::writer::Writer;
use crate::bindings::base::millrace::plugin::types::{Message, Payload, Reply};
use crate::bindings::process::exports::millrace::plugin::process::Due;
use crate::ctx::{Call, Ctx};
use crate::error::Result;
use crate::function::{Function, StoreSpec};
use crate::host;
use crate::key::{Key, KeyType};
use crate::state::{self, State};
use crate::store::{Store, StoreKey};
use crate::timers::Timer;
use crate::value::Value;

/// A process function: `#[process]` implements it.
pub trait ProcessFunction: Function {
    /// Processes one record.
    ///
    /// # Errors
    /// Those of the rule.
    fn call(args: &ProcessArgs<'_>, out: &mut Writer) -> Result<()>;

    /// Handles a due timer.
    ///
    /// # Errors
    /// Those of the rule.
    fn on_timer(args: &TimerArgs<'_>, out: &mut Writer) -> Result<()>;
}

/// A function for timers: `#[on_timer]` implements it.
#[diagnostic::on_unimplemented(message = "`{Self}` isn't a function for timers", note = "mark it with #[on_timer]")]
pub trait TimerFunction {
    /// Names of its stores.
    const STORES: &'static [&'static str];

    /// Handles a due timer of the process function `P`.
    ///
    /// # Errors
    /// Those of the rule.
    fn call<P: Function>(args: &TimerArgs<'_>, out: &mut Writer) -> Result<()>;
}

/// The arguments of a process function, beside its stores and timers.
pub struct ProcessArgs<'a> {
    record: TransformArgs<'a>,
    /// Index of the function.
    pub function: u32,
}

impl<'a> ProcessArgs<'a> {
    /// The value.
    pub fn value(&self, label: &'static str) -> Value<'a> {
        self.record.value(label)
    }

    /// The key.
    ///
    /// # Errors
    /// The key is null or of another type.
    pub fn key<K: KeyType>(&self) -> Result<Key<K>> {
        self.record.key()
    }

    /// The key, or `None` if it is null.
    ///
    /// # Errors
    /// The key is of another type.
    pub fn key_or_null<K: KeyType>(&self) -> Result<Option<Key<K>>> {
        self.record.key_or_null()
    }

    /// The context of the call.
    pub fn ctx(&self) -> Ctx<'a> {
        self.record.ctx()
    }
}

/// The arguments of a function for timers.
pub struct TimerArgs<'a> {
    call: &'a Call,
    due: &'a Due,
    /// Index of the function.
    pub function: u32,
}

impl<'a> TimerArgs<'a> {
    /// The key of the record that set the timer.
    ///
    /// # Errors
    /// The key is null or of another type.
    pub fn key<K: KeyType>(&self) -> Result<Key<K>> {
        self.call.key(self.due.key)
    }

    /// The key, or `None` if it is null.
    ///
    /// # Errors
    /// The key is of another type.
    pub fn key_or_null<K: KeyType>(&self) -> Result<Option<Key<K>>> {
        self.due.key.is_some().then(|| self.key()).transpose()
    }

    /// The timer.
    ///
    /// # Errors
    /// The name isn't UTF-8; timers of the SDK have no such name.
    pub fn timer(&self) -> Result<Timer> {
        let name = std::str::from_utf8(self.call.bytes(self.due.name))?.to_owned();
        Ok(Timer { name, time: self.due.time, clock: self.due.clock })
    }

    /// The context of the call.
    pub fn ctx(&self) -> Ctx<'a> {
        Ctx { call: self.call, message: None, right: None, timestamp: self.due.time, window: None, quiet: false }
    }
}

/// A store's entry in the manifest.
pub const fn stateful<V: State>(name: &'static str) -> StoreSpec {
    StoreSpec { name, version: V::VERSION, reads: V::READS, writes: V::WRITES, rewrite: state::rewrite::<V> }
}

/// The ways to call a process function, compiled for each function.
pub struct ProcessFunctions {
    pub(super) process: fn(u32, Payload, Message) -> Reply,
    pub(super) on_timer: fn(u32, Vec<u8>, Due) -> Reply,
}

impl ProcessFunctions {
    /// Those of this function.
    pub const fn of<P: ProcessFunction>() -> Self {
        Self { process: process_record::<P>, on_timer: process_timer::<P> }
    }
}

fn process_record<P: ProcessFunction>(function: u32, payload: Payload, message: Message) -> Reply {
    let call = Call::new(payload);
    let mut out = Writer::new(const { &P::SPEC }, 1, call.arena.len());
    host::at(0);
    let record = TransformArgs { call: &call, message: &message };
    let result = P::call(&ProcessArgs { record, function }, &mut out);
    out.end(result);
    out.reply
}

fn process_timer<P: ProcessFunction>(function: u32, arena: Vec<u8>, due: Due) -> Reply {
    if !P::SPEC.timers {
        breach("a timer for a function that sets none");
    }
    let call = Call::new(Payload { arena, headers: Vec::new() });
    let mut out = Writer::new(const { &P::SPEC }, 1, call.arena.len()).without_input();
    host::at(0);
    let result = P::on_timer(&TimerArgs { call: &call, due: &due, function }, &mut out);
    out.end(result);
    out.reply
}

/// Opens a store, for the macros, which don't name its types.
pub fn store<K: StoreKey, V: State>(function: u32, index: u32) -> Store<K, V> {
    Store::new(function, index)
}
