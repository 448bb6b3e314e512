//! The rules by which a deployment follows another.

use std::collections::BTreeMap;

use super::record::{Cause, Deployment, PluginRecord, Status, StoreVersions};
use super::rewrite::Rewrite;
use super::trial::{Advance, Trial};
use super::{Act, Author, Candidate, DeploymentRefused, Joined};
use crate::record::Timestamp;
use crate::step::Flood;
use crate::topology::{DeployOnStart, Topology};

/// The records of all plugins that an app has, or has had, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppDeployments {
    /// The records.
    pub plugins: BTreeMap<String, PluginRecord>,
}

impl AppDeployments {
    /// The active deployment of a plugin.
    pub fn active(&self, plugin: &str) -> Option<&Deployment> {
        self.plugins.get(plugin)?.active()
    }

    /// The deployment of a plugin that is tried beside the active one.
    pub fn on_trial(&self, plugin: &str) -> Option<&Deployment> {
        self.plugins.get(plugin)?.on_trial()
    }

    /// The generations that are on trial, by plugin.
    pub fn on_trial_of_all(&self) -> BTreeMap<String, u32> {
        let trial = |(plugin, record): (&String, &PluginRecord)| Some((plugin.clone(), record.on_trial()?.generation));
        self.plugins.iter().filter_map(trial).collect()
    }

    /// The generations that are staged, by plugin.
    pub fn staged(&self) -> BTreeMap<String, u32> {
        let staged = |(plugin, record): (&String, &PluginRecord)| Some((plugin.clone(), record.staged()?.generation));
        self.plugins.iter().filter_map(staged).collect()
    }

    /// The staged deployment of a plugin, or the one on trial, otherwise the active one.
    pub fn newest(&self, plugin: &str) -> Option<&Deployment> {
        let record = self.plugins.get(plugin)?;
        record.staged().or_else(|| record.on_trial()).or_else(|| record.active())
    }

    /// The generations that tasks must know to process records, by the plugins of a pipeline.
    pub fn reached(&self, topology: &Topology) -> BTreeMap<String, u32> {
        let names = topology.plugins.iter().map(|plugin| &plugin.name);
        names.filter_map(|name| Some((name.clone(), self.plugins.get(name)?.reached()))).collect()
    }

    /// The highest generation of any plugin; 0 before the first deployment.
    pub fn generation(&self) -> u32 {
        self.plugins.values().map(|record| record.generation).max().unwrap_or(0)
    }

    /// Applies what a user asks for. Returns the generations of the plugins that it deploys.
    ///
    /// # Errors
    /// It can't be done: nothing has changed.
    pub fn apply(&mut self, act: &Act, author: &Author) -> Result<BTreeMap<String, u32>, DeploymentRefused> {
        let mut next = self.clone();
        let generations = next.apply_each(act, author)?;
        *self = next;
        Ok(generations)
    }

    fn apply_each(&mut self, act: &Act, author: &Author) -> Result<BTreeMap<String, u32>, DeploymentRefused> {
        let mut generations = BTreeMap::new();
        match act {
            Act::Stage { candidates, trial } => {
                for candidate in candidates {
                    generations.insert(candidate.name.clone(), self.stage(candidate, trial.as_ref(), author)?);
                }
            }
            Act::Activate(staged) => {
                for (plugin, generation) in staged {
                    self.activate(plugin, *generation, author.at)?;
                }
                generations.clone_from(staged);
            }
            Act::Abort(open) => {
                for (plugin, generation) in open {
                    if self.active(plugin).is_some_and(|active| active.generation == *generation) {
                        let reason =
                            format!("generation {generation} is active: `millrace deployments rollback` goes back");
                        return Err(refused(plugin, reason));
                    }
                    let at = self.generation().saturating_add(1);
                    if let Some(record) = self.plugins.get_mut(plugin) {
                        record.abort(*generation, at, &author.note);
                    }
                }
            }
            Act::Advance { plugin, generation, step, fully, judged } => {
                self.advance(plugin, *generation, Advance { step: *step, fully: *fully, judged: *judged }, author)?;
                generations.insert(plugin.clone(), *generation);
            }
            Act::Pause { plugin, generation, paused } => {
                self.pause(plugin, *generation, *paused, author)?;
            }
            Act::Hold { plugin, generation } => self.set_flood(plugin, *generation, Flood::Held, author)?,
            Act::Accept { plugin, generation } => self.set_flood(plugin, *generation, Flood::Accepted, author)?,
            Act::Rollback { plugin, replaces, to } => {
                let generation = match self.done_already(plugin, *replaces, Cause::Rollback)? {
                    Some(generation) => generation,
                    None => self.rollback(plugin, *to, author)?,
                };
                generations.insert(plugin.clone(), generation);
            }
            Act::Finalize { plugin, replaces, rewrite } => {
                let done = self.done_already(plugin, *replaces, Cause::Finalize)?;
                let generation = match (done, rewrite) {
                    (Some(generation), None) => generation,
                    (_, Some(rewrite)) if self.writes_newest(plugin) => self.rewrite(plugin, *rewrite)?,
                    (Some(generation), Some(_)) => generation,
                    (None, rewrite) => self.finalize(plugin, *rewrite, author)?,
                };
                generations.insert(plugin.clone(), generation);
            }
            Act::Rewritten { plugin, generation, stores, counts } => {
                self.rewritten(plugin, *generation, stores, counts)?;
            }
        }
        Ok(generations)
    }

