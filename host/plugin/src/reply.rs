//! The way out of a guest: what it answered, checked against the contract and the limits.
//!
//! The reply's arena becomes one [`Bytes`], and keys, values and headers are slices of it: no copy for each output.

use bytes::Bytes;
use millrace_engine::manifest::FunctionManifest;
use millrace_engine::ports::{CallError, Failure, FailureClass, Fault, Field, Group, Grouped, Outcome, Output, Stored};
use millrace_engine::record::{END_OF_TIME, Header, Headers};
use millrace_engine::size::shown;
use millrace_engine::topology::GuestLimits;

use crate::abi;

/// What a header costs the host beside its bytes.
const HEADER: usize = 64;

/// The rules that a reply is checked by.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub function: &'a FunctionManifest,
    pub limits: &'a GuestLimits,
    /// Whether outputs may take over the value of the input.
    pub inherits_value: bool,
    /// Whether there may be outputs at all.
    pub outputs: bool,
    /// The key of each record.
    pub key: &'a dyn Fn(usize) -> Option<&'a [u8]>,
}

/// A rule that was broken.
struct Broken {
    fault: Fault,
    text: String,
}

type Checked<T> = Result<T, Broken>;
type Outputs = std::vec::IntoIter<abi::Output>;

fn contract<T>(text: impl Into<String>) -> Checked<T> {
    Err(Broken { fault: Fault::Contract, text: text.into() })
}

/// The outcomes of a call over `records` records.
pub(crate) fn outcomes(reply: abi::Reply, records: usize, rules: Rules<'_>) -> Result<Vec<Outcome>, CallError> {
    let (outcomes, outputs) = (reply.outcomes, reply.outputs);
    let decoder = Decoder { arena: reply.arena.into(), headers: reply.headers, rules };
    decoder.outcomes(&outcomes, outputs, records)
}

/// The results of an aggregate call over these groups.
pub(crate) fn grouped(
    reply: abi::Aggregated,
    asked: &[Group<'_>],
    rules: Rules<'_>,
) -> Result<Vec<Grouped>, CallError> {
    let abi::Aggregated { reply, groups, deleted } = reply;
    let decoder = Decoder { arena: reply.arena.into(), headers: reply.headers, rules };
    if groups.len() != asked.len() {
        let text = format!("gave {} results for {} groups", groups.len(), asked.len());
        return Err(blame(Broken { fault: Fault::Contract, text }, None));
    }
    let records = asked.iter().map(|group| group.entries.len()).sum();
    let outcomes = decoder.outcomes(&reply.outcomes, reply.outputs, records)?;
    let deleted = deletions(&deleted, outcomes.len()).map_err(|broken| blame(broken, None))?;
    let (mut outcomes, mut deleted) = (outcomes.into_iter(), deleted.into_iter().peekable());
    let mut first = 0;
    let groups = groups.iter().zip(asked).map(|(group, asked)| {
        let (start, end) = (first, first + asked.entries.len());
        first = end;
        let outcomes = outcomes.by_ref().take(end - start).collect();
        let deleted = std::iter::from_fn(|| deleted.next_if(|index| *index < end));
        let deleted = deleted.map(|index| index - start).collect();
        let grouped = decoder.group(group, outcomes, deleted).and_then(|grouped| unchanged(asked, grouped));
        grouped.map_err(|broken| blame(broken, (end > start).then_some(start)))
    });
    groups.collect()
}

/// Who asks for the value of a state gets that and no other state.
fn unchanged(asked: &Group<'_>, grouped: Grouped) -> Checked<Grouped> {
    let only_asks = asked.entries.is_empty() && asked.absorbed.is_empty();
    if only_asks && asked.state != grouped.state {
        return contract("changed a state of which it was asked the value only");
    }
    Ok(grouped)
}

/// Where states were deleted, over all groups.
fn deletions(deleted: &[u32], records: usize) -> Checked<Vec<usize>> {
    let indexes: Vec<usize> = deleted.iter().map(|index| *index as usize).collect();
    if !indexes.is_sorted_by(|one, next| one < next) {
        return contract("deleted states in an order other than that of the records");
    }
    match indexes.last() {
        Some(last) if *last >= records => contract(format!("deleted a state after record {last} of {records}")),
        _ => Ok(indexes),
    }
}

/// A state is deleted by a record that was processed, and is gone at the end if the last of those deleted it.
fn check_deletions(state: Option<&Stored>, outcomes: &[Outcome], deleted: &[usize]) -> Checked<()> {
    let processed = |index: usize| matches!(outcomes.get(index), Some(Outcome::Outputs(_)));
    if deleted.iter().any(|index| !processed(*index)) {
        return contract("deleted a state after a record that wasn't processed");
    }
    match (0..outcomes.len()).rfind(|index| processed(*index)) {
        Some(last) if state.is_none() != (deleted.last() == Some(&last)) => {
            contract("gave a state that doesn't fit what it says of the record that it was deleted after")
        }
        _ => Ok(()),
    }
}

fn blame(broken: Broken, at: Option<usize>) -> CallError {
    CallError::Guest { fault: broken.fault, at, text: broken.text }
}

struct Decoder<'a> {
    arena: Bytes,
    headers: Vec<abi::Header>,
    rules: Rules<'a>,
}

