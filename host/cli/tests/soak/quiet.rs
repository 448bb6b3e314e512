//! Checks that the run has tested something: two empty topics are equal, and so are two empty sets of dead letters.

use std::collections::BTreeSet;
use std::time::Duration;

/// Runs that are shorter may lack something by chance.
const ENOUGH: Duration = Duration::from_secs(120);

/// From here on, chance doesn't explain that no record was broken in one of these ways.
const PLENTY: Duration = Duration::from_secs(600);

/// What rules and sinks refuse records for, if records are broken at all.
const CODES: [&str; 8] =
    ["asked", "bad-key", "bad-value", "deadline", "future-timestamp", "memory-limit", "null-value", "trap"];

/// The output of a run.
pub struct Shown<'s> {
    /// How long faults went on.
    pub time: Duration,
    /// Whether records were to be broken.
    pub poison: bool,
    /// Codes for which records of the input must be refused.
    pub sent: BTreeSet<&'s str>,
    /// Codes of the dead letters.
    pub letters: BTreeSet<String>,
    /// Topics with their numbers of records: in a replay, and committed.
    pub outputs: Vec<(&'s str, usize, usize)>,
}

impl Shown<'_> {
    /// What the run hasn't tested.
    pub fn missing(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.time < ENOUGH {
            return found;
        }
        for (topic, replayed, committed) in &self.outputs {
            if *replayed == 0 || *committed == 0 {
                found.push(format!("`{topic}`: {committed} records, and {replayed} in a replay: it must not be empty"));
            }
        }
        let silent = self.sent.iter().filter(|code| !self.letters.contains(**code));
        found
            .extend(silent.map(|code| format!("records were sent that are refused as {code}: no dead letter says so")));
        if self.poison && self.time >= PLENTY {
            let unsent = CODES.iter().filter(|code| !self.sent.contains(**code));
            found.extend(unsent.map(|code| format!("no record was sent that is refused as {code}")));
        }
        found
    }
}
