//! Converts between the bench's records and the arenas of the contract.

use super::record::{Outcome, Pair, Put, Record};
use crate::bindings::base::millrace::plugin::types::{
    FailureClass, Header, HeaderRun, Message, NewKey, NewValue, Outcome as RawOutcome, Output, Payload, Reply, Span,
    Window as RawWindow,
};
use crate::bindings::join::exports::millrace::plugin::join::Pair as RawPair;
use crate::ctx::Window;
use crate::error::Kind;

/// Collects the arguments of a call.
#[derive(Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    headers: Vec<Header>,
}

impl Arena {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), headers: Vec::new() }
    }

    /// Returns the collected payload, and empties the arena.
    pub(super) fn payload(&mut self) -> Payload {
        Payload { arena: std::mem::take(&mut self.bytes), headers: std::mem::take(&mut self.headers) }
    }

    pub(super) fn span(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Span { start, length: bytes.len() as u32 }
    }

    pub(super) fn message(&mut self, record: &Record) -> Message {
        let first = self.headers.len() as u32;
        for (name, value) in &record.headers {
            let (name, value) = (self.span(name.as_bytes()), Some(self.span(value)));
            self.headers.push(Header { name, value });
        }
        Message {
            input: self.span(record.input.as_bytes()),
            key: record.key.as_ref().map(|key| self.span(key)),
            value: record.value.as_ref().map(|value| self.span(value)),
            timestamp: record.timestamp,
            headers: HeaderRun { first, count: record.headers.len() as u32 },
            window: record.window.map(window),
        }
    }

    pub(super) fn pair(&mut self, pair: &Pair) -> RawPair {
        RawPair {
            key: pair.key.as_ref().map(|key| self.span(key)),
            left: pair.left.as_ref().map(|record| self.message(record)),
            right: pair.right.as_ref().map(|record| self.message(record)),
            timestamp: pair.timestamp,
        }
    }

    /// A pair with values only.
    pub(super) fn values(&mut self, left: &[u8], right: &[u8]) -> RawPair {
        let mut side = |value: &[u8]| Message {
            input: Span { start: 0, length: 0 },
            key: None,
            value: Some(self.span(value)),
            timestamp: 0,
            headers: HeaderRun { first: 0, count: 0 },
            window: None,
        };
        RawPair { key: None, left: Some(side(left)), right: Some(side(right)), timestamp: 0 }
    }
}

pub(super) fn window(window: Window) -> RawWindow {
    RawWindow { start: window.start, end: window.end }
}

pub(super) fn bytes(arena: &[u8], span: Span) -> &[u8] {
    arena.get(span.start as usize..(span.start + span.length) as usize).unwrap_or_default()
}

/// The parts of an input that an output can take over.
#[derive(Clone)]
pub(super) struct Input {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) timestamp: i64,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

impl Input {
    pub(super) fn record(record: &Record) -> Self {
        let Record { key, value, timestamp, headers, .. } = record.clone();
        Self { key, value, timestamp, headers }
    }

    pub(super) fn pair(pair: &Pair) -> Self {
        let headers = pair.left.as_ref().or(pair.right.as_ref()).map(|side| side.headers.clone());
        Self { key: pair.key.clone(), value: None, timestamp: pair.timestamp, headers: headers.unwrap_or_default() }
    }
}

/// The outcomes of a reply.
pub(super) fn outcomes(reply: &Reply, ports: &[&'static str], inputs: impl Iterator<Item = Input>) -> Vec<Outcome> {
    let mut next = reply.outputs.iter();
    let text = |span: Span| String::from_utf8_lossy(bytes(&reply.arena, span)).into_owned();
    let outcome = |(outcome, input): (&RawOutcome, Input)| match outcome {
        RawOutcome::Outputs(n) => {
            Outcome::Outputs(next.by_ref().take(*n as usize).map(|output| put(reply, ports, output, &input)).collect())
        }
        RawOutcome::Skip(code) => Outcome::Skip(text(*code)),
        RawOutcome::Fail(failure) => Outcome::Fail {
            kind: if failure.class == FailureClass::Transient { Kind::Transient } else { Kind::Permanent },
            code: text(failure.code),
            text: text(failure.text),
        },
    };
    reply.outcomes.iter().zip(inputs).map(outcome).collect()
}

fn put(reply: &Reply, ports: &[&'static str], output: &Output, input: &Input) -> Put {
    let owned = |span: Span| bytes(&reply.arena, span).to_vec();
    Put {
        port: ports.get(output.port as usize).copied().unwrap_or("?"),
        key: match output.key {
            NewKey::Inherit => input.key.clone(),
            NewKey::Null => None,
            NewKey::Bytes(span) => Some(owned(span)),
        },
        value: match output.value {
            NewValue::Inherit => input.value.clone(),
            NewValue::Tombstone => None,
            NewValue::Bytes(span) => Some(owned(span)),
        },
        timestamp: output.timestamp.unwrap_or(input.timestamp),
        headers: output.headers.map_or_else(|| input.headers.clone(), |run| headers(reply, run)),
    }
}

fn headers(reply: &Reply, run: HeaderRun) -> Vec<(String, Vec<u8>)> {
    let text = |span| String::from_utf8_lossy(bytes(&reply.arena, span)).into_owned();
    let own = reply.headers.iter().skip(run.first as usize).take(run.count as usize);
    own.map(|header| {
        let value = header.value.map(|value| bytes(&reply.arena, value).to_vec());
        (text(header.name), value.unwrap_or_default())
    })
    .collect()
}
