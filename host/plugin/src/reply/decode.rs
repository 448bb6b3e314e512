//! Decoding a reply. Its arena becomes one [`Bytes`], and keys, values and headers are slices of it: no copy for each
//! output.

use bytes::Bytes;
use millrace_engine::ports::{CallError, Failure, FailureClass, Fault, Field, Grouped, Outcome, Output, Stored};
use millrace_engine::record::{END_OF_TIME, Header, Headers};
use millrace_engine::size::shown;
use millrace_engine::topology::GuestLimits;

use super::{Checked, Outputs, ReplyRules, Violation, blame, check_deletions, contract};
use crate::abi;
use crate::check::check_version;

/// Bytes of a header in the host beside its name and value.
const HEADER_OVERHEAD_BYTES: usize = 64;

/// Decodes a reply, and checks it against the rules.
pub(super) struct Decoder<'a> {
    pub(super) arena: Bytes,
    pub(super) headers: Vec<abi::Header>,
    pub(super) rules: ReplyRules<'a>,
}

/// Bytes of the outputs of a record so far.
#[derive(Default)]
struct OutputSize {
    bytes: usize,
}

impl OutputSize {
    fn add(&mut self, bytes: usize, limits: &GuestLimits) -> Checked<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= limits.output_bytes {
            return Ok(());
        }
        let text = format!("put out more than {} for one record (limits.output-bytes)", shown(limits.output_bytes));
        Err(Violation { fault: Fault::Output, text })
    }
}

