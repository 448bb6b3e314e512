//! What an instance makes sure of before it joins the group: that the cluster answers, that the topics are there and fit
//! together, that the plugins can take over, and that the folder is its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use millrace_engine::deployment::Candidate;
use millrace_engine::topology;
use millrace_engine::topology::{TopicKind, Topology};
use rdkafka::consumer::BaseConsumer;

use super::Options;
use crate::client::context::TroubleContext;
use crate::client::first_answer;
use crate::client::settings::{ClientSettings, wrong_settings};
use crate::cluster::Cluster;
use crate::cluster::internal_topics::{self, InternalTopic};
use crate::cluster::limits::LearnedLimits;
use crate::control::{self, Claim};
use crate::error::Error;
use crate::state::folder::Folder;
use crate::state::globals::Globals;
use crate::state::lease::RestoreLeases;
use crate::worker::{MissingTopics, Shared};

/// How long to wait before something is looked at again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// How often to say what is waited for.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Makes sure of everything, and reads global tables. `None` if it is told to stop before.
pub(crate) fn prepare(
    topology: Arc<Topology>,
    candidates: &[Candidate],
    options: &Options,
    stop: &AtomicBool,
) -> Result<Option<(Shared, Option<Globals>)>, Error> {
    let app = topology.app.as_str();
    let settings =
        ClientSettings::new(app, "start", &options.bootstrap, &topology.kafka, topology.settings.commit_interval)?;
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
    let claim = Claim { topology: &topology, candidates, topics: &own };
    let deploy = || control::deploy(&settings, &cluster, &claim, &go_on);
    let Some(claimed) = patience.until(deploy)? else { return Ok(None) };
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
        deployments: claimed.deployments,
        candidates: candidates.into(),
        options: options.worker,
        until_idle: options.until_idle,
        learned: LearnedLimits::default(),
        leases: RestoreLeases::default(),
        alike: topology::spread_alike(&topology),
        hinted: Mutex::default(),
        internal_ids: claimed.topics,
        missing: MissingTopics::default(),
        member: OnceLock::new(),
        stopping: Arc::default(),
        barrier: globals.as_ref().map(|_| Arc::default()),
        shared_stores: topology.globals.iter().map(|table| table.store).collect(),
        cluster,
        topology,
    };
    Ok(Some((shared, globals)))
}

/// Makes the internal topics that are missing and were never there, and checks the others. Names of those that are the
/// app's own; dead letters are everybody's.
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
/// [`Error::Missing`]: one that belongs to somebody else isn't there, and nobody but they know how it is meant to be.
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
    /// The cluster's id. A cluster that doesn't answer is waited for; one that answers and refuses won't think again, nor
    /// does it help to wait for another certificate. `None` if it is told to stop before.
    fn meet(&self, settings: &ClientSettings) -> Result<Option<String>, Error> {
        let client: BaseConsumer<TroubleContext> =
            settings.admin().create_with_context(TroubleContext::default()).map_err(wrong_settings)?;
        let mut said: Option<Instant> = None;
        first_answer::cluster_id(&client, self.bootstrap, &mut |silence| {
            if let Some(error) = silence.filter(|_| said.is_none_or(|at| at.elapsed() > LOG_INTERVAL)) {
                tracing::warn!(kafka = self.bootstrap, reason = %error, "waiting");
                said = Some(Instant::now());
            }
            !self.stop.load(Ordering::Relaxed)
        })
    }

    /// Tries until it succeeds: as long as brokers don't answer, or topics are missing. `None` if it is told to stop before.
    fn until<T>(&self, attempt: impl Fn() -> Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        let mut said: Option<(String, Instant)> = None;
        while !self.stop.load(Ordering::Relaxed) {
            match attempt() {
                Err(error @ (Error::Kafka(_) | Error::Missing(_))) => {
                    let text = error.to_string();
                    if said.as_ref().is_none_or(|(before, at)| *before != text || at.elapsed() > LOG_INTERVAL) {
                        tracing::warn!(kafka = self.bootstrap, reason = text, "waiting");
                        said = Some((text, Instant::now()));
                    }
                    std::thread::park_timeout(RETRY_INTERVAL);
                }
                result => return result,
            }
        }
        Ok(None)
    }
}