    /// The generation of a change that was asked for before and is done: whether an earlier attempt was committed isn't
    /// always known. `None` if it isn't done.
    fn done_already(&self, plugin: &str, replaces: u32, cause: Cause) -> Result<Option<u32>, DeploymentRefused> {
        let (record, active) = self.record(plugin)?;
        if active.generation == replaces {
            return Ok(None);
        }
        let between = |it: &&Deployment| it.generation > replaces && it.generation < active.generation;
        let is_next = !record.deployments.iter().any(|it| between(&it) && it.status != Status::Aborted);
        if active.cause == cause && is_next && active.generation > replaces {
            return Ok(Some(active.generation));
        }
        Err(refused(plugin, format!("another deployment came first: generation {} is active", active.generation)))
    }

    /// Makes a staged deployment the active one, or begins its trial.
    fn activate(&mut self, plugin: &str, generation: u32, at: Timestamp) -> Result<(), DeploymentRefused> {
        let is_done = |it: Option<&Deployment>| it.is_some_and(|it| it.generation == generation);
        if is_done(self.active(plugin)) || is_done(self.on_trial(plugin)) {
            return Ok(());
        }
        let begin = |record: &mut PluginRecord| record.begin_trial(generation, at) || record.activate(generation);
        match self.plugins.get_mut(plugin).is_some_and(begin) {
            true => Ok(()),
            false => Err(refused(
                plugin,
                format!("generation {generation} isn't staged any more: another deployment came first"),
            )),
        }
    }

    /// The components of all deployments that are kept: digests and sizes.
    pub fn components(&self) -> BTreeMap<&str, u64> {
        let all = self.plugins.values().flat_map(|record| &record.deployments);
        all.map(|deployment| (deployment.component.as_str(), deployment.size)).collect()
    }

