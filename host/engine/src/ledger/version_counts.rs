//! The results of a version of a plugin.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::ports::{Failure, FailureClass};

/// Numbers of results of a version of a plugin, and of those that failed for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionCounts {
    /// Results, those that failed included: one for each record, pair or timer.
    pub records: u64,
    /// Permanent failures by code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, u64>,
}

impl VersionCounts {
    /// Counts a failure.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        if failure.class == FailureClass::Permanent {
            self.add_failures(&failure.code, 1);
        }
    }

    fn add_failures(&mut self, code: &str, n: u64) {
        let known = self.failures.len() < Ledger::MAX_CODES || self.failures.contains_key(code);
        *self.failures.entry(if known { code } else { Ledger::OTHER }.to_owned()).or_default() += n;
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        other.failures.iter().for_each(|(code, n)| self.add_failures(code, *n));
    }

    /// The number of all failures.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}
