//! The control topic, `<app>-control`: the deployments of each plugin with their components, the app's own topics, the
//! contents of its stores, and an outline of its pipeline. Every instance reads it when it starts, and
//! [follows](follow) it while it runs. A process that has something to change does so in a transaction under one id for
//! the whole app, so that two that do so at once don't both make the next generation; one that has nothing to change
//! takes no lock.
//!
//! Uses [`cluster`](crate::cluster), [`client`](crate::client) and [`error`](crate::error).

pub(crate) mod change;
mod claims;
pub(crate) mod components;
mod current_plugins;
mod entries;
pub(crate) mod follow;
mod notes;
pub(crate) mod orphans;
mod outline;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_engine::contents::{self, Contents, StateChange};
use millrace_engine::deployment::{AppDeployments, Author, Candidate, PluginLoader};
use millrace_engine::record::Headers;
use millrace_engine::topology::Topology;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use uuid::Uuid;

use crate::client::app::App;
use crate::client::native;
use crate::client::producer::Transactions;
use crate::client::settings::ClientSettings;
use crate::clock::wall_clock;
use crate::cluster::internal_topics;
use crate::cluster::whole_topic;
use crate::cluster::{Cluster, REQUEST_TIMEOUT, TopicSpec};
use crate::error::{Error, Reaction};
pub(crate) use current_plugins::CurrentPlugins;
use entries::Entries;
pub use notes::{InstanceNote, Refused};
use outline::Outline;

/// Pauses between attempts: the first, and the longest. Each is of random length, so that instances that have fenced
/// each other come back at different times.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How often it is logged that the control topic can't be written.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How long a broker may take to see that a transaction is too old: its default for
/// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
const ABORT_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// What an instance claims in the control topic.
pub(crate) struct Claim<'a> {
    pub(crate) topology: &'a Topology,
    /// The plugins of its files.
    pub(crate) candidates: &'a [Candidate],
    pub(crate) loader: &'a dyn PluginLoader,
    pub(crate) author: &'a Author,
    /// Names of the internal topics that it has.
    pub(crate) topics: &'a [String],
}

/// The result of a claim.
pub(crate) struct Claimed {
    /// The deployments of all plugins.
    pub(crate) deployments: AppDeployments,
    /// Ids of the internal topics, by name.
    pub(crate) topics: BTreeMap<String, String>,
}

/// Deploys the plugins of the files, unless the process joins those that are active; notes the app's topics and the
/// contents of its stores.
///
/// # Errors
/// [`Error::Setup`]: a candidate can't read the state that is there, a step would take it for something else, or
/// another app has this one's name.
pub(crate) fn deploy(
    settings: &ClientSettings,
    cluster: &Cluster,
    claim: &Claim<'_>,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Claimed>, Error> {
    let control = internal_topics::control(&claim.topology.app);
    let facts = Facts::gather(cluster, claim)?;
    let attempt = || try_to_deploy(settings, cluster, &control, claim, &facts, go_on);
    let deployments = retry(&control, go_on, &attempt)?;
    Ok(deployments.map(|deployments| Claimed { deployments, topics: facts.ids }))
}

/// Writes to the control topic, again and again while other processes do the same or brokers are away. `None` if `go_on`
/// turns false before.
fn retry<T>(
    control: &str,
    go_on: &dyn Fn() -> bool,
    attempt: &dyn Fn() -> Result<Option<T>, Reaction>,
) -> Result<Option<T>, Error> {
    let (mut pause, mut logged) = (BACKOFF.0, Instant::now());
    loop {
        let reason = match attempt() {
            Ok(done) => return Ok(done),
            // Another instance has taken over the transactional id meanwhile.
            Err(Reaction::Stop(Error::TakenOver { .. })) => "other instances start at the same time".to_owned(),
            // Brokers are away, or don't know of the topic yet.
            Err(
                Reaction::Abort(reason)
                | Reaction::Unwritten(reason)
                | Reaction::Rebuild(reason)
                | Reaction::CutOff(reason),
            ) => reason,
            // The next attempt has another client.
            Err(Reaction::Fail(error @ Error::Hangs)) => error.to_string(),
            Err(Reaction::Refused(refused)) => return Err(refused.of_own_topic(control)),
            Err(Reaction::Fail(error) | Reaction::Stop(error)) => return Err(error),
        };
        if logged.elapsed() > LOG_INTERVAL {
            logged = Instant::now();
            tracing::warn!(topic = control, reason, "waiting");
        }
        wait(&mut pause, go_on);
        if !go_on() {
            return Ok(None);
        }
    }
}

