//! The start of an instance, before it joins the group: the cluster answers, the topics are there and fit together, the
//! plugins can take over, and the folder is the instance's own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use millrace_engine::deployment::{AppDeployments, FloodGuard, Joined};
use millrace_engine::topology;
use millrace_engine::topology::{TopicKind, Topology};
use rdkafka::consumer::BaseConsumer;

use super::{App, Options};
use crate::client::context::TroubleContext;
use crate::client::first_answer;
use crate::client::settings::{ClientSettings, wrong_settings};
use crate::clock::wall_clock;
use crate::cluster::Cluster;
use crate::cluster::internal_topics::{self, InternalTopic};
use crate::cluster::limits::LearnedLimits;
use crate::control::starting::{self, Claim, Claimed};
use crate::control::{self, CurrentPlugins, Rewrites, Trials};
use crate::error::Error;
use crate::state::folder::Folder;
use crate::state::globals::Globals;
use crate::state::lease::RestoreLeases;
use crate::worker::{MissingTopics, Shared};

/// How long to wait before the next attempt.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// How often it is logged what the instance waits for.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// An instance that may join the group.
pub(crate) struct Prepared {
    pub(crate) shared: Shared,
    pub(crate) globals: Option<Globals>,
    /// The app's deployments, of which it has loaded the active ones.
    pub(crate) deployments: AppDeployments,
}

/// Checks and claims everything, loads the active plugins, and reads global tables. `None` if the process stops before.
pub(crate) fn prepare(app: &App, options: &Options, stop: &AtomicBool) -> Result<Option<Prepared>, Error> {
    let (topology, candidates) = (Arc::clone(&app.topology), app.candidates.as_slice());
    let settings = ClientSettings::new(
        &topology.app,
        "start",
        &options.bootstrap,
        &topology.kafka,
        topology.settings.commit_interval,
    )?;
    let cluster = Arc::new(Cluster::new(&settings)?);
    let patience = Patience { bootstrap: &options.bootstrap, stop };
    let Some(id) = patience.meet(&settings)? else { return Ok(None) };
    let folder = Folder::open(&options.data, &topology, &id)?;
    let Some(known) = patience.until(|| external_topics(&cluster, &topology).map(Some))? else { return Ok(None) };
    let partitions = topology::partitions(&topology, &|name| known.get(name).copied()).map_err(Error::Partitions)?;
    for (topic, said, partitions) in topology::said_otherwise(&topology, &partitions) {
        tracing::warn!(topic, partitions, said, "{}", topology::PARTITIONS_STAY);
    }
    let specs = internal_topics::all(&topology, &partitions, settings.record_bytes());
    let go_on = || !stop.load(Ordering::Relaxed);
    let Some(own) = patience.until(|| internal(&settings, &cluster, (&topology, &partitions), &specs, &go_on))? else {
        return Ok(None);
    };
    let (loader, author) = (app.loader.as_ref(), &app.author);
    let claim = Claim { topology: &topology, candidates, loader, author, topics: &own };
    let deploy = || starting::deploy(&settings, &cluster, &claim, &go_on);
    let Some(claimed) = patience.until(deploy)? else { return Ok(None) };
    let Claimed { deployments, plugins, new_generation, topics: internal_ids } = claimed;
    let is_watched = |generation| deployments.is_watched(generation, new_generation, wall_clock());
    let guard = FloodGuard::new(topology.settings.flood_guard, &plugins, &is_watched);
    let trials = Trials::new(guard, &plugins);
    deployments.joined(candidates).for_each(log_joined);
    let open = || Globals::open(&topology, &settings, &cluster, &folder.database, &partitions).map(Some);
    let Some(mut globals) = patience.until(open)? else { return Ok(None) };
    if let Some(globals) = &mut globals
        && !globals.catch_up(stop)?
    {
        return Ok(None);
    }
    let shared = Shared {
        settings: settings.with_instance(&folder.instance),
        changelogs: internal_topics::changelogs(&topology),
        instance: folder.instance,
        database: folder.database,
        partitions: partitions.into(),
        host: app.host.clone(),
        plugins: CurrentPlugins::new(plugins, topology.settings.threads.max(1)),
        trials,
        rewrites: Rewrites::default(),
        shadows: Arc::clone(&app.shadows),
        options: options.worker,
        until_idle: options.until_idle,
        learned: LearnedLimits::default(),
        leases: RestoreLeases::default(),
        alike: topology::spread_alike(&topology),
        hinted: Mutex::default(),
        internal_ids,
        missing: MissingTopics::default(),
        member: OnceLock::new(),
        stopping: Arc::default(),
        barrier: globals.as_ref().map(|_| Arc::default()),
        shared_stores: topology.globals.iter().map(|table| table.store).collect(),
        cluster,
        topology,
    };
    Ok(Some(Prepared { shared, globals, deployments }))
}

