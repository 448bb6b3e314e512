//! Cases as the files have them: an operator or a pipeline, its inputs, and the outputs of Kafka Streams.

use std::path::{Path, PathBuf};

use millrace_engine::record::{Timestamp, Window};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::op::Op;

/// The topic of an operator's outputs.
pub const OUT: &str = "out";

/// The topic of dead letters, whatever the pipeline file calls it.
pub const DEAD_LETTERS: &str = "dead-letters";

/// A case: one line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The operator or pipeline.
    #[serde(flatten)]
    pub subject: Subject,
    /// The inputs, in their order.
    #[serde(rename = "in")]
    pub inputs: Vec<Input>,
    /// The outputs of Kafka Streams, in their order.
    #[serde(rename = "out")]
    pub outputs: Vec<Output>,
}

/// What a case is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A single operator.
    Op(Op),
    /// A file of `pipelines/`, by its name without the end.
    Pipeline(String),
}

/// A record that comes in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Input {
    /// The topic; of an operator `left`, and `right` where there are two.
    #[serde(rename = "i")]
    pub topic: String,
    /// Key.
    #[serde(rename = "k")]
    pub key: Option<String>,
    /// Value.
    #[serde(rename = "v", deserialize_with = "value")]
    pub value: Option<String>,
    /// Event time.
    #[serde(rename = "t")]
    pub timestamp: Timestamp,
}

/// A record that comes out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Output {
    /// The topic.
    #[serde(rename = "o", default = "out")]
    pub topic: String,
    /// Key.
    #[serde(rename = "k")]
    pub key: Option<String>,
    /// Start and end of its window, where it has one.
    #[serde(rename = "w", default)]
    pub window: Option<(Timestamp, Timestamp)>,
    /// Value.
    #[serde(rename = "v", deserialize_with = "value")]
    pub value: Option<String>,
    /// Event time; of a dead letter, that of the record.
    #[serde(rename = "t")]
    pub timestamp: Timestamp,
    /// Index of the record that came in before it.
    #[serde(rename = "n")]
    pub after: usize,
}

impl Output {
    /// A window as files have it.
    pub fn window_of(window: Window) -> (Timestamp, Timestamp) {
        (window.start, window.end)
    }
}

fn out() -> String {
    OUT.to_owned()
}

/// A value is text. A file may have an object in its place: it stands for its own text.
fn value<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let Some(raw) = Option::<Box<RawValue>>::deserialize(value)? else { return Ok(None) };
    match raw.get() {
        text if text.starts_with('"') => serde_json::from_str(text).map_err(de::Error::custom),
        object if object.starts_with('{') => Ok(Some(object.to_owned())),
        other => Err(de::Error::custom(format!("a value is text, an object or null, and not {other}"))),
    }
}

/// A file of cases can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line isn't a case.
    #[error("{}:{line}: not a case", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Reads a file of cases.
///
/// # Errors
/// It can't be read, or a line of it isn't a case.
pub fn read(path: &Path) -> Result<Vec<Case>, FileError> {
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Read { path: path.into(), source })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let case = |(index, line)| {
        serde_json::from_str(line).map_err(|source| FileError::Line { path: path.into(), line: index + 1, source })
    };
    lines.map(case).collect()
}