/// Waits for a random part of the pause, and makes the next one longer.
fn wait(pause: &mut Duration, go_on: &dyn Fn() -> bool) {
    // Between a half and the whole.
    let part = f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
    let until = Instant::now() + pause.mul_f64(0.5 + part / 2.0);
    while Instant::now() < until && go_on() {
        std::thread::park_timeout(until.saturating_duration_since(Instant::now()).min(BACKOFF.0));
    }
    *pause = pause.saturating_mul(2).min(BACKOFF.1);
}

fn try_to_deploy(
    settings: &ClientSettings,
    cluster: &Cluster,
    control: &str,
    claim: &Claim<'_>,
    facts: &Facts,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<AppDeployments>, Reaction> {
    let Some(entries) = Entries::read(settings, cluster, control, go_on)? else { return Ok(None) };
    let gone = claims::gone(cluster, &entries.topics()?, &facts.ids)?;
    let changes = |entries: &Entries| changes(settings.app(), cluster, claim, facts, &gone, entries);
    let Changes { entries: changed, deployments, unused } = changes(&entries)?;
    if changed.is_empty() {
        warn_of_unused(&unused);
        return Ok(Some(deployments));
    }
    let topics = std::iter::once(control);
    let Some(mut producer) = Transactions::open(settings, control, topics, Arc::default(), go_on)? else {
        return Ok(None);
    };
    // Earlier owners of the id are fenced: the entries stay as they are now.
    let Some(entries) = Entries::read(settings, cluster, control, go_on)? else { return Ok(None) };
    let Changes { entries: changed, deployments, unused } = changes(&entries)?;
    write(&mut producer, &changed)?;
    warn_of_unused(&unused);
    Ok(Some(deployments))
}

/// Facts that are looked up once, before the attempts.
struct Facts {
    /// Ids of the internal topics.
    ids: BTreeMap<String, String>,
    contents: BTreeMap<String, Contents>,
    outline: Outline,
}

impl Facts {
    fn gather(cluster: &Cluster, claim: &Claim<'_>) -> Result<Self, Error> {
        let names: Vec<_> = claim.topics.iter().map(String::as_str).collect();
        let ids = cluster.ids(&names)?;
        if ids.len() < names.len() {
            // Just made, and not known to every broker yet.
            return Err(Error::Kafka(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)));
        }
        Ok(Self { ids, contents: contents(claim.topology), outline: Outline::of(claim.topology) })
    }
}

/// The contents of the stores. A global table is read again from its topic, whatever was in its store.
fn contents(topology: &Topology) -> BTreeMap<String, Contents> {
    let globals: BTreeSet<_> = topology.globals.iter().map(|table| table.name.as_str()).collect();
    let mut contents = topology.contents();
    contents.retain(|store, _| !globals.contains(store.as_str()));
    contents
}

