//! Rewriting entries of older state versions: after [`Finalize`](super::Act::Finalize), tasks walk through their stores, at
//! a rate, and write the entries of older versions anew. When all tasks are done, the app forgets these versions: its stores
//! have none of them.
//!
//! A task writes down nothing about its walk. After a restart or a rebalance the walk begins anew, and passes over the
//! rewritten entries in a fraction of the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::{Deployment, PluginRecord};
use super::rules::{AppDeployments, refused};
use super::{ActivePlugins, DeploymentRefused};
use crate::contents::Contents;
use crate::record::Timestamp;
use crate::step::Rewrites;

/// Entries a second that each process rewrites, unless a user wants another rate.
pub const REWRITE_RATE: u32 = 10_000;

/// Entries of older state versions are to be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// Entries a second in each process.
    pub rate: u32,
    /// The number of the change that has asked for it. Tasks begin a walk for each.
    #[serde(default)]
    pub request: u32,
}

impl Rewrite {
    /// At this rate.
    pub fn at(rate: u32) -> Self {
        Self { rate, request: 0 }
    }
}

/// How far the rewriting of a plugin's stores is: of a task, a process or the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteCounts {
    /// Entries that were looked at.
    pub looked: u64,
    /// Entries that were rewritten.
    pub rewritten: u64,
    /// Entries that can't be rewritten, by function and store.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<String, Left>,
}

/// Entries of a store that can't be rewritten: they stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Their number.
    pub entries: u64,
    /// The key of the first one, and why it can't be rewritten.
    pub reason: String,
}

/// How many entries a worker may rewrite now: as many as its rate allows since the last time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RewritePace {
    allowed: f64,
    at: Option<Timestamp>,
}

/// Most milliseconds whose entries may be rewritten at once.
const MOST_MS: i64 = 100;

impl RewritePace {
    /// The entries that one of several workers of a process may rewrite at `now`, in milliseconds.
    pub fn allowed(&mut self, plugins: &ActivePlugins, workers: usize, now: Timestamp) -> usize {
        let rate = plugins.deployments.iter().filter_map(|it| Some(it.rewrites.as_ref()?.rate)).max();
        let Some(rate) = rate else {
            *self = Self::default();
            return 0;
        };
        let a_ms = f64::from(rate) / 1_000.0 / workers.max(1) as f64;
        let passed = self.at.replace(now).map_or(1, |before| now.saturating_sub(before).clamp(0, MOST_MS));
        self.allowed = (self.allowed + a_ms * passed as f64).min((a_ms * MOST_MS as f64).max(1.0));
        self.allowed as usize
    }

    /// Entries were rewritten, or entries looked at that cost as much.
    pub fn spent(&mut self, cost: usize) {
        self.allowed -= cost as f64;
    }
}

/// A number of entries, for people.
fn entries(number: u64) -> String {
    if number == 1 { "1 entry".into() } else { format!("{number} entries") }
}

impl RewriteCounts {
    /// The sums of counts by plugin: of tasks, or of processes.
    pub fn sums<'c>(counts: impl Iterator<Item = (&'c String, &'c Self)>) -> BTreeMap<String, Self> {
        let mut sums: BTreeMap<String, Self> = BTreeMap::new();
        counts.for_each(|(plugin, counts)| sums.entry(plugin.clone()).or_default().add(counts));
        sums
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.looked += other.looked;
        self.rewritten += other.rewritten;
        for (store, left) in &other.left {
            self.leave(store, left.entries, &left.reason);
        }
    }

    /// Counts entries of a store that can't be rewritten.
    pub(crate) fn leave(&mut self, store: &str, entries: u64, reason: &str) {
        let left = self.left.entry(store.to_owned()).or_default();
        if left.reason.is_empty() {
            reason.clone_into(&mut left.reason);
        }
        left.entries += entries;
    }

    /// The result, for people.
    pub fn verdict(&self) -> String {
        let mut text = format!("{} rewritten", entries(self.rewritten));
        for (store, Left { entries: left, reason }) in &self.left {
            text += &match left {
                0 => format!("; the versions of `{store}` stay known: {reason}"),
                _ => format!("; {} of `{store}` can't be, such as {reason}", entries(*left)),
            };
        }
        text
    }

    /// The older versions of these stores, by function and store, stay known where other stores have state of the same
    /// function: those of steps that no running process has. `present` are the stores of running processes, by name: their
    /// tasks have gone through those that may have older versions. `all` are the stores of which anything is known, and
    /// `holds_any` says whether one has entries.
    ///
    /// # Errors
    /// Those of `holds_any`.
    pub fn keep_versions<E>(
        &mut self,
        stores: &BTreeSet<String>,
        present: &BTreeSet<String>,
        all: &BTreeMap<String, Contents>,
        holds_any: &mut dyn FnMut(&str) -> Result<bool, E>,
    ) -> Result<(), E> {
        for (name, contents) in all.iter().filter(|(name, _)| !present.contains(*name)) {
            let of_function =
                |store: &&String| store.split_once('/').map(|(function, _)| function) == contents.function();
            let same: Vec<_> = stores.iter().filter(of_function).collect();
            if !same.is_empty() && holds_any(name)? {
                let reason =
                    format!("the store `{name}` of the step `{}` isn't rewritten, as no task has it", contents.step);
                same.into_iter().for_each(|store| self.leave(store, 0, &reason));
            }
        }
        Ok(())
    }
}

