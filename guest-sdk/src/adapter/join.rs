//! Joins.

use super::writer::Writer;
use crate::bindings::base::millrace::plugin::types::{Message, Payload, Reply};
use crate::bindings::join::exports::millrace::plugin::join::Pair;
use crate::ctx::{Call, Ctx};
use crate::error::Result;
use crate::function::Function;
use crate::host;
use crate::key::{Key, KeyType};
use crate::value::Value;

/// A join: `#[join]` implements it.
pub trait JoinFunction: Function {
    /// Joins one pair.
    ///
    /// # Errors
    /// Those of the rule.
    fn call(args: &JoinArgs<'_>, out: &mut Writer) -> Result<()>;
}

/// The arguments of a join.
pub struct JoinArgs<'a> {
    call: &'a Call,
    pair: &'a Pair,
}

impl<'a> JoinArgs<'a> {
    /// The left value; null also if the left side is missing.
    pub fn left(&self, label: &'static str) -> Value<'a> {
        self.side(self.pair.left.as_ref(), label)
    }

    /// The right value; null also if the right side is missing.
    pub fn right(&self, label: &'static str) -> Value<'a> {
        self.side(self.pair.right.as_ref(), label)
    }

    fn side(&self, message: Option<&'a Message>, label: &'static str) -> Value<'a> {
        match message {
            Some(message) => self.call.value(message, label),
            None => Value { arena: &self.call.arena, range: None, label },
        }
    }

    /// The key.
    ///
    /// # Errors
    /// The key is null or of another type.
    pub fn key<K: KeyType>(&self) -> Result<Key<K>> {
        self.call.key(self.pair.key)
    }

    /// The key, or `None` if it is null.
    ///
    /// # Errors
    /// The key is of another type.
    pub fn key_or_null<K: KeyType>(&self) -> Result<Option<Key<K>>> {
        self.pair.key.is_some().then(|| self.key()).transpose()
    }

    /// The context of the call.
    pub fn ctx(&self) -> Ctx<'a> {
        let window = self.pair.left.and_then(|message| message.window);
        Ctx {
            call: self.call,
            message: self.pair.left.as_ref(),
            right: self.pair.right.as_ref(),
            timestamp: self.pair.timestamp,
            window: window.map(Into::into),
            quiet: false,
        }
    }
}

/// Joins a batch of pairs.
pub fn join_batch<F: JoinFunction>(payload: Payload, pairs: Vec<Pair>) -> Reply {
    let call = Call::new(payload);
    let mut out = Writer::new(const { &F::SPEC }, pairs.len(), call.arena.len());
    for (index, pair) in pairs.iter().enumerate() {
        host::at(index as u32);
        let result = F::call(&JoinArgs { call: &call, pair }, &mut out);
        out.end(result);
    }
    out.reply
}
