//! The flood guard: a deployment after which most records fail must not turn a topic into dead letters.
//!
//! It counts results and permanent failures of each version. If after a deployment the share of failures reaches a limit, and
//! is many times what it was before, the driver drops the open transaction and holds the input until another version is
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

/// Results of a version after which the guard no longer watches it: what fails later has another cause.
const WATCHED: u64 = 100_000;

/// Guards against floods of dead letters.
#[derive(Clone, Debug)]
pub struct FloodGuard {
    limits: Option<FloodLimits>,
    /// The counts of committed transactions, by the number of the plugin and the generation.
    counts: BTreeMap<(usize, u32), VersionCounts>,
    /// Versions that have begun to process records under this guard.
    watched: BTreeSet<(usize, u32)>,
    active: Vec<(u32, Option<u32>)>,
}

/// A version whose records fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flooded {
    /// Name of the plugin.
    pub plugin: String,
    /// Generation of the version.
    pub generation: u32,
    /// Whether it is a canary.
    pub is_canary: bool,
    /// The counts, for people.
    pub reason: String,
}

impl Flooded {
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
    /// A guard with these limits; none watches nothing. The plugins that run already aren't watched, but for those of
    /// which `is_new` says that this start has deployed them.
    pub fn new(limits: Option<FloodLimits>, plugins: &ActivePlugins, is_new: &dyn Fn(u32) -> bool) -> Self {
        let active: Vec<_> = plugins.deployments.iter().map(generations).collect();
        let watched = active.iter().enumerate().filter(|(_, (active, _))| is_new(*active));
        let watched = watched.map(|(number, (active, _))| (number, *active)).collect();
        Self { limits, counts: BTreeMap::new(), watched, active }
    }

    /// Whether the input is to wait as the app has decided before.
    pub fn holds(&self, plugins: &ActivePlugins) -> bool {
        self.limits.is_some() && plugins.deployments.iter().any(|deployed| deployed.flood == Flood::Held)
    }

    /// Other plugins are active.
    pub fn swapped(&mut self, plugins: &ActivePlugins) {
        let now: Vec<_> = plugins.deployments.iter().map(generations).collect();
        for (number, (before, after)) in self.active.iter().zip(&now).enumerate() {
            let new =
                [Some(after.0), after.1].into_iter().flatten().filter(|it| *it != before.0 && Some(*it) != before.1);
            self.watched.extend(new.map(|generation| (number, generation)));
        }
        self.active = now;
        // What was a flood isn't what was usual before.
        let limits = self.limits;
        self.counts.retain(|(number, generation), counts| {
            let runs = self.active.get(*number).is_some_and(|(now, _)| now == generation);
            runs || !limits.is_some_and(|limits| is_share(limits, counts))
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
        for (version, counts) in &ledger.versions {
            self.counts.entry(*version).or_default().add(counts);
        }
        let seen = |version: &(usize, u32)| self.counts.get(version).map_or(0, |counts| counts.records);
        self.watched.retain(|version| seen(version) < WATCHED);
    }

    /// The first version of which too many records fail, those of the open transaction included.
    pub fn check(&self, plugins: &ActivePlugins, open: &[&Ledger]) -> Option<Flooded> {
        let limits = self.limits?;
        self.watched.iter().find_map(|version| {
            let mut counts = self.counts.get(version).cloned().unwrap_or_default();
            open.iter().filter_map(|ledger| ledger.versions.get(version)).for_each(|open| counts.add(open));
            let before = self.before(*version);
            is_flood(limits, &counts, &before).then(|| flooded(plugins, *version, &counts, &before))?
        })
    }

    /// The counts of all other versions of the plugin.
    fn before(&self, (number, generation): (usize, u32)) -> VersionCounts {
        let mut before = VersionCounts::default();
        let others = self.counts.iter().filter(|((plugin, other), _)| *plugin == number && *other != generation);
        others.for_each(|(_, counts)| before.add(counts));
        before
    }
}

impl AppDeployments {
    /// Whether a process that starts watches this generation: the start has deployed it, as all from `new` on, or it was
    /// deployed a short time ago. The first one of an app has none before it.
    pub fn is_watched(&self, generation: u32, new: u32, now: Timestamp) -> bool {
        let all = self.plugins.values().flat_map(|record| &record.deployments);
        let is_young = |it: &Deployment| it.generation == generation && now.saturating_sub(it.at) < YOUNG_MS;
        generation > 1 && (generation >= new || all.into_iter().any(is_young))
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
    let (failed, records) = (u128::from(counts.failed()), u128::from(counts.records));
    let (failed_before, before) = (u128::from(before.failed()), u128::from(before.records.max(1)));
    counts.records >= limits.records
        && is_share(limits, counts)
        && failed * before >= u128::from(TIMES) * failed_before * records
}

fn is_share(limits: FloodLimits, counts: &VersionCounts) -> bool {
    u128::from(counts.failed()) * 10_000 >= u128::from(counts.records.max(1)) * u128::from(limits.share)
}

fn flooded(
    plugins: &ActivePlugins,
    (number, generation): (usize, u32),
    counts: &VersionCounts,
    before: &VersionCounts,
) -> Option<Flooded> {
    let plugin = plugins.topology.plugins.get(number)?.name.clone();
    let is_canary = plugins.deployments.get(number)?.generation != generation;
    let codes = counts.failures.iter().max_by_key(|(_, n)| **n).map_or("", |(code, _)| code.as_str());
    let earlier = match before.records {
        0 => String::new(),
        records => format!(", and {} of {records} before it", before.failed()),
    };
    let (failed, records) = (counts.failed(), counts.records);
    let reason = format!("{failed} of {records} results failed{earlier}, most of them with `{codes}`");
    Some(Flooded { plugin, generation, is_canary, reason })
}
