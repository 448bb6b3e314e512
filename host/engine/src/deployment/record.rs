//! The stored records of deployments, in the order in which they were made. New versions of Millrace only add members
//! to their serialised form.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Candidate;
use super::rewrite::{Rewrite, RewriteCounts};
use super::trial::Trial;
use crate::ports::DeploymentId;
use crate::record::Timestamp;
use crate::step::{Deployed, Flood};

/// Deployments of a plugin that are kept, with their components: a rollback needs nothing else.
pub(super) const KEPT: usize = 5;

/// Versions that are remembered after their deployments are gone.
const REMEMBERED: usize = 200;

/// Hex digits of each digest by which a version is remembered.
const REMEMBERED_DIGITS: usize = 16;

/// The deployments of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginRecord {
    /// The highest generation.
    pub generation: u32,
    /// The generation of the last change of the versions that process records: tasks that know it know all before it.
    #[serde(default)]
    pub reached: u32,
    /// State versions that may be in the stores, by function and store.
    pub state_versions: BTreeMap<String, Vec<u32>>,
    /// The last deployments, in their order.
    #[serde(default)]
    pub deployments: Vec<Deployment>,
    /// All versions that were ever active, shortened.
    #[serde(default)]
    had: Vec<String>,
    /// The stores that pipelines of the app have, by function and store.
    #[serde(default)]
    called: BTreeSet<String>,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Generation, counted from 1 in the life of the app over all plugins.
    pub generation: u32,
    /// Digest of the component.
    pub component: String,
    /// Its size in bytes.
    pub size: u64,
    /// Digest of the config.
    pub config: String,
    /// The config as JSON text.
    pub settings: String,
    /// Its state versions, by function and store.
    pub stores: BTreeMap<String, StoreVersions>,
    /// Its status.
    pub status: Status,
    /// Why it was made.
    pub cause: Cause,
    /// Name of the user and the host.
    pub by: String,
    /// When it was made.
    pub at: Timestamp,
    /// A note for people.
    #[serde(default)]
    pub note: String,
    /// How it is tried beside the active one, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// How its trial went, or why it ended, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub verdict: String,
    /// The decision of the flood guard about it.
    #[serde(default, skip_serializing_if = "Flood::is_none")]
    pub flood: Flood,
    /// Tasks rewrite the entries of older state versions, if they are told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
    /// The counts of the last rewriting that has come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<RewriteCounts>,
}

/// The state versions of a store in a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreVersions {
    /// Versions that the code can read.
    pub reads: Vec<u32>,
    /// Versions that the code can write, the newest last.
    pub writes: Vec<u32>,
    /// The version that it writes.
    pub now: u32,
}

/// The status of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Processes load it. It isn't active yet.
    Staged,
    /// It processes the records of some keys, and the active one those of all others.
    Canary,
    /// It gets calls of the active one, and its results are thrown away.
    Shadow,
    /// Tasks run it.
    Active,
    /// Another one took its place.
    Superseded,
    /// A rollback took its place.
    RolledBack,
    /// It was staged or tried, and never became active.
    Aborted,
}

/// Why a deployment was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A process started with a version that the app hadn't had.
    Start,
    /// A user deployed it.
    Deploy,
    /// A user rolled back to it.
    Rollback,
    /// A user finalised it: it writes its newest state versions from now on.
    Finalize,
}

impl Status {
    /// Whether it may still become active.
    fn is_open(self) -> bool {
        self == Self::Staged || self.is_trial()
    }

    /// Whether it is tried beside the active one.
    pub fn is_trial(self) -> bool {
        matches!(self, Self::Canary | Self::Shadow)
    }

    /// Its name, as in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Canary => "canary",
            Self::Shadow => "shadow",
            Self::Active => "active",
            Self::Superseded => "superseded",
            Self::RolledBack => "rolled-back",
            Self::Aborted => "aborted",
        }
    }
}

impl Cause {
    /// Its name, as in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Finalize => "finalize",
        }
    }
}

impl StoreVersions {
    /// The newest version that the code can write.
    pub fn newest(&self) -> u32 {
        self.writes.last().copied().unwrap_or(self.now)
    }
}

