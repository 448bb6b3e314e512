//! Bytes of an unfinished run: numbers big-endian, byte strings with their length first, names for nodes, topics and
//! stores.

use bytes::{BufMut, Bytes, BytesMut};

use super::names::{Name, name_of, names};
use crate::path::Path;
use crate::record::{Header, Headers, InputRecord, Record, TimestampType, Window};
use crate::row::Row;
use crate::state::timers::TimerCursor;
use crate::step::{Item, Produced, RecordOutputs, Remainder};
use crate::topology::{NodeId, SubTopology, TopicId, Topology};

/// The kind byte that stands for no node.
const NONE: u8 = u8::MAX;

/// Encodes the parts of a run.
pub(super) struct Writer<'a> {
    pub(super) out: BytesMut,
    topology: &'a Topology,
    /// Names of the nodes.
    names: Vec<Name>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(topology: &'a Topology, shape: &SubTopology) -> Self {
        Self { out: BytesMut::new(), topology, names: names(topology, shape) }
    }

    /// Ends a section and returns its bytes.
    pub(super) fn section(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    pub(super) fn number(&mut self, number: usize) {
        self.out.put_u32(number as u32);
    }

    pub(super) fn bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.out.put_u32(u32::MAX),
            Some(bytes) => put_bytes(&mut self.out, bytes),
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(Some(text.as_bytes()));
    }

    pub(super) fn node(&mut self, node: NodeId) {
        let Self { out, names, .. } = self;
        match names.get(node.0) {
            Some(Name { kind, text }) => {
                out.put_u8(*kind);
                put_bytes(out, text.as_bytes());
            }
            None => out.put_u8(NONE),
        }
    }

    pub(super) fn topic(&mut self, topic: TopicId) {
        self.text(name_of(self.topology, topic));
    }

    pub(super) fn path(&mut self, path: &Path) {
        self.number(path.record());
        self.number(path.place().len());
        path.place().iter().for_each(|number| self.out.put_u32(*number));
    }

    pub(super) fn headers(&mut self, headers: &Headers) {
        self.number(headers.as_slice().len());
        for Header { name, value } in headers.as_slice() {
            self.bytes(Some(name));
            self.bytes(value.as_deref());
        }
    }

    pub(super) fn window(&mut self, window: Option<Window>) {
        self.out.put_u8(u8::from(window.is_some()));
        if let Some(Window { start, end }) = window {
            self.out.put_i64(start);
            self.out.put_i64(end);
        }
    }

    pub(super) fn input(&mut self, record: &InputRecord, whole: bool) {
        self.out.put_i64(record.offset);
        self.out.put_i64(record.timestamp);
        self.out.put_u8(u8::from(record.timestamp_type == TimestampType::LogAppendTime));
        self.out.put_i64(record.arrived);
        self.out.put_u64(record.turn);
        self.bytes(record.key.as_deref().filter(|_| whole));
        self.bytes(record.value.as_deref().filter(|_| whole));
        self.headers(if whole { &record.headers } else { &Headers::EMPTY });
    }

    /// Writes an item. The parts that are equal to the input record `of` are not written again.
    pub(super) fn item(&mut self, item: &Item, of: Option<&InputRecord>) {
        self.path(&item.path);
        self.node(item.from);
        self.number(item.input);
        let (kind, until) = match item.row {
            Row::New => (0, 0),
            Row::Old { until } => (1, until),
            Row::Gone => (2, 0),
        };
        self.out.put_u8(kind);
        self.out.put_i64(until);
        let Record { key, value, timestamp, headers, window } = &item.record;
        let same = of.map_or([false; 3], |of| [of.key == *key, of.value == *value, of.headers == *headers]);
        same.iter().for_each(|same| self.out.put_u8(u8::from(*same)));
        let [same_key, same_value, same_headers] = same;
        if !same_key {
            self.bytes(key.as_deref());
        }
        if !same_value {
            self.bytes(value.as_deref());
        }
        if !same_headers {
            self.headers(headers);
        }
        self.out.put_i64(*timestamp);
        self.window(*window);
    }

    pub(super) fn record(&mut self, Record { key, value, timestamp, headers, window }: &Record) {
        self.bytes(key.as_deref());
        self.bytes(value.as_deref());
        self.out.put_i64(*timestamp);
        self.headers(headers);
        self.window(*window);
    }

    pub(super) fn remainder(&mut self, remainder: &Remainder) {
        self.path(&remainder.path);
        self.out.put_u32(remainder.child);
        self.bytes(remainder.cursor.as_ref().map(TimerCursor::encode).as_deref());
    }

    pub(super) fn record_outputs(&mut self, record_outputs: &RecordOutputs) {
        self.out.put_u32(record_outputs.record);
        self.out.put_u64(record_outputs.outputs);
        self.out.put_u64(record_outputs.bytes);
        self.out.put_u8(u8::from(record_outputs.exceeded));
    }

    pub(super) fn produced(&mut self, path: &Path, produced: &Produced) {
        self.path(path);
        self.topic(produced.topic);
        self.out.put_u32(produced.partition);
        self.bytes(produced.key.as_deref());
        self.bytes(produced.value.as_deref());
        self.out.put_i64(produced.timestamp);
        self.headers(&produced.headers);
        self.window(produced.window);
        self.out.put_u64(produced.turn);
        self.out.put_i64(produced.arrived);
    }
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