/// Checks whether a pipeline can go on with the app's topics and state, before any topic is made for it.
///
/// # Errors
/// [`Error::Setup`]: another pipeline has its name, an internal topic isn't the app's or not the one it was, or a step
/// would take state for something else. [`Error::Task`]: no task would go on with a run that a process was in the
/// middle of.
pub(crate) fn check(
    settings: &ClientSettings,
    cluster: &Cluster,
    (topology, partitions): (&Topology, &[u32]),
    specs: &[&TopicSpec],
    go_on: &dyn Fn() -> bool,
) -> Result<Option<()>, Error> {
    let app = topology.app.as_str();
    let Some(entries) = Entries::read(settings, cluster, &internal_topics::control(app), go_on)? else {
        return Ok(None);
    };
    let (before, now) = (entries.pipeline()?, Outline::of(topology));
    check_pipeline(settings.app(), before.clone(), &now)?;
    claims::check(settings, cluster, app, &entries.topics()?, specs, go_on)?;
    check_contents(cluster, settings.app(), &entries.contents()?, &contents(topology))?;
    if before.is_some_and(|before| before.reads_more_than(&now)) {
        return orphans::check(settings, cluster, (topology, partitions), go_on);
    }
    Ok(Some(()))
}

/// What would become of the state of an app if this pipeline started. `None` if `go_on` turns false before.
///
/// # Errors
/// The control topic can't be read, or a broker doesn't answer.
pub(crate) fn state_changes(
    settings: &ClientSettings,
    cluster: &Cluster,
    topology: &Topology,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Vec<(String, Contents, StateChange)>>, Error> {
    let app = topology.app.as_str();
    let Some(entries) = Entries::read(settings, cluster, &internal_topics::control(app), go_on)? else {
        return Ok(None);
    };
    let mut holds_any = |store: &str| holds_any(cluster, &internal_topics::changelog(app, store));
    contents::changes(&entries.contents()?, &contents(topology), &mut holds_any).map(Some)
}

/// The changes of a claim in the control topic.
struct Changes {
    entries: Entries,
    deployments: AppDeployments,
    /// Stores with state that no step uses.
    unused: BTreeMap<String, Contents>,
}

/// The changes of the claim in the control topic as it is, where these topics of the app's are gone.
fn changes(
    app: App<'_>,
    cluster: &Cluster,
    claim: &Claim<'_>,
    facts: &Facts,
    gone: &BTreeMap<String, String>,
    entries: &Entries,
) -> Result<Changes, Error> {
    let mut changed = Entries::default();
    if entries.pipeline()?.as_ref() != Some(&facts.outline) {
        check_pipeline(app, entries.pipeline()?, &facts.outline)?;
        changed.set_pipeline(&facts.outline);
    }
    let before = entries.deployments()?;
    let mut deployments = before.clone();
    for candidate in claim.candidates {
        let is_kept = |digest: &str| before.components().contains_key(digest);
        let on_start = claim.topology.settings.deploy_on_start;
        let started = deployments.start(candidate, on_start, claim.author, &is_kept);
        started.map_err(|error| Error::Setup(error.to_string()))?;
    }
    changed.set_deployments(&before, &deployments, &|digest| claim.loader.component(digest));
    let known = entries.topics()?;
    let topics = claims::kept(app, &known, &facts.ids, gone)?;
    if topics != known {
        changed.set_topics(&topics);
    }
    let before = entries.contents()?;
    let mut contents = before.clone();
    contents.retain(|store, _| topics.contains_key(&internal_topics::changelog(app.name, store)));
    let now = check_contents(cluster, app, &contents, &facts.contents)?;
    let mut unused = contents.clone();
    unused.retain(|store, _| !facts.contents.contains_key(store));
    contents.extend(now);
    if contents != before {
        changed.set_contents(&contents);
    }
    Ok(Changes { entries: changed, deployments, unused })
}

/// A step doesn't go on with the state of another kind of step. Gives the contents of the stores from now on.
fn check_contents(
    cluster: &Cluster,
    app: App<'_>,
    before: &BTreeMap<String, Contents>,
    now: &BTreeMap<String, Contents>,
) -> Result<BTreeMap<String, Contents>, Error> {
    let mut all = now.clone();
    for (store, now) in &mut all {
        match before.get(store).map(|before| before.goes_on_as(now, store)) {
            Some(Err(changed)) if holds_any(cluster, &internal_topics::changelog(app.name, store))? => {
                return Err(Error::Setup(format!("{changed}; or start anew with {}", app.reset())));
            }
            Some(Ok(merged)) => *now = merged,
            Some(Err(_)) | None => {}
        }
    }
    Ok(all)
}

/// Two pipelines with hardly anything in common are two apps.
fn check_pipeline(app: App<'_>, before: Option<Outline>, now: &Outline) -> Result<(), Error> {
    match before.filter(|before| !before.is_same_app(now)) {
        None => Ok(()),
        Some(before) => Err(Error::Setup(format!(
            "another pipeline runs as the app `{}`, or ran last: it {}, and this one {}. Both would share the consumer \
             group and the internal topics. Give one of them another name; or, if this one is to take its place, stop \
             its processes and start anew with {}",
            app.name,
            before.said(),
            now.said(),
            app.reset()
        ))),
    }
}

fn holds_any(cluster: &Cluster, changelog: &str) -> Result<bool, Error> {
    for partition in 0..cluster.partitions(changelog)?.unwrap_or(0) {
        if cluster.range(changelog, partition)?.1 > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn warn_of_unused(unused: &BTreeMap<String, Contents>) {
    for (store, contents) in unused {
        let (step, of) = (&contents.step, contents.entries.to_string());
        tracing::warn!(
            step,
            store,
            of,
            "no step uses this state; if its step was renamed, the step began with empty state: to go on with this state, \
             give the step its old name"
        );
    }
}

/// The deployments of an app, and the notes of its instances, by their ids. `None` if `go_on` turns false before.
///
/// # Errors
/// The control topic can't be read.
pub(crate) fn deployments(
    settings: &ClientSettings,
    cluster: &Cluster,
    app: &str,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<(AppDeployments, BTreeMap<String, InstanceNote>)>, Error> {
    let Some(entries) = Entries::read(settings, cluster, &internal_topics::control(app), go_on)? else {
        return Ok(None);
    };
    Ok(Some((entries.deployments()?, entries.notes())))
}

/// The notes of an app in its control topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct AppNotes {
    /// Names of the internal topics that it has ever made.
    pub(crate) topics: BTreeSet<String>,
    /// Names of the topics that its tasks read, its own ones too.
    pub(crate) read: BTreeSet<String>,
}

/// The notes of an app in its control topic; none if it never ran.
///
/// # Errors
/// The control topic can't be read.
pub(crate) fn noted(settings: &ClientSettings, cluster: &Cluster, app: &str) -> Result<AppNotes, Error> {
    let control = internal_topics::control(app);
    if cluster.partitions(&control)?.is_none() {
        return Ok(AppNotes::default());
    }
    // A process that was killed may have left a transaction open.
    let limit = Instant::now() + settings.transaction_timeout() + ABORT_CHECK_INTERVAL + REQUEST_TIMEOUT;
    let entries = Entries::read(settings, cluster, &control, &|| Instant::now() < limit)?;
    let entries = entries.ok_or_else(|| {
        Error::Unreachable(format!(
            "topic `{control}` can't be read to its end: {}",
            whole_topic::undecided(settings, &control)
        ))
    })?;
    let read = entries.pipeline()?.map(|outline| outline.read().clone()).unwrap_or_default();
    Ok(AppNotes { topics: entries.topics()?.into_keys().chain([control]).collect(), read })
}

fn write(producer: &mut Transactions, changes: &Entries) -> Result<(), Reaction> {
    if changes.is_empty() {
        return Ok(());
    }
    for (key, value) in changes.iter() {
        let key = Some(key.as_bytes());
        let record =
            native::OutgoingRecord { partition: 0, key, value, timestamp: wall_clock(), headers: &Headers::EMPTY };
        producer.send(0, &record, None)?;
    }
    producer.commit_records()
}
