//! The flood guard: a deployment after which most records fail must not turn a topic into dead letters.
//!
//! It counts results and permanent failures of each function. If after a deployment the share of failures reaches a limit, and
//! is many times the share before, the driver drops the open transaction and holds the input until another version is
//! active.

use std::collections::{BTreeMap, BTreeSet};

use super::active::ActivePlugins;
use super::record::Deployment;
use super::rules::{AppDeployments, refused};
use super::{Act, Author, DeploymentRefused};
use crate::ledger::{Ledger, VersionCounts};
use crate::record::Timestamp;
use crate::step::{Deployed, Flood};
use crate::topology::FloodLimits;

/// How many times the earlier share of failures a flood has.
const TIMES: u64 = 10;

/// How long after a deployment a process that starts watches it, in milliseconds: the deployment may be why it starts.
const YOUNG_MS: i64 = 600_000;

/// The share of failures, in hundredths of a percent, of a flood of which nothing is known from before.
const SHARE_ALONE: u32 = 9_000;

/// Results of a version after which the guard no longer watches it: later failures have another cause.
const WATCHED: u64 = 100_000;

/// The number of a plugin in the topology, and the generation.
type Version = (usize, u32);

/// Guards against floods of dead letters.
#[derive(Clone, Debug)]
pub struct FloodGuard {
    limits: Option<FloodLimits>,
    /// The counts of committed transactions, by function.
    counts: BTreeMap<Version, BTreeMap<String, VersionCounts>>,
    /// Versions that have begun to process records under this guard.
    watched: BTreeSet<Version>,
    active: Vec<(u32, Option<u32>)>,
}

/// A version whose records fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flooded {
    /// Name of the plugin.
    pub plugin: String,
    /// Generation of the version.
    pub generation: u32,
    /// The counts, for people.
    pub reason: String,
}

impl Flooded {
    /// Drivers log it when they see a flood.
    pub const SEEN: &'static str = "too many records fail after a deployment: nothing more is dead-lettered, and the input waits for \
        another version";

    /// Drivers log it while the input waits for a user.
    pub const HELD: &'static str = "the input waits, because too many records fail since a deployment, and the app can't go back by \
        itself: deploy another version, or let them fail with `millrace deployments resume`";

    /// The way back from the version; none if it processes no records any more.
    pub fn way_back(&self, deployments: &AppDeployments) -> Option<Act> {
        let (plugin, generation) = (self.plugin.clone(), self.generation);
        let is_it = |it: Option<&Deployment>| it.is_some_and(|it| it.generation == generation);
        if is_it(deployments.active(&plugin)) {
            return Some(Act::Rollback { plugin, replaces: generation, to: None });
        }
        is_it(deployments.on_trial(&plugin)).then(|| Act::Abort(BTreeMap::from([(plugin, generation)])))
    }

    /// The input waits, where there is no way back.
    pub fn hold(&self) -> Act {
        Act::Hold { plugin: self.plugin.clone(), generation: self.generation }
    }
}

impl FloodGuard {
    /// A guard with these limits; none watches nothing. Of the versions that run already it watches canaries, and new versions
    /// of which `is_watched` says that their deployment may be why the process starts.
    pub fn new(limits: Option<FloodLimits>, plugins: &ActivePlugins, is_watched: &dyn Fn(u32) -> bool) -> Self {
        let active: Vec<_> = plugins.deployments.iter().map(generations).collect();
        let watched = new_versions(plugins).filter(|(number, generation)| {
            let is_canary = active.get(*number).is_some_and(|(_, canary)| *canary == Some(*generation));
            is_canary || is_watched(*generation)
        });
        Self { limits, counts: BTreeMap::new(), watched: watched.collect(), active }
    }

    /// Whether it watches any version now.
    pub fn is_watching(&self) -> bool {
        self.limits.is_some() && !self.watched.is_empty()
    }

    /// Whether the input is to wait as the app has decided before.
    pub fn holds(&self, plugins: &ActivePlugins) -> bool {
        self.limits.is_some() && plugins.deployments.iter().any(|deployed| deployed.flood == Flood::Held)
    }

    /// Other plugins are active.
    pub fn swapped(&mut self, plugins: &ActivePlugins) {
        let now: Vec<_> = plugins.deployments.iter().map(generations).collect();
        let ran = |(number, generation): &Version| {
            let before = self.active.get(*number);
            before.is_some_and(|(active, canary)| active == generation || *canary == Some(*generation))
        };
        let begun: Vec<_> = new_versions(plugins).filter(|version| !ran(version)).collect();
        self.watched.extend(begun);
        self.active = now;
        // A flood says nothing of the usual share of failures.
        let limits = self.limits;
        self.counts.retain(|(number, generation), counts| {
            let runs = self.active.get(*number).is_some_and(|(now, _)| now == generation);
            runs || !limits.is_some_and(|limits| counts.values().any(|counts| is_share(limits.share, counts)))
        });
        let accepted = |number: usize| plugins.deployments.get(number).is_some_and(|it| it.flood == Flood::Accepted);
        self.watched.retain(|(number, _)| !accepted(*number));
        let active = &self.active;
        let runs = |(number, generation): &(usize, u32)| {
            active.get(*number).is_some_and(|(now, canary)| now == generation || *canary == Some(*generation))
        };
        self.watched.retain(runs);
    }

