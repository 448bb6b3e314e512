//! Deployments while an app runs: requests are loaded beside the run, and take effect between two commits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use millrace_engine::deployment::{Act, ActivePlugins, AppDeployments, Author, PluginLoader};
use millrace_engine::shadow::{ShadowReport, ShadowReports};
use millrace_engine::topology::Topology;
use millrace_store::Batch;

use super::records::{self, Change, deployments};
use super::requests::{Answer, Request, Requests};
use crate::clock::wall_clock;
use crate::error::Error;
use crate::log::Log;

/// How often a run looks for requests.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Key of the answer to a request that is done, while the request is there: a process that is killed before it could
/// answer doesn't do it twice.
const DONE: &str = "deploy-request/";

/// Takes requests for deployments, and has them loaded.
pub struct Deployer {
    requests: Requests,
    loader: Arc<dyn PluginLoader>,
    topology: Arc<Topology>,
    own: OwnChanges,
    looked: Option<Instant>,
    loading: Option<Loading>,
}

/// What an app needs to change its deployments itself.
pub struct OwnChanges {
    /// The author of the changes.
    pub author: Author,
    /// The reports of the shadows that the process runs.
    pub shadows: Arc<ShadowReports>,
    /// The first generation that the start has deployed, if it has deployed one: the flood guard watches it.
    pub new_generation: u32,
}

/// A request whose plugins are being loaded.
struct Loading {
    /// Name of the request; none of a change that the app itself makes.
    name: Option<String>,
    change: Change,
    generations: BTreeMap<String, u32>,
    thread: JoinHandle<Result<Option<ActivePlugins>, String>>,
}

/// A request that can take effect.
pub(crate) struct Ready {
    name: Option<String>,
    change: Change,
    generations: BTreeMap<String, u32>,
    /// The plugins that are active from then on, if they are others.
    pub(crate) plugins: Option<ActivePlugins>,
}

impl Deployer {
    /// For the app that runs on a data folder.
    pub fn new(data: &Path, topology: &Arc<Topology>, loader: Arc<dyn PluginLoader>, own: OwnChanges) -> Self {
        let (requests, topology) = (Requests::of(data), Arc::clone(topology));
        Self { requests, loader, topology, own, looked: None, loading: None }
    }

    /// The first generation that the start of the app has deployed, if it has deployed one.
    pub(crate) fn new_generation(&self) -> u32 {
        self.own.new_generation
    }

    /// A request that can take effect now. Waits for nothing.
    pub(crate) fn poll(&mut self, log: &Log) -> Result<Option<Ready>, Error> {
        match self.loading.take_if(|loading| loading.thread.is_finished()) {
            Some(Loading { name, change, generations, thread }) => {
                let loaded =
                    thread.join().unwrap_or_else(|_| Err("the thread that loads plugins has panicked: a bug".into()));
                match loaded {
                    Ok(plugins) => Ok(Some(Ready { name, change, generations, plugins })),
                    Err(reason) => self.refuse(name.as_deref(), reason).map(|()| None),
                }
            }
            None if self.loading.is_none() && self.looked.is_none_or(|at| at.elapsed() >= LOOK_INTERVAL) => {
                self.looked = Some(Instant::now());
                self.look(log).map(|()| None)
            }
            None => Ok(None),
        }
    }

    /// Begins with the next request.
    fn look(&mut self, log: &Log) -> Result<(), Error> {
        let Some(name) = self.requests.next()? else { return Ok(()) };
        if let Some(answer) = log.control(done_key(&name).as_bytes())? {
            let answer = serde_json::from_slice(&answer).unwrap_or_else(|error| Answer::Refused(error.to_string()));
            self.requests.answer(&name, &answer)?;
            return self.forget(log, &name);
        }
        match self.requests.read(&name) {
            Ok(Some(request)) => self.begin(log, Some(name), &request),
            Ok(None) => Ok(()),
            Err(reason) => self.refuse(Some(&name), reason),
        }
    }

    /// Begins with a change that the app itself makes, unless one is under way. Whether it did.
    pub(crate) fn change(&mut self, log: &Log, act: Act, note: String) -> Result<bool, Error> {
        if self.loading.is_some() {
            return Ok(false);
        }
        let author = Author { at: wall_clock(), note, ..self.own.author.clone() };
        self.begin(log, None, &Request { act, author })?;
        Ok(self.loading.is_some())
    }

