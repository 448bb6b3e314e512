//! The results of canaries and of the active versions beside them, over the same time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::active::ActivePlugins;
use crate::ledger::{Ledger, VersionCounts};
use crate::ports::DeploymentId;

/// The time of guest calls: histograms, of which the medians count. A mean would say more about what else the machine had
/// to do. A call has a price of its own, so calls are told apart by the power of two of their number of records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestTime(BTreeMap<u8, Histogram>);

/// Numbers of records by the time of each: two classes for each power of two of nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Histogram(Vec<u64>);

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
    /// Adds a call of some records, which took so many nanoseconds.
    pub fn add_call(&mut self, records: u32, nanos: u64) {
        let records = records.max(1);
        let each = (nanos / u64::from(records)).max(1);
        let power = each.ilog2();
        // The upper half of a power's range is a class of its own.
        let upper = power > 0 && each >> (power - 1) & 1 == 1;
        let histogram = self.0.entry(records.ilog2() as u8).or_default();
        histogram.add(2 * power as usize + usize::from(upper), records.into());
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        for (size, histogram) in &other.0 {
            let mine = self.0.entry(*size).or_default();
            histogram.0.iter().enumerate().for_each(|(class, records)| mine.add(class, *records));
        }
    }

    /// The histograms of this and another, for calls of about as many records, of which both have at least so many.
    pub(super) fn comparable<'t>(&'t self, other: &'t Self, least: u64) -> Option<(&'t Histogram, &'t Histogram)> {
        let both = self.0.iter().filter_map(|(size, mine)| Some((mine, other.0.get(size)?)));
        both.map(|(mine, theirs)| (mine.records().min(theirs.records()), mine, theirs))
            .filter(|(records, ..)| *records >= least)
            .max_by_key(|(records, ..)| *records)
            .map(|(_, mine, theirs)| (mine, theirs))
    }
}

impl Histogram {
    fn add(&mut self, class: usize, records: u64) {
        if self.0.len() <= class {
            self.0.resize(class + 1, 0);
        }
        if let Some(count) = self.0.get_mut(class) {
            *count += records;
        }
    }

    fn records(&self) -> u64 {
        self.0.iter().sum()
    }

    /// About the nanoseconds of a record in the middle: the lower end of its class; 0 without records.
    pub(super) fn median(&self) -> u64 {
        let (all, mut below) = (self.records(), 0);
        let class = self.0.iter().position(|records| {
            below += records;
            2 * below > all
        });
        class.map_or(0, |class| {
            let power = 1_u64 << (class / 2);
            if class % 2 == 1 { power + power / 2 } else { power }
        })
    }
}

impl TrialCounts {
    /// The number of the canary's failures.
    pub fn failed(&self) -> u64 {
        self.canary.counts.failed()
    }

    /// Adds those of another process or worker, if they are of the same step.
    pub fn add(&mut self, other: &Self) {
        if other.reached > self.reached {
            *self = other.clone();
        } else if other.reached == self.reached {
            for (mine, theirs) in [(&mut self.active, &other.active), (&mut self.canary, &other.canary)] {
                mine.counts.add(&theirs.counts);
                mine.time.add(&theirs.time);
            }
        }
    }

    /// Counts a transaction, after its commit, for the canary of the plugin with this number.
    pub fn committed(&mut self, plugins: &ActivePlugins, number: usize, ledger: &Ledger) {
        let Some(deployed) = plugins.deployments.get(number) else { return };
        let Some(canary) = &deployed.canary else { return };
        for (results, generation) in [(&mut self.active, deployed.generation), (&mut self.canary, canary.generation)] {
            let functions = ledger.versions.get(&(number, generation)).into_iter().flatten();
            functions.for_each(|(_, counts)| results.counts.add(counts));
        }
    }

    /// Adds times of calls.
    pub fn called(&mut self, plugins: &ActivePlugins, number: usize, times: &[(DeploymentId, GuestTime)]) {
        let Some(deployed) = plugins.deployments.get(number) else { return };
        let Some(canary) = &deployed.canary else { return };
        for (results, id) in [(&mut self.active, deployed.id), (&mut self.canary, canary.id)] {
            for (_, time) in times.iter().filter(|(deployment, _)| *deployment == id) {
                results.time.add(time);
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
            if deployed.reached < counts.reached {
                // A worker that hasn't come to this step yet.
                continue;
            }
            if deployed.reached > counts.reached {
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
