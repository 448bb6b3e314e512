//! Builds a reply: one arena, outputs and outcomes, without an allocation for each record.

use crate::bindings::base::millrace::plugin::types::{
    Failure, FailureClass, Header, HeaderRun, NewKey, NewValue, Outcome, Output as RawOutput, Reply, Span,
};
use crate::error::{Error, Kind, Result, codes};
use crate::function::{Role, Spec};
use crate::output::{Content, Output, Outputs, Unchanged, refuse_inherited_value};
use crate::value::{IntoValue, Written};

/// The reply of a call while it grows.
pub struct Writer {
    spec: &'static Spec,
    pub(super) reply: Reply,
    /// The beginning of the record: a failure removes all since.
    mark: Mark,
    /// Whether an output can take over the value of its input.
    inherits: bool,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    arena: usize,
    headers: usize,
    outputs: usize,
    outcomes: usize,
}

impl Writer {
    /// An empty reply with room for `records` outcomes and `bytes` of outputs.
    pub(super) fn new(spec: &'static Spec, records: usize, bytes: usize) -> Self {
        let reply = Reply {
            arena: Vec::with_capacity(bytes),
            headers: Vec::new(),
            outputs: Vec::with_capacity(records),
            outcomes: Vec::with_capacity(records),
        };
        let inherits = matches!(spec.role, Role::Transform | Role::Process);
        Self { spec, reply, mark: Mark::default(), inherits }
    }

    /// The same for a call that has no record.
    pub(super) fn without_input(mut self) -> Self {
        self.inherits = false;
        self
    }

    /// Ends a record: its outputs stay, or the failure replaces them.
    pub(super) fn end(&mut self, result: Result<()>) {
        let outcome = match result {
            Ok(()) => Outcome::Outputs((self.reply.outputs.len() - self.mark.outputs) as u32),
            Err(error) => {
                self.rewind(self.mark);
                self.failed(&self.declared(error))
            }
        };
        self.reply.outcomes.push(outcome);
        self.settle();
    }

    /// Keeps all that was put into the reply since the last record.
    pub(super) fn settle(&mut self) {
        self.mark = self.mark();
    }

