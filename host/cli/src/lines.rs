//! Records as lines of JSON, as `replay`, `topic read` and `topic write` read and write them.
//!
//! ```text
//! {"topic":"orders","partition":0,"key":42,"value":{"id":42,"price":19.90},"timestamp":1700000000000}
//! ```
//!
//! | field | shape |
//! |---|---|
//! | `topic` | string; may be left out where a command names it |
//! | `partition` | number; without it the key decides |
//! | `key` | by the topic's codec: `i64` a number, `string` a string, `bytes` base64; null or left out: no key. Refused if the codec is unknown, as on Kafka without `--key` |
//! | `keyBase64` | in place of `key`: raw bytes, for keys that don't fit the codec, or have none |
//! | `value` | any JSON; its text without white space is the bytes, number literals and the order of fields included; null: a tombstone |
//! | `valueBase64` | in place of `value`: raw bytes, for what isn't JSON, for empty values and for the JSON text `null` |
//! | `timestamp` | number: milliseconds since the epoch |
//! | `headers` | object of name to string, `{"base64": ..}` or null, and to a number where the header is known to hold one in bytes (`kafka_dlt-original-offset`); or a list of pairs `[name, value]` where a name comes twice or isn't text (then it is `{"base64": ..}` too) |
//! | `window` | `[start, end]` in milliseconds since the epoch: in the topic, the last two headers, `millrace-window-start` and `millrace-window-end` |
//!
//! [`print`](print()) undoes [`parse`], except for white space in JSON values; [`Line::with_own_window`] undoes
//! [`Line::all_headers`]. A field with another name is an error.

mod headers;
mod json;
mod key;
mod known;
mod parse;
mod print;
mod reader;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::{Headers, Timestamp, Window};

pub use key::text as key_text;
pub use parse::parse;
pub use print::{Row, print, print_row};
pub use reader::{LineReader, ReadError};

/// The content of one line: a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Topic.
    pub topic: Cow<'a, str>,
    /// Partition, where it is given.
    pub partition: Option<u32>,
    /// Key; `None` is Kafka's null.
    pub key: Option<Bytes>,
    /// Value; `None` is Kafka's null, a tombstone.
    pub value: Option<Bytes>,
    /// Event time, where it is given.
    pub timestamp: Option<Timestamp>,
    /// Headers.
    pub headers: Headers,
    /// Window, where there is one.
    pub window: Option<Window>,
}

impl Line<'_> {
    /// The same with its last two headers as its window, if they are the bounds of one.
    #[must_use]
    pub fn with_own_window(self) -> Self {
        match known::split(&self.headers) {
            Some((headers, window)) => Self { headers, window: Some(window), ..self },
            None => self,
        }
    }

    /// The headers of the record, with those of the window.
    pub fn all_headers(&self) -> Headers {
        known::join(self.headers.clone(), self.window)
    }
}

/// The codec of the keys of each topic.
#[derive(Clone, Debug)]
pub struct KeyCodecs {
    topics: BTreeMap<String, KeyCodec>,
    others: Option<KeyCodec>,
    default_topic: Option<String>,
}

impl KeyCodecs {
    /// The same codec for all topics. `None`: it is unknown, so a key's text would be ambiguous, and only `keyBase64`
    /// is accepted.
    pub fn same(codec: Option<KeyCodec>) -> Self {
        Self { topics: BTreeMap::new(), others: codec, default_topic: None }
    }

    /// The codec of a topic's keys, where it is known.
    pub fn of(&self, topic: &str) -> Option<KeyCodec> {
        self.topics.get(topic).copied().or(self.others)
    }

    /// Help for a topic that isn't among the named ones; `None` if it is.
    fn unknown(&self, topic: &str) -> Option<String> {
        let names: Vec<_> = self.topics.keys().map(|name| format!("`{name}`")).collect();
        (!names.is_empty() && !self.topics.contains_key(topic)).then(|| format!("there are {}", names.join(", ")))
    }

    /// The same, with a topic for lines that name none.
    pub fn with_default_topic(self, topic: Option<&str>) -> Self {
        Self { default_topic: topic.map(str::to_owned), ..self }
    }
}

impl<T: Into<String>> FromIterator<(T, KeyCodec)> for KeyCodecs {
    fn from_iter<I: IntoIterator<Item = (T, KeyCodec)>>(topics: I) -> Self {
        let topics = topics.into_iter().map(|(topic, codec)| (topic.into(), codec)).collect();
        Self { topics, ..Self::same(Some(KeyCodec::Bytes)) }
    }
}

/// Why a line isn't a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {reason}; {help}", field.map(|name| format!(", field `{name}`")).unwrap_or_default())]
pub struct LineError {
    /// Number of the line, from 1.
    pub line: u64,
    /// The field with the mistake, if one has it.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub help: String,
}
