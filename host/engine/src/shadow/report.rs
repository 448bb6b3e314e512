//! The report of a shadow: its differences, grouped and counted, with examples.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ignore::Ignore;
use super::sample::Sample;

/// Examples that are kept of each group.
const SAMPLES: usize = 20;

/// Groups of differences that are told apart: a shadow chooses names of fields as it likes.
const GROUPS: usize = 200;

/// The place of all that come after.
const OTHERS: &str = "(others)";

/// Most characters of a place.
const PLACE_CHARACTERS: usize = 200;

/// A class of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The timers that the function sets or cancels.
    Timers,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Outcome,
        Self::Outputs,
        Self::Port,
        Self::Key,
        Self::Value,
        Self::Timestamp,
        Self::Headers,
        Self::State,
        Self::Timers,
    ];

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
            Self::Timers => "timers",
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupKey {
    /// `plugin.function`.
    pub function: String,
    /// The class.
    pub class: Class,
    /// Where. Numbers of elements are `*`.
    pub place: String,
}

/// Differences of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowGroup {
    /// Number of records.
    pub records: u64,
    /// The first ones.
    pub samples: Vec<Sample>,
}

/// The differences of a shadow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowReport {
    /// Generation of the shadow; of several, the newest.
    #[serde(skip)]
    pub generation: u32,
    /// Results that both versions have given.
    pub compared: u64,
    /// Results of these without a difference that counts.
    pub equal: u64,
    /// Differences that were ignored.
    pub ignored: u64,
    /// Records that the shadow didn't finish in the time of its call, or because the host failed.
    pub unfinished: u64,
    /// Records that the shadow didn't get, because its budget was used up.
    pub left_out: u64,
    /// The differences.
    #[serde(with = "as_list")]
    pub groups: BTreeMap<GroupKey, ShadowGroup>,
}

impl ShadowReport {
    /// Adds a record with its differences. `sample` describes the record.
    pub(super) fn add(
        &mut self,
        (function, ignore): (&str, &[Ignore]),
        differences: Vec<Difference>,
        sample: impl Fn() -> Sample,
    ) {
        self.compared += 1;
        let (ignored, counted): (Vec<_>, Vec<_>) =
            differences.into_iter().partition(|difference| ignore.iter().any(|ignore| ignore.covers(difference)));
        self.ignored += ignored.len() as u64;
        self.equal += u64::from(counted.is_empty());
        for Difference { class, place, old, new } in counted {
            let place = without_numbers(&place).chars().take(PLACE_CHARACTERS).collect();
            let mut key = GroupKey { function: function.to_owned(), class, place };
            if self.groups.len() >= GROUPS && !self.groups.contains_key(&key) {
                key = GroupKey { place: OTHERS.to_owned(), ..key };
            }
            let group = self.groups.entry(key).or_default();
            group.records += 1;
            if group.samples.len() < SAMPLES {
                group.samples.push(Sample { old, new, ..sample() });
            }
        }
    }

    /// Takes its contents.
    pub(super) fn take(&mut self) -> Self {
        let next = Self { generation: self.generation, ..Self::default() };
        std::mem::replace(self, next)
    }

    /// Drops half of the examples of each group. False if there are none left to drop.
    pub fn shorten(&mut self) -> bool {
        let longest = self.groups.values().map(|group| group.samples.len()).max().unwrap_or(0);
        self.groups.values_mut().for_each(|group| group.samples.truncate(longest / 2));
        longest > 0
    }

    /// Adds another report of the same shadow.
    pub fn merge(&mut self, other: Self) {
        self.compared += other.compared;
        self.equal += other.equal;
        self.ignored += other.ignored;
        self.unfinished += other.unfinished;
        self.left_out += other.left_out;
        for (mut key, ShadowGroup { records, samples }) in other.groups {
            if self.groups.len() >= GROUPS && !self.groups.contains_key(&key) {
                key.place = OTHERS.to_owned();
            }
            let group = self.groups.entry(key).or_default();
            group.records += records;
            let room = SAMPLES.saturating_sub(group.samples.len());
            group.samples.extend(samples.into_iter().take(room));
        }
    }
}

/// Groups as a list, each with its key.
mod as_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{GroupKey, ShadowGroup};

    #[derive(Serialize, Deserialize)]
    struct Entry {
        #[serde(flatten)]
        key: GroupKey,
        #[serde(flatten)]
        group: ShadowGroup,
    }

    pub(super) fn serialize<S: Serializer>(groups: &BTreeMap<GroupKey, ShadowGroup>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(groups.iter().map(|(key, group)| Entry { key: key.clone(), group: group.clone() }))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<BTreeMap<GroupKey, ShadowGroup>, D::Error> {
        let entries = Vec::<Entry>::deserialize(from)?;
        Ok(entries.into_iter().map(|Entry { key, group }| (key, group)).collect())
    }
}

fn without_numbers(place: &str) -> String {
    let part = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { "*".to_owned() } else { part.to_owned() }
    };
    place.split('/').map(part).collect::<Vec<_>>().join("/")
}