/// Decodes what a [`Writer`] has written. Methods return `None` if the bytes are damaged.
pub(super) struct Reader<'a> {
    pub(super) bytes: Bytes,
    pub(super) topology: &'a Topology,
    pub(super) shape: &'a SubTopology,
    names: Vec<Name>,
    /// The first reason why this pipeline can't go on with the run.
    pub(super) refusal: Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(topology: &'a Topology, shape: &'a SubTopology) -> Self {
        Self { bytes: Bytes::new(), topology, shape, names: names(topology, shape), refusal: None }
    }

    /// Begins a section; `None` if the section before has unread bytes.
    pub(super) fn begin(&mut self, section: Bytes) -> Option<()> {
        std::mem::replace(&mut self.bytes, section).is_empty().then_some(())
    }

    /// Records that this pipeline has no node of that name, and `what` needs it.
    pub(super) fn lacks(&mut self, what: &str, name: &Name) {
        let is_elsewhere = self.topology.subtopologies.iter().any(|part| names(self.topology, part).contains(name));
        let why = match is_elsewhere {
            true => "which is no longer connected with the steps that read the topic",
            false => "which this pipeline no longer has",
        };
        self.refusal.get_or_insert_with(|| format!("a part of it {what} {name}, {why}"));
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.first_chunk::<N>()?;
        self.bytes = self.bytes.slice(N..);
        Some(array)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn number(&mut self) -> Option<usize> {
        Some(self.u32()? as usize)
    }

    /// A byte string. The outer option is `None` if the section ends too soon.
    pub(super) fn bytes(&mut self) -> Option<Option<Bytes>> {
        let length = self.u32()?;
        if length == u32::MAX {
            return Some(None);
        }
        let length = length as usize;
        if length > self.bytes.len() {
            return None;
        }
        Some(Some(self.bytes.split_to(length)))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()??.to_vec()).ok()
    }

    /// A node, or its name if the pipeline has no such node. The inner option is `None` for "no node".
    pub(super) fn node(&mut self) -> Option<Option<Result<NodeId, Name>>> {
        let kind = self.byte()?;
        if kind == NONE {
            return Some(None);
        }
        let name = Name { kind, text: self.text()? };
        let node = self.names.iter().position(|known| *known == name).map(NodeId);
        Some(Some(node.ok_or(name)))
    }

    /// A topic's name, and the topic if the pipeline still has it.
    pub(super) fn topic(&mut self) -> Option<(String, Option<TopicId>)> {
        let name = self.text()?;
        let topic = self.topology.topics.iter().position(|topic| topic.name == name).map(TopicId);
        Some((name, topic))
    }

    pub(super) fn path(&mut self) -> Option<Path> {
        let cause = self.u32()?;
        let place = (0..self.number()?).map(|_| self.u32()).collect::<Option<_>>()?;
        Some(Path::from_parts(place, cause))
    }

    pub(super) fn headers(&mut self) -> Option<Headers> {
        let header = |reader: &mut Self| Some(Header { name: reader.bytes()??, value: reader.bytes()? });
        Some((0..self.number()?).map(|_| header(self)).collect::<Option<Vec<_>>>()?.into())
    }

    pub(super) fn window(&mut self) -> Option<Option<Window>> {
        Some(if self.byte()? == 1 { Some(Window { start: self.i64()?, end: self.i64()? }) } else { None })
    }

    pub(super) fn input(&mut self) -> Option<InputRecord> {
        let (offset, timestamp, appended) = (self.i64()?, self.i64()?, self.byte()? == 1);
        let timestamp_type = if appended { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let (arrived, turn) = (self.i64()?, self.u64()?);
        let (key, value, headers) = (self.bytes()?, self.bytes()?, self.headers()?);
        Some(InputRecord { offset, timestamp, timestamp_type, key, value, headers, arrived, turn })
    }

    pub(super) fn item(&mut self, records: &[InputRecord]) -> Option<Item> {
        let path = self.path()?;
        // A rule gets the name of the step that a record comes from.
        let from = self.node()??.unwrap_or_else(|name| {
            self.lacks("comes from", &name);
            NodeId(usize::MAX)
        });
        let input = self.number()?;
        let row = match (self.byte()?, self.i64()?) {
            (1, until) => Row::Old { until },
            (2, _) => Row::Gone,
            _ => Row::New,
        };
        let of = records.get(path.record());
        let [same_key, same_value, same_headers] = self.array()?.map(|same| same == 1);
        let key = if same_key { of?.key.clone() } else { self.bytes()? };
        let value = if same_value { of?.value.clone() } else { self.bytes()? };
        let headers = if same_headers { of?.headers.clone() } else { self.headers()? };
        let record = Record { key, value, timestamp: self.i64()?, headers, window: self.window()? };
        Some(Item { path, from, input, record, row })
    }

    pub(super) fn record(&mut self) -> Option<Record> {
        let (key, value, timestamp) = (self.bytes()?, self.bytes()?, self.i64()?);
        Some(Record { key, value, timestamp, headers: self.headers()?, window: self.window()? })
    }

    pub(super) fn remainder(&mut self) -> Option<Remainder> {
        let (path, child) = (self.path()?, self.u32()?);
        let cursor = self.bytes()?.and_then(TimerCursor::decode);
        Some(Remainder { path, child, cursor })
    }

    pub(super) fn record_outputs(&mut self) -> Option<RecordOutputs> {
        let (record, outputs, bytes) = (self.u32()?, self.u64()?, self.u64()?);
        Some(RecordOutputs { record, outputs, bytes, exceeded: self.byte()? == 1 })
    }

    /// A produced record with its path. The inner option is `None` if the pipeline no longer has the topic.
    pub(super) fn produced(&mut self) -> Option<Option<(Path, Produced)>> {
        let (path, (name, topic), partition) = (self.path()?, self.topic()?, self.u32()?);
        let (key, value, timestamp) = (self.bytes()?, self.bytes()?, self.i64()?);
        let (headers, window) = (self.headers()?, self.window()?);
        let (turn, arrived) = (self.u64()?, self.i64()?);
        let Some(topic) = topic else {
            let reason = || format!("a part of it goes to the topic `{name}`, which this pipeline no longer writes");
            self.refusal.get_or_insert_with(reason);
            return Some(None);
        };
        Some(Some((path, Produced { topic, partition, key, value, timestamp, headers, window, turn, arrived })))
    }
}
