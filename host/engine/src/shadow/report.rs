//! The report of a shadow: its differences, grouped and counted, with examples.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ignore::Ignore;

/// Examples that are kept of each group.
const SAMPLES: usize = 20;

/// A class of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// One version skipped or failed where the other put something out, or with another code.
    Outcome,
    /// The number of outputs.
    Outputs,
    /// The port of an output.
    Port,
    /// The key of an output.
    Key,
    /// The value of an output.
    Value,
    /// The timestamp of an output.
    Timestamp,
    /// The headers of an output.
    Headers,
    /// What the function keeps.
    State,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Outcome, Self::Outputs, Self::Port, Self::Key, Self::Value, Self::Timestamp, Self::Headers, Self::State];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Outputs => "outputs",
            Self::Port => "port",
            Self::Key => "key",
            Self::Value => "value",
            Self::Timestamp => "timestamp",
            Self::Headers => "headers",
            Self::State => "state",
        }
    }
}

/// A difference of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its class.
    pub class: Class,
    /// Where: the path in the JSON of a value or state, or the name of a header; otherwise empty.
    pub place: String,
    /// What the active version gives.
    pub old: String,
    /// What the shadow gives.
    pub new: String,
}

/// What the differences of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct GroupKey {
    /// `plugin.function`.
    pub function: String,
    /// The class.
    pub class: Class,
    /// Where. Numbers of elements are `*`.
    pub place: String,
}

/// Differences of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShadowGroup {
    /// Number of records.
    pub records: u64,
    /// The first ones.
    pub samples: Vec<Sample>,
}

/// An example of a difference, with the record that it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// The differences of a shadow.
#[derive(Clone, Debug, Default)]
pub struct ShadowReport {
    /// Records that both versions have processed.
    pub compared: u64,
    /// Records of these without a difference that counts.
    pub equal: u64,
    /// Differences that were ignored.
    pub ignored: u64,
    /// Records that the shadow didn't process, because the host failed or had no time.
    pub skipped: u64,
    /// The differences.
    pub groups: BTreeMap<GroupKey, ShadowGroup>,
    ignore: Vec<Ignore>,
}

impl ShadowReport {
    pub(super) fn new(ignore: Vec<Ignore>) -> Self {
        Self { ignore, ..Self::default() }
    }

    pub(super) fn skip(&mut self, records: usize) {
        self.skipped += records as u64;
    }

    /// Adds a record with its differences. `sample` describes the record.
    pub(super) fn add(&mut self, function: &str, differences: Vec<Difference>, sample: impl Fn() -> Sample) {
        self.compared += 1;
        let (ignored, counted): (Vec<_>, Vec<_>) =
            differences.into_iter().partition(|difference| self.ignore.iter().any(|ignore| ignore.covers(difference)));
        self.ignored += ignored.len() as u64;
        self.equal += u64::from(counted.is_empty());
        for Difference { class, place, old, new } in counted {
            let key = GroupKey { function: function.to_owned(), class, place: without_numbers(&place) };
            let group = self.groups.entry(key).or_default();
            group.records += 1;
            if group.samples.len() < SAMPLES {
                group.samples.push(Sample { old, new, ..sample() });
            }
        }
    }
}

fn without_numbers(place: &str) -> String {
    let part = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { "*".to_owned() } else { part.to_owned() }
    };
    place.split('/').map(part).collect::<Vec<_>>().join("/")
}