    /// The current end of the reply.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            arena: self.reply.arena.len(),
            headers: self.reply.headers.len(),
            outputs: self.reply.outputs.len(),
            outcomes: self.reply.outcomes.len(),
        }
    }

    /// Removes all since `mark`.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.mark = mark;
        self.reply.arena.truncate(mark.arena);
        self.reply.headers.truncate(mark.headers);
        self.reply.outputs.truncate(mark.outputs);
        self.reply.outcomes.truncate(mark.outcomes);
    }

    /// The error itself, or an error about its undeclared code.
    fn declared(&self, error: Error) -> Error {
        if self.spec.declares(error.code()) {
            return error;
        }
        let text = format!(
            "code `{}` isn't declared: #[..(codes(\"{0}\"))] at `{}` is missing; it came with: {error}",
            error.code(),
            self.spec.name
        );
        match error.kind() {
            Kind::Transient => Error::transient(codes::UNDECLARED, text),
            Kind::Permanent | Kind::Skip => Error::permanent(codes::UNDECLARED, text),
        }
    }

    #[cold]
    fn failed(&mut self, error: &Error) -> Outcome {
        let code = self.bytes(error.code().as_bytes());
        let class = match error.kind() {
            Kind::Skip => return Outcome::Skip(code),
            Kind::Permanent => FailureClass::Permanent,
            Kind::Transient => FailureClass::Transient,
        };
        Outcome::Fail(Failure { class, code, text: self.bytes(error.text().as_bytes()) })
    }

    /// Puts bytes into the arena.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Span {
        let start = self.reply.arena.len();
        self.reply.arena.extend_from_slice(bytes);
        Span { start: start as u32, length: bytes.len() as u32 }
    }

    /// Lets `build` append to the arena.
    pub(super) fn build<T>(&mut self, build: impl FnOnce(&mut Vec<u8>) -> Result<T>) -> Result<(T, Span)> {
        let start = self.reply.arena.len();
        let built = build(&mut self.reply.arena)?;
        let length = self.reply.arena.len().saturating_sub(start);
        Ok((built, Span { start: start as u32, length: length as u32 }))
    }

    /// Puts out a value on the first port.
    ///
    /// # Errors
    /// The value can't be written.
    pub fn value(&mut self, value: impl IntoValue) -> Result<()> {
        self.written(|arena| value.into_value(arena))
    }

    /// Puts out the bytes that `write` appends to the arena, on the first port.
    pub(super) fn written(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<Written>) -> Result<()> {
        let value = match self.build(write)? {
            (Written::Bytes, span) => NewValue::Bytes(span),
            (Written::Null, _) => NewValue::Tombstone,
        };
        self.push(0, NewKey::Inherit, value)
    }

    /// Puts out bytes on the first port.
    ///
    /// # Errors
    /// None. The macros need the type of the other methods.
    pub fn raw(&mut self, value: impl AsRef<[u8]>) -> Result<()> {
        let value = self.bytes(value.as_ref());
        self.push(0, NewKey::Inherit, NewValue::Bytes(value))
    }

    /// Puts out the input on the first port.
    ///
    /// # Errors
    /// The role of the function has no such value.
    pub fn unchanged(&mut self, _: Unchanged) -> Result<()> {
        self.push(0, NewKey::Inherit, NewValue::Inherit)
    }

    /// Puts out any number of records.
    ///
    /// # Errors
    /// As [`output`](Self::output).
    pub fn outputs(&mut self, outputs: Outputs) -> Result<()> {
        outputs.0.into_iter().try_for_each(|output| self.output(output))
    }

    /// Puts out a record.
    ///
    /// # Errors
    /// The value can't be written, or the output has a key of its own on a port that isn't declared `rekey`.
    pub fn output(&mut self, output: Output) -> Result<()> {
        if let Some(error) = output.error {
            return Err(error);
        }
        let key = match &output.key {
            Content::Inherit => NewKey::Inherit,
            Content::Null => NewKey::Null,
            Content::Bytes(bytes) => NewKey::Bytes(self.bytes(bytes)),
        };
        let value = match &output.value {
            Content::Inherit => NewValue::Inherit,
            Content::Null => NewValue::Tombstone,
            Content::Bytes(bytes) => NewValue::Bytes(self.bytes(bytes)),
        };
        let headers = output.headers.map(|headers| self.headers(&headers));
        self.push(output.port.0, key, value)?;
        if let Some(last) = self.reply.outputs.last_mut() {
            (last.timestamp, last.headers) = (output.timestamp, headers);
        }
        Ok(())
    }

    fn headers(&mut self, headers: &[crate::output::OwnHeader]) -> HeaderRun {
        let first = self.reply.headers.len() as u32;
        for (name, value) in headers {
            let name = self.bytes(name);
            let value = value.as_ref().map(|value| self.bytes(value));
            self.reply.headers.push(Header { name, value });
        }
        HeaderRun { first, count: headers.len() as u32 }
    }

    fn push(&mut self, port: u32, key: NewKey, value: NewValue) -> Result<()> {
        if !self.inherits && matches!(value, NewValue::Inherit) {
            return refuse_inherited_value();
        }
        if !matches!(key, NewKey::Inherit) && !self.spec.ports.get(port as usize).is_some_and(|port| port.rekey) {
            return Err(self.key_of_its_own(port));
        }
        self.reply.outputs.push(RawOutput { port, key, value, timestamp: None, headers: None });
        Ok(())
    }

    #[cold]
    fn key_of_its_own(&self, port: u32) -> Error {
        let name = self.spec.ports.get(port as usize).map_or("?", |port| port.name);
        let text = format!(
            "an output of `{}` on port `{name}` has a key of its own, but the port isn't declared `rekey`",
            self.spec.name
        );
        Error::permanent(codes::UNDECLARED, text)
    }
}
