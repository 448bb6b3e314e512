//! Records that tests write, and outcomes that they read.

use crate::ctx::Window;
use crate::error::Kind;
use crate::key::KeyType;

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Name of the step or source it comes from.
    pub input: String,
    /// Key; `None` is null.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is null.
    pub value: Option<Vec<u8>>,
    /// Event time in milliseconds since the epoch.
    pub timestamp: i64,
    /// Headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The window, if there is one.
    pub window: Option<Window>,
}

impl Record {
    /// A record with key and value.
    pub fn new(key: impl IntoKey, value: impl Into<Vec<u8>>) -> Self {
        Self { input: "input".into(), key: Some(key.into_key()), value: Some(value.into()), ..Self::default() }
    }

    /// The same with this event time.
    #[must_use]
    pub fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = timestamp;
        self
    }

    /// The same from this step or source.
    #[must_use]
    pub fn from(mut self, input: &str) -> Self {
        self.input = input.into();
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same without a key.
    #[must_use]
    pub fn null_key(mut self) -> Self {
        self.key = None;
        self
    }

    /// The same without a value.
    #[must_use]
    pub fn null_value(mut self) -> Self {
        self.value = None;
        self
    }
}

/// A type that a test can write as a key.
pub trait IntoKey {
    /// Its bytes.
    fn into_key(self) -> Vec<u8>;
}

impl IntoKey for &str {
    fn into_key(self) -> Vec<u8> {
        self.into()
    }
}

impl<K: KeyType> IntoKey for K {
    fn into_key(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }
}

/// Two sides of a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The common key of both sides.
    pub key: Option<Vec<u8>>,
    /// Left side.
    pub left: Option<Record>,
    /// Right side.
    pub right: Option<Record>,
    /// Event time of the result.
    pub timestamp: i64,
}

impl Pair {
    /// Two matching records. The pair has the key of the left one, and the later time.
    pub fn new(left: Record, right: Record) -> Self {
        let (key, timestamp) = (left.key.clone(), left.timestamp.max(right.timestamp));
        Self { key, left: Some(left), right: Some(right), timestamp }
    }

    /// A left side without a right one.
    pub fn left_only(left: Record) -> Self {
        let (key, timestamp) = (left.key.clone(), left.timestamp);
        Self { key, left: Some(left), right: None, timestamp }
    }

    /// A right side without a left one.
    pub fn right_only(right: Record) -> Self {
        let (key, timestamp) = (right.key.clone(), right.timestamp);
        Self { key, left: None, right: Some(right), timestamp }
    }
}

/// Records that go to the same state of an aggregate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The key.
    pub key: Vec<u8>,
    /// The window, where there is one.
    pub window: Option<Window>,
    /// The state so far: its version and its bytes.
    pub state: Option<(u32, Vec<u8>)>,
    /// States of the sessions to merge, the earliest first.
    pub absorbed: Vec<(u32, Vec<u8>)>,
    /// The records in order; those with `true` are taken back, the others are added.
    pub entries: Vec<(bool, Record)>,
}

impl Group {
    /// Records that are added to the state of a key that has none yet.
    pub fn new(key: impl IntoKey, records: impl IntoIterator<Item = Record>) -> Self {
        let entries = records.into_iter().map(|record| (false, record)).collect();
        Self { key: key.into_key(), entries, ..Self::default() }
    }

    /// The same in a window: its first instant and its end, in milliseconds since the epoch.
    #[must_use]
    pub fn window(mut self, start: i64, end: i64) -> Self {
        self.window = Some(Window { start, end });
        self
    }

    /// The same with this state before.
    #[must_use]
    pub fn state(mut self, version: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.state = Some((version, bytes.into()));
        self
    }

    /// The same with the state of one more session to merge. A group with such sessions has no state before.
    #[must_use]
    pub fn absorb(mut self, version: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.absorbed.push((version, bytes.into()));
        self
    }
}

/// The results of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouped {
    /// The new state.
    pub state: Option<(u32, Vec<u8>)>,
    /// The result, in mode `last`.
    pub value: Option<Vec<u8>>,
    /// One outcome for each record.
    pub outcomes: Vec<Outcome>,
    /// Indexes of the group's records that deleted the state.
    pub deleted: Vec<usize>,
}

/// The outcome of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was processed.
    Outputs(Vec<Put>),
    /// It was skipped, with this code.
    Skip(String),
    /// It failed.
    Fail {
        /// Permanent or transient.
        kind: Kind,
        /// The code.
        code: String,
        /// The text.
        text: String,
    },
}

impl Outcome {
    /// The values of the outputs as text; a null value as `null`.
    ///
    /// # Panics
    /// If the record wasn't processed.
    #[allow(clippy::panic, reason = "a test bench")]
    pub fn texts(&self) -> Vec<String> {
        let Self::Outputs(outputs) = self else { panic!("expected outputs, found {self:?}") };
        outputs.iter().map(Put::text).collect()
    }

    /// The ports of the outputs.
    ///
    /// # Panics
    /// If the record wasn't processed.
    #[allow(clippy::panic, reason = "a test bench")]
    pub fn ports(&self) -> Vec<&'static str> {
        let Self::Outputs(outputs) = self else { panic!("expected outputs, found {self:?}") };
        outputs.iter().map(|output| output.port).collect()
    }

    /// The keys of the outputs; none for a null key.
    ///
    /// # Panics
    /// If the record wasn't processed.
    #[allow(clippy::panic, reason = "a test bench")]
    pub fn keys(&self) -> Vec<Option<&[u8]>> {
        let Self::Outputs(outputs) = self else { panic!("expected outputs, found {self:?}") };
        outputs.iter().map(|output| output.key.as_deref()).collect()
    }

    /// A failure as `code: text`.
    ///
    /// # Panics
    /// If the record didn't fail.
    #[allow(clippy::panic, reason = "a test bench")]
    pub fn failure(&self) -> String {
        let Self::Fail { code, text, .. } = self else { panic!("expected a failure, found {self:?}") };
        format!("{code}: {text}")
    }

    /// Whether it was processed.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Outputs(_))
    }
}

/// An output, with the parts that it took over from its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Name of the port.
    pub port: &'static str,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Event time.
    pub timestamp: i64,
    /// Headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Put {
    /// The value as text; a null value as `null`.
    pub fn text(&self) -> String {
        self.value.as_ref().map_or_else(|| "null".into(), |value| String::from_utf8_lossy(value).into_owned())
    }
}
