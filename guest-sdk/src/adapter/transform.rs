//! Transforms.

use super::writer::Writer;
use crate::bindings::base::millrace::plugin::types::{Message, Payload, Reply};
use crate::ctx::{Call, Ctx};
use crate::error::Result;
use crate::function::Function;
use crate::host;
use crate::key::{Key, KeyType};
use crate::value::Value;

/// A transform: `#[transform]` implements it.
pub trait TransformFunction: Function {
    /// Transforms one record.
    ///
    /// # Errors
    /// Those of the rule.
    fn call(args: &TransformArgs<'_>, out: &mut Writer) -> Result<()>;
}

/// The arguments of a transform.
pub struct TransformArgs<'a> {
    pub(super) call: &'a Call,
    pub(super) message: &'a Message,
}

impl<'a> TransformArgs<'a> {
    /// The value.
    pub fn value(&self, label: &'static str) -> Value<'a> {
        self.call.value(self.message, label)
    }

    /// The key.
    ///
    /// # Errors
    /// The key is null or of another type.
    pub fn key<K: KeyType>(&self) -> Result<Key<K>> {
        self.call.key(self.message.key)
    }

    /// The key, or `None` if it is null.
    ///
    /// # Errors
    /// The key is of another type.
    pub fn key_or_null<K: KeyType>(&self) -> Result<Option<Key<K>>> {
        self.message.key.is_some().then(|| self.key()).transpose()
    }

    /// The context of the call.
    pub fn ctx(&self) -> Ctx<'a> {
        Ctx {
            call: self.call,
            message: Some(self.message),
            right: None,
            timestamp: self.message.timestamp,
            window: self.message.window.map(Into::into),
            quiet: false,
        }
    }
}

/// Transforms a batch of records.
pub fn transform_batch<F: TransformFunction>(payload: Payload, messages: Vec<Message>) -> Reply {
    let call = Call::new(payload);
    let mut out = Writer::new(const { &F::SPEC }, messages.len(), call.arena.len());
    for (index, message) in messages.iter().enumerate() {
        host::at(index as u32);
        let result = F::call(&TransformArgs { call: &call, message }, &mut out);
        out.end(result);
    }
    out.reply
}
