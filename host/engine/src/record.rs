//! Records and what they are made of.

use std::sync::Arc;

use bytes::Bytes;

/// Event time in milliseconds since the epoch.
pub type Timestamp = i64;

/// No event, window or timer can be later than this: behind it there must be room for windows and grace.
pub const END_OF_TIME: Timestamp = Timestamp::MAX / 4;

/// A record header. Names are bytes: Kafka doesn't ask for UTF-8, and neither do we.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Name.
    pub name: Bytes,
    /// Value; `None` is Kafka's null.
    pub value: Option<Bytes>,
}

impl Header {
    /// A header with a value.
    pub fn new(name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { name: name.into(), value: Some(value.into()) }
    }
}

/// The headers of a record, shared between all that inherit them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<[Header]>>);

impl Headers {
    /// No headers.
    pub const EMPTY: Self = Self(None);

    /// The headers as a slice.
    pub fn as_slice(&self) -> &[Header] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Bytes of their names and values.
    pub fn size(&self) -> usize {
        self.as_slice().iter().map(|header| header.name.len() + length(&header.value)).sum()
    }

    /// The same in a record that is sent: each has two lengths of up to five bytes beside its name and value.
    pub fn sent_size(&self) -> usize {
        self.size() + 10 * self.as_slice().len()
    }

    /// Bytes of memory that they hold: their own and those of their places, or empty ones would be no load at all.
    pub fn held(&self) -> usize {
        self.size() + size_of_val(self.as_slice())
    }

    /// The value of the last header of this name, as Kafka's `lastHeader` has it.
    pub fn last(&self, name: &[u8]) -> Option<&Header> {
        self.as_slice().iter().rev().find(|header| header.name == name)
    }
}

impl From<Vec<Header>> for Headers {
    fn from(headers: Vec<Header>) -> Self {
        if headers.is_empty() { Self::EMPTY } else { Self(Some(headers.into())) }
    }
}

/// A window of event time. The end is exclusive for tumbling and hopping windows, inclusive for sliding and
/// session windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First instant, in milliseconds since the epoch.
    pub start: Timestamp,
    /// End, in milliseconds since the epoch.
    pub end: Timestamp,
}

impl Window {
    /// Names of the headers behind those of a record that say its window, where a sink writes it with a plain key: start and
    /// end, each as an integer of 8 bytes, big-endian.
    pub const HEADERS: [&str; 2] = ["millrace-window-start", "millrace-window-end"];
}

/// What a broker says of a record's timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer set it.
    #[default]
    CreateTime,
    /// The broker set it when it appended the record.
    LogAppendTime,
}

impl TimestampType {
    /// Kafka's own name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

/// A record as a driver hands it to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRecord {
    /// Offset in its partition.
    pub offset: i64,
    /// Event time.
    pub timestamp: Timestamp,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// Key; `None` is Kafka's null.
    pub key: Option<Bytes>,
    /// Value; `None` is Kafka's null.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
    /// When the driver got it, by its own clock: the time of failure if it fails.
    pub arrived: Timestamp,
    /// Orders records before their timestamps do: a record with a lower turn is always chosen first. Outputs carry
    /// the turn of the record they come from. Zero where a driver has no use for it; `replay` numbers input lines.
    pub turn: u64,
}

impl InputRecord {
    /// Bytes of memory that it holds: those of key, value and headers, and its own.
    pub fn held(&self) -> usize {
        size_of::<Self>() + length(&self.key) + length(&self.value) + self.headers.held()
    }
}

/// Bytes of a part of a record; null has none.
pub(crate) fn length(bytes: &Option<Bytes>) -> usize {
    bytes.as_ref().map_or(0, Bytes::len)
}

/// A record on its way through the operators.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Headers,
    pub(crate) window: Option<Window>,
}

impl Record {
    /// Bytes of key and value.
    pub(crate) fn size(&self) -> usize {
        length(&self.key) + length(&self.value)
    }

    /// Bytes of key, value and headers: what a topic's limit is about.
    pub(crate) fn whole_size(&self) -> usize {
        self.size() + self.headers.sent_size()
    }
}