impl Decoder<'_> {
    pub(super) fn outcomes(
        &self,
        outcomes: &[abi::Outcome],
        outputs: Vec<abi::Output>,
        records: usize,
    ) -> Result<Vec<Outcome>, CallError> {
        if outcomes.len() != records {
            let text = format!("gave {} outcomes for {records} records", outcomes.len());
            return Err(blame(Violation { fault: Fault::Contract, text }, None));
        }
        let mut outputs = outputs.into_iter();
        let mut decoded = Vec::with_capacity(records);
        for (at, outcome) in outcomes.iter().enumerate() {
            decoded.push(self.outcome(at, outcome, &mut outputs).map_err(|broken| blame(broken, Some(at)))?);
        }
        match outputs.len() {
            0 => Ok(decoded),
            left => contract(format!("{left} outputs belong to no record")).map_err(|broken| blame(broken, None)),
        }
    }

    fn outcome(&self, at: usize, outcome: &abi::Outcome, outputs: &mut Outputs) -> Checked<Outcome> {
        match outcome {
            abi::Outcome::Outputs(count) => self.outputs(at, *count as usize, outputs).map(Outcome::Outputs),
            abi::Outcome::Skip(code) => self.code(*code).map(Outcome::Skip),
            abi::Outcome::Fail(failure) => self.failure(failure).map(Outcome::Fail),
        }
    }

    fn outputs(&self, at: usize, count: usize, outputs: &mut Outputs) -> Checked<Vec<Output>> {
        let limits = self.rules.limits;
        if count > limits.outputs {
            let text = format!("put out {count} outputs for one record, more than {} (limits.outputs)", limits.outputs);
            return Err(Violation { fault: Fault::Output, text });
        }
        if count > outputs.len() {
            return contract(format!("counts {count} outputs, but {} are left in the reply", outputs.len()));
        }
        if count > 0 && !self.rules.outputs {
            return contract("put out records where only the last result was asked for");
        }
        let mut size = OutputSize::default();
        outputs.by_ref().take(count).map(|output| self.output(at, &output, &mut size)).collect()
    }

    fn output(&self, at: usize, output: &abi::Output, size: &mut OutputSize) -> Checked<Output> {
        let ports = &self.rules.function.ports;
        let Some(port) = ports.get(output.port as usize) else {
            return contract(format!("put out a record at port {} of a function with {}", output.port, ports.len()));
        };
        let key = match output.key {
            abi::NewKey::Inherit => Field::Inherit,
            abi::NewKey::Null => Field::Null,
            abi::NewKey::Bytes(span) => Field::Bytes(self.sized(span, size)?),
        };
        if !port.changes_key && !keeps(&key, (self.rules.key)(at)) {
            return contract(format!("put out another key at port `{}`, which changes none", port.name));
        }
        let value = match output.value {
            abi::NewValue::Inherit if !self.rules.inherits_value => {
                return contract("an output inherits the value of an input that has none or two");
            }
            abi::NewValue::Inherit => Field::Inherit,
            abi::NewValue::Tombstone => Field::Null,
            abi::NewValue::Bytes(span) => Field::Bytes(self.sized(span, size)?),
        };
        if output.timestamp.is_some_and(|time| time > END_OF_TIME) {
            return contract(format!("a timestamp is later than {END_OF_TIME}"));
        }
        let headers = output.headers.map(|run| self.headers(run, size)).transpose()?;
        Ok(Output { port: output.port, key, value, timestamp: output.timestamp, headers })
    }

    /// Counts headers before they are built: runs may overlap, and take more memory here than in the guest.
    fn headers(&self, run: abi::HeaderRun, size: &mut OutputSize) -> Checked<Headers> {
        let first = run.first as usize;
        let Some(headers) = self.headers.get(first..first.saturating_add(run.count as usize)) else {
            let (first, count, all) = (run.first, run.count, self.headers.len());
            return contract(format!("headers {first} + {count} leave the reply's list of {all}"));
        };
        let header = |header: &abi::Header| {
            size.add(HEADER_OVERHEAD_BYTES, self.rules.limits)?;
            let name = self.sized(header.name, size)?;
            let value = header.value.map(|value| self.sized(value, size)).transpose()?;
            Ok(Header { name, value })
        };
        let headers: Vec<Header> = headers.iter().map(header).collect::<Checked<_>>()?;
        Ok(headers.into())
    }

    pub(super) fn group(
        &self,
        (group, before): (&abi::Grouped, Option<&Stored>),
        outcomes: Vec<Outcome>,
        deleted_after: Vec<usize>,
    ) -> Checked<Grouped> {
        let mut size = OutputSize::default();
        let state = group.state.map(|state| self.stored(state, before, &mut size)).transpose()?;
        let value = group.value.map(|value| self.sized(value, &mut size)).transpose()?;
        if value.is_some() && self.rules.outputs {
            return contract("gave a last result where one for each record was asked for");
        }
        check_deletions(state.as_ref(), &outcomes, &deleted_after)?;
        Ok(Grouped { state, value, outcomes, deleted_after })
    }

    /// A state that stays as it was may be of an older version than the one that is written.
    fn stored(&self, stored: abi::Stored, before: Option<&Stored>, size: &mut OutputSize) -> Checked<Stored> {
        let state = Stored { version: stored.version, bytes: self.sized(stored.bytes, size)? };
        let store = self.rules.function.stores.first();
        match check_version(store, state.version) {
            Err(text) if before != Some(&state) => contract(text),
            _ => Ok(state),
        }
    }

    fn failure(&self, failure: &abi::Failure) -> Checked<Failure> {
        let class = match failure.class {
            abi::FailureClass::Permanent => FailureClass::Permanent,
            abi::FailureClass::Transient => FailureClass::Transient,
        };
        let text = self.sized(failure.text, &mut OutputSize::default())?;
        let Ok(text) = std::str::from_utf8(&text) else {
            return contract("the text of a failure isn't UTF-8");
        };
        Ok(Failure { class, code: self.code(failure.code)?, text: text.to_owned() })
    }

    /// A code must be in the manifest: it becomes a label of a metric, and their number must be bounded.
    fn code(&self, span: abi::Span) -> Checked<String> {
        let code = self.bytes(span)?;
        let Ok(code) = std::str::from_utf8(&code) else {
            return contract("the code of a failure or skip isn't UTF-8");
        };
        match self.rules.function.codes.iter().find(|known| *known == code) {
            Some(known) => Ok(known.clone()),
            None => contract(format!("the code {:?} of a failure or skip isn't in the manifest", truncated(code))),
        }
    }

    fn sized(&self, span: abi::Span, size: &mut OutputSize) -> Checked<Bytes> {
        let bytes = self.bytes(span)?;
        size.add(bytes.len(), self.rules.limits)?;
        Ok(bytes)
    }

    fn bytes(&self, span: abi::Span) -> Checked<Bytes> {
        slice(&self.arena, span)
    }
}

/// The bytes of a span.
pub(super) fn slice(arena: &Bytes, span: abi::Span) -> Checked<Bytes> {
    let (start, length) = (span.start as usize, span.length as usize);
    match start.checked_add(length) {
        Some(end) if end <= arena.len() => Ok(arena.slice(start..end)),
        _ => contract(format!("span {start} + {length} leaves its arena of {} bytes", arena.len())),
    }
}

/// Whether an output keeps the key of its input.
fn keeps(key: &Field, input: Option<&[u8]>) -> bool {
    match key {
        Field::Inherit => true,
        Field::Null => input.is_none(),
        Field::Bytes(bytes) => input.is_some_and(|input| input == bytes),
    }
}

/// The beginning of a text, for a message.
fn truncated(text: &str) -> &str {
    text.get(..text.floor_char_boundary(80)).unwrap_or(text)
}