impl AppDeployments {
    /// The active version of a plugin, which writes its newest state versions, rewrites the entries of older ones. Where it
    /// does already, the rate changes.
    ///
    /// # Errors
    /// No entry is of an older version.
    pub(super) fn rewrite(&mut self, plugin: &str, Rewrite { rate, .. }: Rewrite) -> Result<u32, DeploymentRefused> {
        let at = self.generation().saturating_add(1);
        let (record, active) = self.record(plugin)?;
        let generation = active.generation;
        if active.rewrite.is_some_and(|rewrite| rewrite.rate == rate) {
            return Ok(generation);
        }
        if record.older_stores(active).is_empty() {
            let reason = format!(
                "there is no state to rewrite: all of it is in the versions that generation {generation} writes"
            );
            return Err(refused(plugin, reason));
        }
        let Some(record) = self.plugins.get_mut(plugin) else { return Ok(generation) };
        if let Some(active) = record.of_generation(generation) {
            let request = active.rewrite.map_or(at, |rewrite| rewrite.request);
            active.rewrite = Some(Rewrite { rate, request });
        }
        (record.reached, record.generation) = (at, at);
        Ok(generation)
    }

    /// All tasks have rewritten the entries of these stores. Their older state versions are gone, but for those of
    /// entries that can't be rewritten. Nothing changes if another deployment came first.
    pub(super) fn rewritten(
        &mut self,
        plugin: &str,
        generation: u32,
        stores: &BTreeSet<String>,
        counts: &RewriteCounts,
    ) -> Result<(), DeploymentRefused> {
        let at = self.generation().saturating_add(1);
        let active = self.record(plugin)?.1;
        if active.generation != generation || active.rewrite.is_none() {
            let reason = format!("generation {generation} rewrites no state: another change came first");
            return Err(refused(plugin, reason));
        }
        let now: Vec<_> = active.stores.iter().map(|(store, versions)| (store.clone(), versions.now)).collect();
        let Some(record) = self.plugins.get_mut(plugin) else { return Ok(()) };
        for (store, now) in now.into_iter().filter(|(store, _)| stores.contains(store)) {
            if !counts.left.contains_key(&store)
                && let Some(versions) = record.state_versions.get_mut(&store)
            {
                *versions = vec![now];
            }
        }
        if let Some(active) = record.of_generation(generation) {
            (active.rewrite, active.rewritten) = (None, Some(counts.clone()));
        }
        (record.reached, record.generation) = (at, at);
        Ok(())
    }
}

impl PluginRecord {
    /// Whether entries may be of other versions than the ones that the active deployment writes.
    pub fn has_older_state(&self) -> bool {
        self.active().is_some_and(|active| !self.older_stores(active).is_empty())
    }

    /// The stores that may have entries in other versions than the ones that this deployment writes, each with the version
    /// that it writes.
    fn older_stores(&self, active: &Deployment) -> BTreeMap<String, u32> {
        let older = |(store, written): (&String, &Vec<u32>)| {
            let now = active.stores.get(store)?.now;
            written.iter().any(|version| *version != now).then(|| (store.clone(), now))
        };
        self.state_versions.iter().filter_map(older).collect()
    }

    /// The stores whose entries the tasks rewrite, if they do.
    pub(super) fn rewrites(&self) -> Option<Arc<Rewrites>> {
        let active = self.active()?;
        let Rewrite { rate, request } = active.rewrite?;
        Some(Arc::new(Rewrites { rate, request, versions: self.older_stores(active) }))
    }
}