    /// Whether a change is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.loading.is_some()
    }

    /// The deployments of the app.
    pub(crate) fn deployments(&self, log: &Log) -> Result<AppDeployments, Error> {
        deployments(log, &self.topology.app)
    }

    /// The report of the shadows that this process runs.
    pub(crate) fn shadow_report(&self) -> Option<ShadowReport> {
        self.own.shadows.get()
    }

    fn begin(&mut self, log: &Log, name: Option<String>, Request { act, author }: &Request) -> Result<(), Error> {
        let before = deployments(log, &self.topology.app)?;
        let mut after = before.clone();
        let generations = match after.apply(act, author) {
            Ok(generations) => generations,
            Err(refused) => return self.refuse(name.as_deref(), refused.to_string()),
        };
        for digest in after.components_beyond(&before).into_keys() {
            if let Some(bytes) = self.requests.component(digest)? {
                self.loader.add(bytes);
            }
        }
        records::add_components(log, &after, &self.topology, self.loader.as_ref())?;
        let change = Change::new(&before, after.clone(), &|digest| self.loader.component(digest));
        let (topology, loader) = (Arc::clone(&self.topology), Arc::clone(&self.loader));
        let load = move || load(&topology, &before, &after, loader.as_ref());
        match Builder::new().name("deploy".into()).spawn(load) {
            Ok(thread) => self.loading = Some(Loading { name, change, generations, thread }),
            Err(error) => return self.refuse(name.as_deref(), format!("no thread can be started: {error}")),
        }
        Ok(())
    }

    fn refuse(&self, name: Option<&str>, reason: String) -> Result<(), Error> {
        tracing::warn!(reason, "a deployment is refused");
        name.map_or(Ok(()), |name| self.requests.answer(name, &Answer::Refused(reason)))
    }

    /// Writes a request down, in the batch of the commit with which it takes effect.
    pub(crate) fn put(&self, log: &Log, batch: &mut Batch, ready: &Ready) -> Result<(), Error> {
        records::put(log, batch, &self.topology.app, &ready.change)?;
        let Some(name) = &ready.name else { return Ok(()) };
        let answer = serde_json::to_vec(&Answer::Done(ready.generations.clone())).unwrap_or_default();
        Ok(log.put_control(batch, done_key(name).as_bytes(), &answer)?)
    }

    /// Answers a request that is done.
    pub(crate) fn done(&self, log: &Log, ready: &Ready) -> Result<(), Error> {
        for (plugin, record) in &ready.change.after.plugins {
            if let Some(deployment) =
                record.deployments.iter().find(|it| ready.generations.get(plugin) == Some(&it.generation))
            {
                let (generation, digest) = (deployment.generation, &deployment.component);
                let (status, cause, by) = (deployment.status.name(), deployment.cause.name(), &deployment.by);
                tracing::info!(plugin, generation, digest, status, cause, by, note = deployment.note, "deployment");
            }
        }
        if let Some(plugins) = &ready.plugins {
            self.loader.retire(plugins);
        }
        let Some(name) = &ready.name else { return Ok(()) };
        self.requests.answer(name, &Answer::Done(ready.generations.clone()))?;
        self.forget(log, name)?;
        self.requests.tidy();
        Ok(())
    }

    /// Forgets that a request is done: it is there no more.
    fn forget(&self, log: &Log, name: &str) -> Result<(), Error> {
        let mut batch = Batch::new(log.database());
        log.delete_control(&mut batch, done_key(name).as_bytes())?;
        Ok(log.database().write(batch, millrace_store::Durability::Synced)?)
    }
}

fn done_key(name: &str) -> String {
    format!("{DONE}{name}")
}

/// Loads the staged versions, so that a bad one is refused before it is active; and the plugins that tasks run from now on, if
/// they are others than before.
fn load(
    topology: &Topology,
    before: &AppDeployments,
    after: &AppDeployments,
    loader: &dyn PluginLoader,
) -> Result<Option<ActivePlugins>, String> {
    after.load_next(topology, loader)?;
    match before.reached(topology) == after.reached(topology) {
        true => Ok(None),
        false => after.load(topology, loader).map(Some),
    }
}