impl Deployment {
    /// How its trial and its rewriting went, for people.
    pub fn outcome(&self) -> String {
        let rewritten = self.rewritten.as_ref().map(RewriteCounts::verdict);
        let parts = std::iter::once(self.verdict.clone()).chain(rewritten).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("; ")
    }

    /// Whether it has this version of the plugin.
    pub fn is_version(&self, candidate: &Candidate) -> bool {
        self.component == candidate.component && self.config == candidate.config
    }

    /// The state versions to write to stores that don't get their newest one, by function and store.
    pub fn older_writes(&self) -> BTreeMap<String, u32> {
        let older = self.stores.iter().filter(|(_, versions)| versions.now != versions.newest());
        older.map(|(store, versions)| (store.clone(), versions.now)).collect()
    }

    /// It, for tasks.
    pub fn deployed(&self, id: DeploymentId) -> Deployed {
        Deployed { flood: self.flood, ..Deployed::new(id, self.generation, &self.component) }
    }
}

impl PluginRecord {
    /// The active deployment; none before the first one.
    pub fn active(&self) -> Option<&Deployment> {
        self.with_status(Status::Active)
    }

    /// The deployment that may become active next.
    pub fn staged(&self) -> Option<&Deployment> {
        self.with_status(Status::Staged)
    }

    /// Whether the active deployment has a version that the app hadn't run before, in place of another one.
    pub(super) fn has_new_version(&self) -> bool {
        self.active().is_some_and(|active| {
            let ran = |it: &Deployment| matches!(it.status, Status::Superseded | Status::RolledBack);
            let is_before = |it: &Deployment| it.generation < active.generation && ran(it);
            matches!(active.cause, Cause::Start | Cause::Deploy) && self.deployments.iter().any(is_before)
        })
    }

    /// The deployment that is tried beside the active one.
    pub fn on_trial(&self) -> Option<&Deployment> {
        self.deployments.iter().rev().find(|deployment| deployment.status.is_trial())
    }

    /// The generation that a task must know to process records as this says.
    pub fn reached(&self) -> u32 {
        self.reached.max(self.active().map_or(0, |active| active.generation))
    }

    fn with_status(&self, status: Status) -> Option<&Deployment> {
        self.deployments.iter().rev().find(|deployment| deployment.status == status)
    }

    /// Whether this version was ever active, or may become it.
    pub(super) fn had(&self, candidate: &Candidate) -> bool {
        let may_become = |it: &Deployment| it.is_version(candidate) && it.status.is_open();
        self.had.contains(&shortened(&candidate.component, &candidate.config))
            || self.deployments.iter().any(may_become)
    }

    /// Appends a deployment. One that was staged or on trial before is aborted.
    pub(super) fn push(&mut self, deployment: Deployment) {
        self.abort_all(deployment.generation);
        self.generation = self.generation.max(deployment.generation);
        let (generation, activates) = (deployment.generation, deployment.status == Status::Active);
        self.deployments.push(Deployment { status: Status::Staged, ..deployment });
        if activates {
            self.activate(generation);
        }
        while self.deployments.len() > KEPT
            && let Some(place) = self.dispensable()
        {
            self.deployments.remove(place);
        }
    }

    /// The deployment that is missed least: the first one that was aborted; otherwise the first whose version a later one
    /// has, too; otherwise the first.
    fn dispensable(&self) -> Option<usize> {
        let all = &self.deployments;
        let may_go = |it: &Deployment| it.status != Status::Active && !it.status.is_open();
        let has_version_of = |one: &Deployment, other: &Deployment| {
            (&one.component, &one.config) == (&other.component, &other.config) && other.status != Status::Aborted
        };
        let is_doubled = |(place, it): (usize, &Deployment)| {
            may_go(it) && all.iter().skip(place + 1).any(|later| has_version_of(it, later))
        };
        let aborted = all.iter().position(|it| it.status == Status::Aborted);
        let doubled = || all.iter().enumerate().position(is_doubled);
        aborted.or_else(doubled).or_else(|| all.iter().position(may_go))
    }

