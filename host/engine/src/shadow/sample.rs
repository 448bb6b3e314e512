//! An example of a difference.

use serde::{Deserialize, Serialize};

/// An example of a difference, with the record that it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Name of the step or source that the record came from.
    pub input: String,
    /// Key, as text.
    pub key: Option<String>,
    /// Value, as text.
    pub value: Option<String>,
    /// Timestamp.
    pub timestamp: i64,
    /// What the active version gives.
    pub old: String,
    /// What the shadow gives.
    pub new: String,
}