/// Logs that a process runs another version than that of its files.
fn log_joined(Joined { candidate, active }: Joined<'_>) {
    let (plugin, digest) = (&candidate.name, &candidate.component);
    let (generation, active) = (active.generation, &active.component);
    tracing::warn!(plugin, digest, generation, active, "{}", Joined::MESSAGE);
}

/// Makes the internal topics that are missing and were never there, and checks the others. Gives the names of the app's
/// private ones: dead-letter topics are shared.
fn internal(
    settings: &ClientSettings,
    cluster: &Cluster,
    (topology, partitions): (&Topology, &[u32]),
    topics: &[InternalTopic],
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Vec<String>>, Error> {
    let control = internal_topics::control(&topology.app);
    let (control, rest): (Vec<_>, Vec<_>) = topics.iter().partition(|topic| topic.spec.name == control);
    internal_topics::ensure(settings.app(), cluster, &control)?;
    let own: Vec<_> = topics.iter().filter(|topic| topic.is_private).map(|topic| &topic.spec).collect();
    if control::check(settings, cluster, (topology, partitions), &own, go_on)?.is_none() {
        return Ok(None);
    }
    internal_topics::ensure(settings.app(), cluster, &rest)?;
    Ok(Some(own.into_iter().map(|spec| spec.name.clone()).collect()))
}

/// Numbers of partitions of the topics that exist, internal ones too.
///
/// # Errors
/// [`Error::Missing`]: an external topic isn't there, and only its owner knows its settings.
fn external_topics(cluster: &Cluster, topology: &Topology) -> Result<BTreeMap<String, u32>, Error> {
    let (mut known, mut missing) = (BTreeMap::new(), Vec::new());
    for topic in &topology.topics {
        match (cluster.partitions(&topic.name)?, topic.kind) {
            (Some(count), _) => drop(known.insert(topic.name.clone(), count)),
            (None, TopicKind::External) => missing.push(topic.name.as_str()),
            (None, _) => {}
        }
    }
    if missing.is_empty() {
        return Ok(known);
    }
    Err(Error::Missing(missing.join("`, `")))
}

/// Waits for a cluster.
struct Patience<'a> {
    bootstrap: &'a str,
    stop: &'a AtomicBool,
}

impl Patience<'_> {
    /// The cluster's id. Waits for a cluster that doesn't answer; one that refuses the client will refuse it again, and
    /// waiting doesn't change a certificate. `None` if the process stops before.
    fn meet(&self, settings: &ClientSettings) -> Result<Option<String>, Error> {
        let client: BaseConsumer<TroubleContext> =
            settings.admin().create_with_context(TroubleContext::default()).map_err(wrong_settings)?;
        let mut logged: Option<Instant> = None;
        first_answer::cluster_id(&client, self.bootstrap, &mut |silence| {
            if let Some(error) = silence.filter(|_| logged.is_none_or(|at| at.elapsed() > LOG_INTERVAL)) {
                tracing::warn!(kafka = self.bootstrap, reason = %error, "waiting");
                logged = Some(Instant::now());
            }
            !self.stop.load(Ordering::Relaxed)
        })
    }

    /// Tries again while brokers don't answer, or topics are missing. `None` if the process stops before.
    fn until<T>(&self, attempt: impl Fn() -> Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        let mut logged: Option<(String, Instant)> = None;
        while !self.stop.load(Ordering::Relaxed) {
            match attempt() {
                Err(error @ (Error::Kafka(_) | Error::Missing(_))) => {
                    let text = error.to_string();
                    if logged.as_ref().is_none_or(|(before, at)| *before != text || at.elapsed() > LOG_INTERVAL) {
                        tracing::warn!(kafka = self.bootstrap, reason = text, "waiting");
                        logged = Some((text, Instant::now()));
                    }
                    std::thread::park_timeout(RETRY_INTERVAL);
                }
                result => return result,
            }
        }
        Ok(None)
    }
}