    /// Makes the deployment of this generation, which is staged or on trial, the active one. False if there is none.
    pub(super) fn activate(&mut self, generation: u32) -> bool {
        let is_open = |it: &Deployment| it.generation == generation && it.status.is_open();
        let Some(place) = self.deployments.iter().position(is_open) else { return false };
        let cause = self.deployments.get(place).map(|it| it.cause);
        let before = if cause == Some(Cause::Rollback) { Status::RolledBack } else { Status::Superseded };
        for it in self.deployments.iter_mut().filter(|it| it.status == Status::Active) {
            it.status = before;
            if it.rewrite.take().is_some() {
                it.verdict = format!("its rewriting hadn't come to its end when generation {generation} became active");
            }
        }
        let Some(deployment) = self.deployments.get_mut(place) else { return false };
        deployment.status = Status::Active;
        let version = shortened(&deployment.component, &deployment.config);
        self.change(generation);
        if !self.had.contains(&version) {
            self.had.push(version);
        }
        let forgotten = self.had.len().saturating_sub(REMEMBERED);
        self.had.drain(..forgotten);
        self.note_versions();
        true
    }

    /// A pipeline has these stores, perhaps more than those before.
    pub(super) fn call(&mut self, stores: &BTreeSet<String>) {
        self.called.extend(stores.iter().cloned());
        self.note_versions();
    }

    /// Notes the state versions that the active deployment writes to the stores that pipelines have.
    fn note_versions(&mut self) {
        let Some(active) = self.deployments.iter().rev().find(|it| it.status == Status::Active) else { return };
        for (store, versions) in active.stores.iter().filter(|(store, _)| self.called.contains(*store)) {
            let written = self.state_versions.entry(store.clone()).or_default();
            if !written.contains(&versions.now) {
                written.push(versions.now);
            }
        }
    }

    /// Aborts the deployment of this generation, which is staged or on trial. `at` is the generation of this change. False if
    /// there is none.
    pub(super) fn abort(&mut self, generation: u32, at: u32, why: &str) -> bool {
        let is_open = |it: &&mut Deployment| it.generation == generation && it.status.is_open();
        let Some(open) = self.deployments.iter_mut().find(is_open) else { return false };
        if open.status.is_trial() {
            (self.reached, self.generation) = (at, self.generation.max(at));
        }
        open.status = Status::Aborted;
        why.clone_into(&mut open.verdict);
        true
    }

    /// Aborts all that may still become active: the deployment of this generation comes first. The end of a trial is the
    /// change just before it, which tasks follow while that deployment is only staged.
    fn abort_all(&mut self, by: u32) {
        let open = self.deployments.iter().filter(|it| it.status.is_open()).map(|it| it.generation);
        for generation in open.collect::<Vec<_>>() {
            self.abort(generation, by.saturating_sub(1), &format!("generation {by} was deployed"));
        }
    }

    /// The versions that process records change, because this deployment takes its place. A change that came while it was
    /// staged may have a higher number.
    fn change(&mut self, generation: u32) {
        if generation <= self.reached {
            self.generation = self.generation.max(self.reached).saturating_add(1);
        }
        self.reached = if generation > self.reached { generation } else { self.generation };
    }

    /// Begins the trial of the staged deployment of this generation. False if there is none.
    pub(super) fn begin_trial(&mut self, generation: u32, at: Timestamp) -> bool {
        let is_staged = |it: &&mut Deployment| it.generation == generation && it.status == Status::Staged;
        let Some(staged) = self.deployments.iter_mut().find(is_staged) else { return false };
        let Some(trial) = &mut staged.trial else { return false };
        staged.status = trial.begin(at);
        let version = shortened(&staged.component, &staged.config);
        if !self.had.contains(&version) {
            self.had.push(version);
        }
        self.change(generation);
        true
    }

    /// The deployment of this generation.
    pub(super) fn of_generation(&mut self, generation: u32) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|it| it.generation == generation)
    }
}

fn shortened(component: &str, config: &str) -> String {
    let short = |digest: &str| digest.get(..REMEMBERED_DIGITS).unwrap_or(digest).to_owned();
    format!("{}/{}", short(component), short(config))
}
