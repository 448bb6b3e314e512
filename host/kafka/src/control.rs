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
pub(crate) mod orphaned_topics;
pub(crate) mod orphans;
mod outline;
mod rewrites;
pub(crate) mod starting;
mod trials;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use millrace_engine::contents::{self, Contents, StateChanges};
use millrace_engine::deployment::AppDeployments;
use millrace_engine::record::Headers;
use millrace_engine::shadow::ShadowReport;
use millrace_engine::topology::Topology;
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
pub(crate) use notes::instance_of_client;
pub use notes::{InstanceNote, Refused};
use outline::Outline;
pub(crate) use rewrites::{Rewrites, WorkerRewrites};
pub(crate) use trials::Trials;

/// Pauses between attempts: the first, and the longest. Each is of random length, so that instances that have fenced
/// each other come back at different times.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How often it is logged that the control topic can't be written.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How long a broker may take to see that a transaction is too old: its default for
/// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
const ABORT_CHECK_INTERVAL: Duration = Duration::from_secs(10);

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
) -> Result<Option<StateChanges>, Error> {
    let app = topology.app.as_str();
    let Some(entries) = Entries::read(settings, cluster, &internal_topics::control(app), go_on)? else {
        return Ok(None);
    };
    let mut holds_any = |store: &str| holds_any(cluster, &internal_topics::changelog(app, store));
    contents::changes(&entries.contents()?, &contents(topology), &mut holds_any).map(Some)
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

/// Forgets the contents of stores whose changelogs aren't among the app's topics any more.
fn forget_lost(contents: &mut BTreeMap<String, Contents>, app: &str, topics: &BTreeMap<String, String>) {
    contents.retain(|store, _| topics.contains_key(&internal_topics::changelog(app, store)));
}

fn holds_any(cluster: &Cluster, changelog: &str) -> Result<bool, Error> {
    for partition in 0..cluster.partitions(changelog)?.unwrap_or(0) {
        if cluster.range(changelog, partition)?.1 > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What an app has noted of its deployments.
pub(crate) struct Noted {
    pub(crate) deployments: AppDeployments,
    /// The notes of its instances, by their ids.
    pub(crate) instances: BTreeMap<String, InstanceNote>,
    /// The reports of shadows, by generation.
    pub(crate) shadows: BTreeMap<u32, ShadowReport>,
}

/// What an app has noted of its deployments. `None` if `go_on` turns false before.
///
/// # Errors
/// The control topic can't be read.
pub(crate) fn deployments(
    settings: &ClientSettings,
    cluster: &Cluster,
    app: &str,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Noted>, Error> {
    let Some(entries) = Entries::read(settings, cluster, &internal_topics::control(app), go_on)? else {
        return Ok(None);
    };
    Ok(Some(Noted { deployments: entries.deployments()?, instances: entries.notes(), shadows: entries.shadows() }))
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