/// What one record has put out so far.
#[derive(Default)]
struct Size {
    bytes: usize,
}

impl Size {
    fn add(&mut self, bytes: usize, limits: &GuestLimits) -> Checked<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= limits.output_bytes {
            return Ok(());
        }
        let text = format!("put out more than {} for one record (limits.output-bytes)", shown(limits.output_bytes));
        Err(Broken { fault: Fault::Output, text })
    }
}

impl Decoder<'_> {
    fn outcomes(
        &self,
        outcomes: &[abi::Outcome],
        outputs: Vec<abi::Output>,
        records: usize,
    ) -> Result<Vec<Outcome>, CallError> {
        if outcomes.len() != records {
            let text = format!("gave {} outcomes for {records} records", outcomes.len());
            return Err(blame(Broken { fault: Fault::Contract, text }, None));
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
            return Err(Broken { fault: Fault::Output, text });
        }
        if count > outputs.len() {
            return contract(format!("counts {count} outputs, but {} are left in the reply", outputs.len()));
        }
        if count > 0 && !self.rules.outputs {
            return contract("put out records where only the last result was asked for");
        }
        let mut size = Size::default();
        outputs.by_ref().take(count).map(|output| self.output(at, &output, &mut size)).collect()
    }

    fn output(&self, at: usize, output: &abi::Output, size: &mut Size) -> Checked<Output> {
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

    /// Counted before it is built: runs may overlap, and then cost more here than in the guest.
    fn headers(&self, run: abi::HeaderRun, size: &mut Size) -> Checked<Headers> {
        let first = run.first as usize;
        let Some(headers) = self.headers.get(first..first.saturating_add(run.count as usize)) else {
            let (first, count, all) = (run.first, run.count, self.headers.len());
            return contract(format!("headers {first} + {count} leave the reply's list of {all}"));
        };
        let header = |header: &abi::Header| {
            size.add(HEADER, self.rules.limits)?;
            let name = self.sized(header.name, size)?;
            let value = header.value.map(|value| self.sized(value, size)).transpose()?;
            Ok(Header { name, value })
        };
        let headers: Vec<Header> = headers.iter().map(header).collect::<Checked<_>>()?;
        Ok(headers.into())
    }

    fn group(&self, group: &abi::Grouped, outcomes: Vec<Outcome>, deleted_after: Vec<usize>) -> Checked<Grouped> {
        let mut size = Size::default();
        let state = group.state.map(|state| self.stored(state, &mut size)).transpose()?;
        let value = group.value.map(|value| self.sized(value, &mut size)).transpose()?;
        if value.is_some() && self.rules.outputs {
            return contract("gave a last result where one for each record was asked for");
        }
        check_deletions(state.as_ref(), &outcomes, &deleted_after)?;
        Ok(Grouped { state, value, outcomes, deleted_after })
    }

    fn stored(&self, stored: abi::Stored, size: &mut Size) -> Checked<Stored> {
        let writes = self.rules.function.stores.first().map_or(&[][..], |store| &store.writes);
        if !writes.contains(&stored.version) {
            let version = stored.version;
            return contract(format!("wrote state version {version}, which its manifest doesn't name"));
        }
        Ok(Stored { version: stored.version, bytes: self.sized(stored.bytes, size)? })
    }

    fn failure(&self, failure: &abi::Failure) -> Checked<Failure> {
        let class = match failure.class {
            abi::FailureClass::Permanent => FailureClass::Permanent,
            abi::FailureClass::Transient => FailureClass::Transient,
        };
        let text = self.sized(failure.text, &mut Size::default())?;
        let Ok(text) = std::str::from_utf8(&text) else {
            return contract("the text of a failure isn't UTF-8");
        };
        Ok(Failure { class, code: self.code(failure.code)?, text: text.to_owned() })
    }

    /// A code must be in the manifest: it becomes the label of a metric, of which there can't be endlessly many.
    fn code(&self, span: abi::Span) -> Checked<String> {
        let code = self.bytes(span)?;
        let Ok(code) = std::str::from_utf8(&code) else {
            return contract("the code of a failure or skip isn't UTF-8");
        };
        match self.rules.function.codes.iter().find(|known| *known == code) {
            Some(known) => Ok(known.clone()),
            None => contract(format!("the code {:?} of a failure or skip isn't in the manifest", cut(code))),
        }
    }

    fn sized(&self, span: abi::Span, size: &mut Size) -> Checked<Bytes> {
        let bytes = self.bytes(span)?;
        size.add(bytes.len(), self.rules.limits)?;
        Ok(bytes)
    }

    fn bytes(&self, span: abi::Span) -> Checked<Bytes> {
        let (start, length) = (span.start as usize, span.length as usize);
        match start.checked_add(length) {
            Some(end) if end <= self.arena.len() => Ok(self.arena.slice(start..end)),
            _ => contract(format!("span {start} + {length} leaves its arena of {} bytes", self.arena.len())),
        }
    }
}

/// Whether a key is that of the input.
fn keeps(key: &Field, input: Option<&[u8]>) -> bool {
    match key {
        Field::Inherit => true,
        Field::Null => input.is_none(),
        Field::Bytes(bytes) => input.is_some_and(|input| input == bytes),
    }
}

/// Enough of a text to recognise it by.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(80)).unwrap_or(text)
}
