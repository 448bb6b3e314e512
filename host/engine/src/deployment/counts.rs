//! The results of canaries and of the active versions beside them, over the same time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::active::ActivePlugins;
use crate::ledger::{Ledger, VersionCounts};
use crate::ports::DeploymentId;

/// The time of guest calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestTime {
    /// Number of calls.
    #[serde(default)]
    pub calls: u64,
    /// Records of the calls.
    pub records: u64,
    /// Nanoseconds.
    pub nanos: u64,
    /// The sum of the squares of the calls' times, in square microseconds: how far they spread.
    #[serde(default)]
    pub squares: u64,
}

/// The results of a version in a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionResults {
    /// Results and failures.
    pub counts: VersionCounts,
    /// Time of its calls.
    pub time: GuestTime,
}

/// The results of a canary in a step, and those of the active version over the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCounts {
    /// The change with which the step began.
    pub reached: u32,
    /// Of the active version.
    pub active: VersionResults,
    /// Of the canary.
    pub canary: VersionResults,
}

impl GuestTime {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.records += other.records;
        self.nanos += other.nanos;
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// The time of one call.
    pub fn of_call(records: u64, nanos: u64) -> Self {
        let squares = u128::from(nanos).pow(2).div_ceil(1_000_000);
        Self { calls: 1, records, nanos, squares: u64::try_from(squares).unwrap_or(u64::MAX) }
    }

    /// The standard deviation of [`each`](Self::each), at most. A few calls in which the machine did something else make it
    /// as large as the difference that they make.
    pub(super) fn deviation(&self) -> f64 {
        1_000.0 * (self.squares as f64).sqrt() / (self.records as f64).max(1.0)
    }

    /// Nanoseconds for each record; none without records.
    pub(super) fn each(&self) -> Option<u64> {
        self.nanos.checked_div(self.records)
    }
}

impl TrialCounts {
    /// Adds those of another process or worker, if they are of the same step.
    pub fn add(&mut self, other: &Self) {
        if other.reached > self.reached {
            *self = other.clone();
        } else if other.reached == self.reached {
            for (mine, theirs) in [(&mut self.active, &other.active), (&mut self.canary, &other.canary)] {
                mine.counts.add(&theirs.counts);
                mine.time.add(theirs.time);
            }
        }
    }

    /// Counts a transaction, after its commit, for the canary of the plugin with this number.
    pub fn committed(&mut self, plugins: &ActivePlugins, number: usize, ledger: &Ledger) {
        let Some(deployed) = plugins.deployments.get(number) else { return };
        let Some(canary) = &deployed.canary else { return };
        for (results, generation) in [(&mut self.active, deployed.generation), (&mut self.canary, canary.generation)] {
            if let Some(counts) = ledger.versions.get(&(number, generation)) {
                results.counts.add(counts);
            }
        }
    }

    /// Adds times of calls.
    pub fn called(&mut self, plugins: &ActivePlugins, number: usize, times: &[(DeploymentId, GuestTime)]) {
        let Some(deployed) = plugins.deployments.get(number) else { return };
        let Some(canary) = &deployed.canary else { return };
        for (results, id) in [(&mut self.active, deployed.id), (&mut self.canary, canary.id)] {
            for (_, time) in times.iter().filter(|(deployment, _)| *deployment == id) {
                results.time.add(*time);
            }
        }
    }
}

/// The results of all canaries of a process, by plugin.
#[derive(Clone, Debug, Default)]
pub struct CanaryCounts(BTreeMap<String, TrialCounts>);

impl CanaryCounts {
    /// Counts a transaction, after its commit, with the times of its calls.
    pub fn committed(&mut self, plugins: &ActivePlugins, ledger: &Ledger, times: &[(DeploymentId, GuestTime)]) {
        let canaries = plugins.deployments.iter().zip(&plugins.topology.plugins).enumerate();
        for (number, (deployed, plugin)) in canaries.filter(|(_, (deployed, _))| deployed.canary.is_some()) {
            let counts = self.0.entry(plugin.name.clone()).or_default();
            if counts.reached > deployed.reached {
                // A worker that goes on with the step before is behind the others.
                continue;
            }
            if counts.reached < deployed.reached {
                *counts = TrialCounts { reached: deployed.reached, ..TrialCounts::default() };
            }
            counts.committed(plugins, number, ledger);
            counts.called(plugins, number, times);
        }
    }

    /// The counts of each plugin.
    pub fn all(&self) -> &BTreeMap<String, TrialCounts> {
        &self.0
    }
}