    /// The components that this has and `before` hasn't: digests and sizes.
    pub fn components_beyond<'a>(&'a self, before: &Self) -> BTreeMap<&'a str, u64> {
        let had = before.components();
        self.components().into_iter().filter(|(digest, _)| !had.contains_key(digest)).collect()
    }

    /// A process starts with this version in its files.
    ///
    /// # Errors
    /// The version would become the active one, and can't read the state.
    pub fn start(
        &mut self,
        candidate: &Candidate,
        on_start: DeployOnStart,
        author: &Author,
    ) -> Result<(), DeploymentRefused> {
        if let Some(record) = self.plugins.get_mut(&candidate.name) {
            record.call(&candidate.called);
        }
        if let Some(record) = self.plugins.get(&candidate.name)
            && let Some(active) = record.active()
        {
            let deploys = match on_start {
                DeployOnStart::New => !record.had(candidate),
                DeployOnStart::Always => true,
                DeployOnStart::Never => false,
            };
            if !deploys || active.is_version(candidate) {
                return Ok(());
            }
        }
        self.push(candidate, (Cause::Start, Status::Active), author)?;
        Ok(())
    }

    /// The candidates that aren't the active versions of their plugins.
    pub fn joined<'a>(&'a self, candidates: &'a [Candidate]) -> impl Iterator<Item = Joined<'a>> {
        let active = |candidate: &'a Candidate| Some(Joined { candidate, active: self.active(&candidate.name)? });
        candidates.iter().filter_map(active).filter(|joined| !joined.active.is_version(joined.candidate))
    }

    /// Stages a version: processes load it. Returns the generation.
    ///
    /// # Errors
    /// It is active already, or can't read the state; or it can't be a canary.
    fn stage(
        &mut self,
        candidate: &Candidate,
        trial: Option<&Trial>,
        author: &Author,
    ) -> Result<u32, DeploymentRefused> {
        if let Some(active) = self.active(&candidate.name).filter(|active| active.is_version(candidate)) {
            let reason = format!("this version is active already, as generation {}", active.generation);
            return Err(refused(&candidate.name, reason));
        }
        let generation = self.push(candidate, (Cause::Deploy, Status::Staged), author)?;
        let Some(record) = self.plugins.get_mut(&candidate.name) else { return Ok(generation) };
        if let Some(Trial::Canary(_)) = trial {
            record.check_canary(&candidate.name, &candidate.called)?;
        }
        if let Some(staged) = record.of_generation(generation) {
            staged.trial = trial.cloned();
        }
        Ok(generation)
    }

    /// Lets the active version of a plugin write its newest state versions. Returns the generation.
    ///
    /// # Errors
    /// It does already.
    fn finalize(&mut self, plugin: &str, rewrite: Option<Rewrite>, author: &Author) -> Result<u32, DeploymentRefused> {
        let (record, active) = self.record(plugin)?;
        if let Some(trial) = record.on_trial() {
            let reason = format!("generation {} is on trial: promote or abort it first", trial.generation);
            return Err(refused(plugin, reason));
        }
        if active.older_writes().is_empty() {
            let reason = format!("generation {} writes its newest state versions already", active.generation);
            return Err(refused(plugin, reason));
        }
        let mut next = active.clone();
        (next.cause, next.trial, next.verdict, next.flood) = (Cause::Finalize, None, String::new(), Flood::None);
        next.stores.values_mut().for_each(|versions| versions.now = versions.newest());
        next.rewritten = None;
        next.rewrite = rewrite.map(|rewrite| Rewrite { request: self.generation().saturating_add(1), ..rewrite });
        Ok(self.append(plugin, next, author))
    }

    /// Whether the active version of a plugin writes its newest state versions, and no version is on trial.
    fn writes_newest(&self, plugin: &str) -> bool {
        let is_newest = |active: &Deployment| active.older_writes().is_empty();
        self.on_trial(plugin).is_none() && self.active(plugin).is_some_and(is_newest)
    }

    pub(super) fn record(&self, plugin: &str) -> Result<(&PluginRecord, &Deployment), DeploymentRefused> {
        let record = self.plugins.get(plugin).and_then(|record| Some((record, record.active()?)));
        record.ok_or_else(|| refused(plugin, "the app has never run it".into()))
    }

    /// The version to write to a store: the one that was written so far if the code can write it, so that the version
    /// before can read it, otherwise its newest. `None` if it can write none.
    pub(super) fn version_to_write(&self, plugin: &str, store: &str, writes: &[u32]) -> Option<u32> {
        let record = self.plugins.get(plugin);
        let active = record.and_then(|record| record.active()?.stores.get(store)).map(|versions| versions.now);
        let last = || record.and_then(|record| record.state_versions.get(store)?.last().copied());
        let before = active.or_else(last);
        before.filter(|before| writes.contains(before)).or(writes.last().copied())
    }

    /// The stores of a version, each with the state version that it is to write.
    fn stores(&self, candidate: &Candidate) -> Result<BTreeMap<String, StoreVersions>, DeploymentRefused> {
        let plugin = candidate.name.as_str();
        let mut stores = candidate.stores.clone();
        for (name, store) in &mut stores {
            let written = self.plugins.get(plugin).and_then(|record| record.state_versions.get(name));
            check_reads(plugin, name, &store.reads, written.map_or(&[], Vec::as_slice))?;
            store.now = self.version_to_write(plugin, name, &store.writes).unwrap_or(store.now);
        }
        Ok(stores)
    }

    fn push(
        &mut self,
        candidate: &Candidate,
        (cause, status): (Cause, Status),
        author: &Author,
    ) -> Result<u32, DeploymentRefused> {
        let plugin = candidate.name.as_str();
        let stores = self.stores(candidate)?;
        self.plugins.entry(plugin.to_owned()).or_default().call(&candidate.called);
        let Candidate { component, size, config, settings, .. } = candidate.clone();
        let (by, note, verdict) = (String::new(), String::new(), String::new());
        let next = Deployment {
            generation: 0,
            component,
            size,
            config,
            settings,
            stores,
            status,
            cause,
            by,
            at: 0,
            note,
            trial: None,
            verdict,
            flood: Flood::None,
            rewrite: None,
            rewritten: None,
        };
        Ok(self.append(plugin, next, author))
    }

    /// Appends a deployment, with a new generation, in place of one on trial.
    pub(super) fn append(&mut self, plugin: &str, next: Deployment, author: &Author) -> u32 {
        // The end of a trial is a change of its own.
        let changes = if self.on_trial(plugin).is_some() { 2 } else { 1 };
        let generation = self.generation().saturating_add(changes);
        let Author { by, at, note } = author.clone();
        let next = Deployment { generation, by, at, note, ..next };
        self.plugins.entry(plugin.to_owned()).or_default().push(next);
        generation
    }
}

/// A version must read every state version that may be in a store.
pub(super) fn check_reads(plugin: &str, store: &str, reads: &[u32], written: &[u32]) -> Result<(), DeploymentRefused> {
    let Some(unread) = written.iter().find(|version| !reads.contains(version)) else { return Ok(()) };
    let (function, store) = store.split_once('/').unwrap_or((store, ""));
    let reason = format!(
        "function `{function}` can't read what is in its store `{store}`: there is state of version {unread}, and it reads \
         {reads:?}. Where the active version writes another one, `millrace deployments finalize --rewrite` rewrites older entries"
    );
    Err(refused(plugin, reason))
}

pub(super) fn refused(plugin: &str, reason: String) -> DeploymentRefused {
    DeploymentRefused { plugin: plugin.to_owned(), reason }
}