    /// Adds a committed transaction.
    pub fn committed(&mut self, ledger: &Ledger) {
        for (version, functions) in &ledger.versions {
            let all = self.counts.entry(*version).or_default();
            functions.iter().for_each(|(function, counts)| all.entry(function.clone()).or_default().add(counts));
        }
        let seen = |version: &Version| {
            let functions = self.counts.get(version).into_iter().flatten();
            functions.map(|(_, counts)| counts.records).max().unwrap_or(0)
        };
        self.watched.retain(|version| seen(version) < WATCHED);
    }

    /// The first version of which too many records fail, those of the open transaction included.
    pub fn check(&self, plugins: &ActivePlugins, open: &[&Ledger]) -> Option<Flooded> {
        let limits = self.limits?;
        let mut found = self.watched.iter().flat_map(|version| {
            let parts = open.iter().filter_map(|ledger| ledger.versions.get(version)).chain(self.counts.get(version));
            let mut functions: BTreeMap<&str, VersionCounts> = BTreeMap::new();
            let mut all = VersionCounts::default();
            for (function, counts) in parts.flatten() {
                functions.entry(function).or_default().add(counts);
                all.add(counts);
            }
            let each = functions.into_iter().map(|(function, counts)| (Some(function.to_owned()), counts));
            each.chain([(None, all)]).map(|(function, counts)| (*version, function, counts))
        });
        found.find_map(|(version, function, counts)| {
            let before = self.before(version, function.as_deref());
            let function = function.as_deref();
            is_flood(limits, &counts, &before).then(|| flooded(plugins, version, function, (&counts, &before)))?
        })
    }

    /// The counts of a function, or of all, of all other versions of the plugin.
    fn before(&self, (number, generation): Version, function: Option<&str>) -> VersionCounts {
        let mut before = VersionCounts::default();
        let others = self.counts.iter().filter(|((plugin, other), _)| *plugin == number && *other != generation);
        let of = others.flat_map(|(_, functions)| functions);
        let of = of.filter(|(name, _)| function.is_none_or(|function| function == name.as_str()));
        of.for_each(|(_, counts)| before.add(counts));
        before
    }
}

/// The versions that take the place of others, and canaries.
fn new_versions(plugins: &ActivePlugins) -> impl Iterator<Item = Version> {
    plugins.deployments.iter().enumerate().flat_map(|(number, deployed)| {
        let (active, canary) = generations(deployed);
        let versions = [deployed.is_new_version.then_some(active), canary];
        versions.into_iter().flatten().map(move |generation| (number, generation))
    })
}

impl AppDeployments {
    /// Whether a process that starts watches this generation: the start has deployed it, as all from `new` on, or it became
    /// active a short time ago.
    pub fn is_watched(&self, generation: u32, new: u32, now: Timestamp) -> bool {
        let mut all = self.plugins.values().flat_map(|record| &record.deployments);
        let began = |it: &Deployment| {
            let canary = it.trial.as_ref().and_then(|trial| trial.canary());
            canary.map_or(it.at, |canary| it.at.max(canary.since))
        };
        let is_young = |it: &Deployment| it.generation == generation && now.saturating_sub(began(it)) < YOUNG_MS;
        generation >= new || all.any(is_young)
    }

    /// Holds the input because of the active version, or lets it go on.
    pub(super) fn set_flood(
        &mut self,
        plugin: &str,
        generation: u32,
        flood: Flood,
        author: &Author,
    ) -> Result<(), DeploymentRefused> {
        let at = self.generation().saturating_add(1);
        let active = self.record(plugin)?.1;
        if active.generation != generation {
            return Err(refused(
                plugin,
                format!("another deployment came first: generation {} is active", active.generation),
            ));
        }
        // What a user has accepted isn't held again.
        if active.flood == flood || (active.flood, flood) == (Flood::Accepted, Flood::Held) {
            return Ok(());
        }
        let Some(record) = self.plugins.get_mut(plugin) else { return Ok(()) };
        if let Some(active) = record.of_generation(generation) {
            (active.flood, active.verdict) = (flood, author.note.clone());
        }
        (record.reached, record.generation) = (at, at);
        Ok(())
    }
}

fn generations(deployed: &Deployed) -> (u32, Option<u32>) {
    (deployed.generation, deployed.canary.as_ref().map(|canary| canary.generation))
}

fn is_flood(limits: FloodLimits, counts: &VersionCounts, before: &VersionCounts) -> bool {
    if counts.records < limits.records {
        return false;
    }
    // Too few results before are no measure.
    if before.records < limits.records {
        return is_share(limits.share.max(SHARE_ALONE), counts);
    }
    let times =
        |counts: &VersionCounts, others: &VersionCounts| u128::from(counts.failed()) * u128::from(others.records);
    is_share(limits.share, counts) && times(counts, before) >= u128::from(TIMES) * times(before, counts)
}

fn is_share(share: u32, counts: &VersionCounts) -> bool {
    u128::from(counts.failed()) * 10_000 >= u128::from(counts.records.max(1)) * u128::from(share)
}

fn flooded(
    plugins: &ActivePlugins,
    (number, generation): Version,
    function: Option<&str>,
    (counts, before): (&VersionCounts, &VersionCounts),
) -> Option<Flooded> {
    let plugin = plugins.topology.plugins.get(number)?.name.clone();
    let code = counts.failures.iter().max_by_key(|(_, n)| **n).map_or("", |(code, _)| code.as_str());
    let earlier = match before.records {
        0 => String::new(),
        records => format!(", and {} of {records} before it", before.failed()),
    };
    let (failed, records) = (counts.failed(), counts.records);
    let of = function.map(|function| format!(" of `{function}`")).unwrap_or_default();
    let reason = format!("{failed} of {records} results{of} failed{earlier}, most of them with `{code}`");
    Some(Flooded { plugin, generation, reason })
}
