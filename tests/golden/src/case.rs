//! Cases as the files have them: an operator, what comes in, and what Kafka Streams puts out.

use std::path::{Path, PathBuf};

use millrace_engine::record::{Timestamp, Window};
use serde::{Deserialize, Serialize};

use crate::op::Op;

/// A case: one line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// The operator.
    pub op: Op,
    /// What comes in, in this order.
    #[serde(rename = "in")]
    pub inputs: Vec<Input>,
    /// What is to come out, in this order.
    #[serde(rename = "out")]
    pub outputs: Vec<Output>,
}

/// A record that comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The topic.
    #[serde(rename = "i")]
    pub topic: Side,
    /// Key.
    #[serde(rename = "k")]
    pub key: Option<String>,
    /// Value.
    #[serde(rename = "v")]
    pub value: Option<String>,
    /// Event time.
    #[serde(rename = "t")]
    pub timestamp: Timestamp,
}

/// A topic that an operator reads: the only one is the left one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// `left`.
    Left,
    /// `right`.
    Right,
}

impl Side {
    /// Name of the topic.
    pub fn topic(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// A record that comes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Key.
    #[serde(rename = "k")]
    pub key: Option<String>,
    /// Start and end of its window, where it has one.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub window: Option<(Timestamp, Timestamp)>,
    /// Value.
    #[serde(rename = "v")]
    pub value: Option<String>,
    /// Event time.
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
