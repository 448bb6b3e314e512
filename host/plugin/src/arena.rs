//! Arguments of a call: its records, written into one arena.

use std::sync::Arc;

use millrace_engine::ports::{self, Due, Message, Pair};
use millrace_engine::record;

use crate::abi::{self, HeaderRun, Payload, Span};

/// Buffers that outlive a call, so that the next one allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct CallBuffers {
    pub payload: Arc<Payload>,
    pub messages: Arc<Vec<abi::Message>>,
    pub pairs: Arc<Vec<abi::Pair>>,
    pub groups: Arc<Vec<abi::Group>>,
    /// States that groups absorb, or values to rewrite.
    pub stored: Arc<Vec<abi::Stored>>,
    pub entries: Arc<Vec<abi::Entry>>,
    /// The bytes of a call without a payload: key and name of a timer, or values to rewrite.
    pub arena: Arc<Vec<u8>>,
}

/// An arena shrinks to this size before the next call.
const KEPT_BYTES: usize = 1 << 20;

/// An arena would have more than 4 GiB.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl CallBuffers {
    pub(crate) fn messages(&mut self, messages: &[Message<'_>], headers: bool) -> Result<(), TooLarge> {
        let mut writer = PayloadWriter::new(&mut self.payload, headers);
        let list = Arc::make_mut(&mut self.messages);
        list.clear();
        list.extend(messages.iter().map(|message| writer.message(message, None)));
        writer.finish()
    }

    pub(crate) fn message(&mut self, message: &Message<'_>, headers: bool) -> Result<abi::Message, TooLarge> {
        let mut writer = PayloadWriter::new(&mut self.payload, headers);
        let message = writer.message(message, None);
        writer.finish().map(|()| message)
    }

    pub(crate) fn due(&mut self, due: &Due<'_>) -> Result<abi::Due, TooLarge> {
        let arena = emptied(&mut self.arena);
        let key = due.key.map(|key| put(arena, key)).transpose()?;
        let name = put(arena, due.name.as_bytes())?;
        Ok(abi::Due { key, name, time: due.time, clock: due.clock.into() })
    }

    pub(crate) fn values(&mut self, values: &[ports::Stored]) -> Result<(), TooLarge> {
        let (arena, list) = (emptied(&mut self.arena), Arc::make_mut(&mut self.stored));
        list.clear();
        for value in values {
            list.push(abi::Stored { version: value.version, bytes: put(arena, &value.bytes)? });
        }
        Ok(())
    }

    pub(crate) fn pairs(&mut self, pairs: &[Pair<'_>], headers: bool) -> Result<(), TooLarge> {
        let mut writer = PayloadWriter::new(&mut self.payload, headers);
        let list = Arc::make_mut(&mut self.pairs);
        list.clear();
        list.extend(pairs.iter().map(|pair| writer.pair(pair)));
        writer.finish()
    }

    pub(crate) fn groups(&mut self, groups: &[ports::Group<'_>], headers: bool) -> Result<(), TooLarge> {
        let mut writer = PayloadWriter::new(&mut self.payload, headers);
        let list = Arc::make_mut(&mut self.groups);
        let absorbed = Arc::make_mut(&mut self.stored);
        let entries = Arc::make_mut(&mut self.entries);
        list.clear();
        absorbed.clear();
        entries.clear();
        for group in groups {
            let key = writer.bytes(group.key);
            list.push(writer.group(group, key));
            absorbed.extend(group.absorbed.iter().map(|state| writer.stored(state)));
            entries.extend(group.entries.iter().map(|(change, message)| abi::Entry {
                change: (*change).into(),
                message: writer.message(message, Some((group.key, key))),
            }));
        }
        writer.finish()
    }
}

/// An arena without a payload, for the next call.
fn emptied(arena: &mut Arc<Vec<u8>>) -> &mut Vec<u8> {
    let arena = Arc::make_mut(arena);
    arena.clear();
    arena.shrink_to(KEPT_BYTES);
    arena
}

fn put(arena: &mut Vec<u8>, bytes: &[u8]) -> Result<Span, TooLarge> {
    let start = u32::try_from(arena.len()).map_err(|_| TooLarge)?;
    let length = u32::try_from(bytes.len()).map_err(|_| TooLarge)?;
    arena.extend_from_slice(bytes);
    Ok(Span { start, length })
}

/// Fills a payload. An offset past 4 GiB is an error when it is finished: no guest could take such a call.
struct PayloadWriter<'b> {
    payload: &'b mut Payload,
    with_headers: bool,
    /// Spans of the names of inputs: a call has few, and each is written once.
    names: smallvec::SmallVec<[Span; 4]>,
    too_large: bool,
}

impl<'b> PayloadWriter<'b> {
    fn new(payload: &'b mut Arc<Payload>, with_headers: bool) -> Self {
        let payload = Arc::make_mut(payload);
        payload.arena.clear();
        payload.arena.shrink_to(KEPT_BYTES);
        payload.headers.clear();
        Self { payload, with_headers, names: smallvec::SmallVec::new(), too_large: false }
    }

    fn finish(self) -> Result<(), TooLarge> {
        if self.too_large { Err(TooLarge) } else { Ok(()) }
    }

    fn u32(&mut self, n: usize) -> u32 {
        u32::try_from(n).unwrap_or_else(|_| {
            self.too_large = true;
            0
        })
    }

    fn bytes(&mut self, bytes: &[u8]) -> Span {
        let span = Span { start: self.u32(self.payload.arena.len()), length: self.u32(bytes.len()) };
        self.payload.arena.extend_from_slice(bytes);
        span
    }

    fn name(&mut self, name: &str) -> Span {
        let arena = &self.payload.arena;
        let written = |span: &&Span| {
            let start = span.start as usize;
            arena.get(start..start + span.length as usize) == Some(name.as_bytes())
        };
        if let Some(span) = self.names.iter().find(written) {
            return *span;
        }
        let span = self.bytes(name.as_bytes());
        self.names.push(span);
        span
    }

    /// Writes a message. `known` is the key of the pair or the group, which was written before.
    fn message(&mut self, message: &Message<'_>, known: Option<(&[u8], Span)>) -> abi::Message {
        let key = message.key.map(|key| match known {
            Some((bytes, span)) if bytes == key => span,
            _ => self.bytes(key),
        });
        abi::Message {
            input: self.name(message.input),
            key,
            value: message.value.map(|value| self.bytes(value)),
            timestamp: message.timestamp,
            headers: self.headers(message.headers),
            window: message.window.map(abi::Window::from),
        }
    }

    fn pair(&mut self, pair: &Pair<'_>) -> abi::Pair {
        let key = pair.key.map(|key| (key, self.bytes(key)));
        abi::Pair {
            key: key.map(|(_, span)| span),
            left: pair.left.map(|message| self.message(&message, key)),
            right: pair.right.map(|message| self.message(&message, key)),
            timestamp: pair.timestamp,
        }
    }

    fn group(&mut self, group: &ports::Group<'_>, key: Span) -> abi::Group {
        abi::Group {
            key,
            window: group.window.map(abi::Window::from),
            state: group.state.as_ref().map(|state| self.stored(state)),
            absorbed: self.u32(group.absorbed.len()),
            entries: self.u32(group.entries.len()),
        }
    }

    fn stored(&mut self, state: &ports::Stored) -> abi::Stored {
        abi::Stored { version: state.version, bytes: self.bytes(&state.bytes) }
    }

    fn headers(&mut self, headers: &[record::Header]) -> HeaderRun {
        if !self.with_headers || headers.is_empty() {
            return HeaderRun::default();
        }
        let run = HeaderRun { first: self.u32(self.payload.headers.len()), count: self.u32(headers.len()) };
        for header in headers {
            let name = self.bytes(&header.name);
            let value = header.value.as_ref().map(|value| self.bytes(value));
            self.payload.headers.push(abi::Header { name, value });
        }
        run
    }
}

impl From<record::Window> for abi::Window {
    fn from(window: record::Window) -> Self {
        Self { start: window.start, end: window.end }
    }
}

impl From<ports::Clock> for abi::Clock {
    fn from(clock: ports::Clock) -> Self {
        match clock {
            ports::Clock::Stream => Self::Stream,
            ports::Clock::Wall => Self::Wall,
        }
    }
}

impl From<ports::Change> for abi::Change {
    fn from(change: ports::Change) -> Self {
        match change {
            ports::Change::Add => Self::Add,
            ports::Change::Subtract => Self::Subtract,
        }
    }
}
