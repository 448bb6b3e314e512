//! Records and their parts.

use std::sync::Arc;

use bytes::Bytes;

/// Event time in milliseconds since the epoch.
pub type Timestamp = i64;

/// The latest time of an event, a window or a timer: later times leave room for windows and grace.
pub const END_OF_TIME: Timestamp = Timestamp::MAX / 4;

/// A record header. Names are bytes, because Kafka doesn't require UTF-8.
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

/// The headers of a record. Records that inherit them share them.
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

    /// Bytes of the headers in a sent record: beside name and value, each header has two lengths of up to five bytes.
    pub fn sent_size(&self) -> usize {
        self.size() + 10 * self.as_slice().len()
    }

    /// Bytes of memory that they hold, including their places: otherwise empty headers would weigh nothing.
    pub fn held(&self) -> usize {
        self.size() + size_of_val(self.as_slice())
    }

    /// The last header of this name, like Kafka's `lastHeader`.
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
    /// Names of the headers for start and end of a record's window, which a sink writes with a plain key. Their values
    /// are integers of 8 bytes, big-endian.
    pub const HEADERS: [&str; 2] = ["millrace-window-start", "millrace-window-end"];
}

/// Kafka's type of a record's timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer set it.
    #[default]
    CreateTime,
    /// The broker set it when it appended the record.
    LogAppendTime,
}

impl TimestampType {
    /// Kafka's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

/// An input record, which a driver offers to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRecord {
    /// Offset in its partition.
    pub offset: i64,
    /// Event time.
    pub timestamp: Timestamp,
    /// Type of the timestamp.
    pub timestamp_type: TimestampType,
    /// Key; `None` is Kafka's null.
    pub key: Option<Bytes>,
    /// Value; `None` is Kafka's null.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
    /// Arrival by the driver's clock. If the record fails, this is the time of the failure.
    pub arrived: Timestamp,
    /// Orders records before timestamps do: the record with the lowest turn is chosen first. Outputs have the turn of
    /// their input record. `replay` numbers input lines; drivers without turns set zero.
    pub turn: u64,
}

impl InputRecord {
    /// Bytes of memory that it holds: key, value, headers, and the structure.
    pub fn held(&self) -> usize {
        size_of::<Self>() + length(&self.key) + length(&self.value) + self.headers.held()
    }
}

/// Length of a key or value; zero for null.
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

    /// Bytes of key, value and headers, which the limit of a topic is about.
    pub(crate) fn whole_size(&self) -> usize {
        self.size() + self.headers.sent_size()
    }
}
