//! Following the control topic while an instance runs: versions of plugins are loaded as they are staged, and published
//! to the workers once they are active.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_engine::deployment::{ActivePlugins, AppDeployments, PluginLoader, PluginRecord, TrialCounts};
use millrace_engine::shadow::ShadowReports;
use millrace_engine::topology::Topology;
use rdkafka::{Offset, TopicPartitionList};

use super::components;
use super::current_plugins::CurrentPlugins;
use super::entries::deployed_plugin;
use super::notes::{self, InstanceNote, NoteWriter, Refused};
use super::rewrites::{InstanceRewrites, RewriteVerdicts, Rewrites};
use super::trials::Trials;
use super::verdicts::Verdicts;
use crate::client::native::{Fetched, Fetcher};
use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;
use crate::cluster::internal_topics;
use crate::error::Error;
use crate::error::codes::remedy;
use crate::faults::{self, Point};

/// How long to wait for entries at a time.
const POLL_WAIT: Duration = Duration::from_millis(20);

/// How long a broker keeps a fetch that finds nothing new. It answers no earlier when a transaction ends.
const FETCH_WAIT_MS: &str = "50";

/// How often it is tried again to read a component.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How often versions that couldn't run are tried again.
const HELD_RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// How often the results of canaries are noted while they fail, since other processes wait for them to end it; and
/// otherwise, since all readers of the control topic read each note.
const COUNTS_INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How often the report of shadows is noted.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// How often it is logged that the topic can't be read.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// What the thread that follows needs of its instance.
pub(crate) struct FollowContext<'i> {
    pub(crate) settings: &'i ClientSettings,
    pub(crate) cluster: &'i Cluster,
    pub(crate) topology: &'i Arc<Topology>,
    pub(crate) loader: &'i dyn PluginLoader,
    pub(crate) current: &'i CurrentPlugins,
    pub(crate) trials: &'i Trials,
    pub(crate) rewrites: &'i Rewrites,
    /// Number of partitions of each topic of the pipeline.
    pub(crate) partitions: &'i [u32],
    pub(crate) shadows: &'i ShadowReports,
    /// The instance's id.
    pub(crate) instance: &'i str,
    /// Name of its host.
    pub(crate) host: &'i str,
    /// Called with the reason when the instance can't run the active versions, and with none when it can again.
    pub(crate) held: &'i dyn Fn(Option<String>),
    pub(crate) stop: &'i AtomicBool,
}

/// Follows the control topic until the process stops.
///
/// # Errors
/// The topic can't be read.
pub(crate) fn follow(context: &FollowContext<'_>, deployments: AppDeployments) -> Result<(), Error> {
    let mut follower = loop {
        match Follower::start(context, deployments.clone()) {
            // Brokers are away: the instance waits for them, too.
            Err(error @ Error::Kafka(_)) if !context.stop.load(Ordering::Relaxed) => {
                tracing::warn!(%error, "the control topic can't be followed: trying again");
                std::thread::park_timeout(RETRY_INTERVAL);
            }
            Err(Error::Kafka(_)) => return Ok(()),
            started => break started?,
        }
    };
    while !context.stop.load(Ordering::Relaxed) {
        follower.round()?;
    }
    if let Some(report) = context.shadows.get() {
        follower.notes.report(report);
    }
    follower.notes.delete();
    Ok(())
}

struct Follower<'i> {
    context: &'i FollowContext<'i>,
    fetcher: Fetcher,
    notes: NoteWriter,
    note: InstanceNote,
    /// The deployments as they were last read.
    deployments: AppDeployments,
    /// The generations that were loaded last, of all plugins of the pipeline.
    active: BTreeMap<String, u32>,
    /// Those that were to be loaded, staged ones too.
    next: BTreeMap<String, u32>,
    /// Whether the deployments may have changed, and since when that can't be dealt with.
    changed: bool,
    failed: Option<Instant>,
    /// When it was logged last that the topic can't be read.
    warned: Option<Instant>,
    /// Why the active versions can't run here.
    held: Option<String>,
    /// Versions that no worker runs any more are freed once all workers run the current ones.
    retired: bool,
    verdicts: Verdicts,
    rewrites: RewriteVerdicts,
    /// When the results of canaries and the report of shadows were noted last.
    noted: Option<Instant>,
    rewrites_noted: Option<Instant>,
    reported: Option<Instant>,
    /// Whether it has read the topic to its end.
    caught_up: bool,
}

impl<'i> Follower<'i> {
    fn start(context: &'i FollowContext<'i>, deployments: AppDeployments) -> Result<Self, Error> {
        let FollowContext { settings, cluster, topology, instance, host, .. } = context;
        let topic = internal_topics::control(&topology.app);
        let mut config = settings.fetcher("deployments");
        config.set("fetch.wait.max.ms", FETCH_WAIT_MS).set("fetch.min.bytes", "1");
        let fetcher = Fetcher::new(&config)?;
        let (low, _) = cluster.range(&topic, 0)?;
        let mut places = TopicPartitionList::new();
        places.add_partition_offset(&topic, 0, Offset::Offset(low))?;
        fetcher.assign(&places)?;
        let notes = NoteWriter::new(settings, &topology.app, instance)?;
        let active = deployments.reached(topology);
        let note = InstanceNote {
            host: (*host).to_owned(),
            loaded: active.clone(),
            running: active.clone(),
            ..InstanceNote::default()
        };
        let next = newest(topology, &deployments);
        Ok(Self {
            context,
            fetcher,
            notes,
            note,
            deployments,
            active,
            next,
            changed: true,
            failed: None,
            warned: None,
            held: None,
            retired: false,
            verdicts: Verdicts::default(),
            rewrites: RewriteVerdicts::default(),
            noted: None,
            rewrites_noted: None,
            reported: None,
            caught_up: false,
        })
    }

    fn round(&mut self) -> Result<(), Error> {
        let (mut ended, mut records, mut trouble) = (false, Vec::new(), None);
        let (verdicts, rewrites) = (&mut self.verdicts, &mut self.rewrites);
        self.fetcher.poll(POLL_WAIT, |_, _, fetched| match fetched {
            Fetched::Record(message) => {
                // The end was that of the records before.
                ended = false;
                let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
                if let Some(plugin) = deployed_plugin(&key) {
                    records.push((plugin.to_owned(), message.value().map(<[u8]>::to_vec)));
                } else if let Some(instance) = notes::instance_of(&key) {
                    let note = message.value().and_then(|value| serde_json::from_slice::<InstanceNote>(value).ok());
                    verdicts.take(instance, note.as_ref());
                    rewrites.take(instance, note);
                }
            }
            Fetched::End(_) => ended = true,
            Fetched::Failed(code, text) => trouble = Some(format!("{text}{}", remedy(code))),
        });
        if let Some(reason) = trouble {
            self.warn(&reason);
        }
        for (plugin, value) in records {
            // It may be the way out of what has failed.
            (self.changed, self.failed) = (true, None);
            self.take(plugin, value.as_deref());
        }
        // The deployments of a transaction take effect together: only at the end of the topic all of them are here.
        let may_try = self.failed.is_none_or(|at| at.elapsed() > self.retry_interval());
        if self.changed && (ended || self.failed.is_some()) && may_try {
            self.failed = None;
            self.changed = false;
            self.apply()?;
        }
        self.note_running();
        // The topic is read from its beginning: records of earlier times aren't judged.
        self.caught_up |= ended;
        if self.caught_up {
            self.verdicts.act(self.context, &self.deployments);
            self.rewrites.act(self.context, &self.deployments);
        }
        self.note_results();
        self.note_rewrites();
        self.notes.write(&self.note);
        Ok(())
    }

    /// Notes the results of canaries and shadows, not too often.
    fn note_results(&mut self) {
        let passed = |at: Option<Instant>, interval| at.is_none_or(|at: Instant| at.elapsed() >= interval);
        if passed(self.noted, COUNTS_INTERVALS.0) {
            let counts = self.context.trials.counts();
            let failed = |all: &BTreeMap<String, TrialCounts>| all.values().map(TrialCounts::failed).sum::<u64>();
            if failed(&counts) != failed(&self.note.counts) || passed(self.noted, COUNTS_INTERVALS.1) {
                (self.noted, self.note.counts) = (Some(Instant::now()), counts);
            }
        }
        if passed(self.reported, REPORT_INTERVAL) {
            self.reported = Some(Instant::now());
            if let Some(report) = self.context.shadows.get() {
                self.notes.report(report);
            }
        }
    }

    /// Notes how far the tasks are with rewriting entries: at once which are done, and the counts not too often.
    fn note_rewrites(&mut self) {
        let now = self.context.rewrites.of_instance(self.context);
        fn done(of: &BTreeMap<String, InstanceRewrites>) -> impl Iterator<Item = impl PartialEq> {
            of.iter().map(|(plugin, it)| (plugin, it.reached, &it.stores))
        }
        let passed = self.rewrites_noted.is_none_or(|at| at.elapsed() >= COUNTS_INTERVALS.1);
        if passed || !done(&now).eq(done(&self.note.rewrites)) {
            (self.rewrites_noted, self.note.rewrites) = (Some(Instant::now()), now);
        }
    }

    /// Logs why no deployments come, once in a while.
    fn warn(&mut self, reason: &str) {
        if self.warned.is_none_or(|at| at.elapsed() > LOG_INTERVAL) {
            self.warned = Some(Instant::now());
            tracing::warn!(reason, "the control topic can't be read: new deployments come later");
        }
    }

    fn take(&mut self, plugin: String, value: Option<&[u8]>) {
        let known = self.deployments.plugins.get(&plugin).map_or(0, |record| record.generation);
        match value.map(serde_json::from_slice::<PluginRecord>) {
            // The topic is read from its beginning.
            Some(Ok(record)) if record.generation < known => {}
            Some(Ok(record)) => drop(self.deployments.plugins.insert(plugin, record)),
            Some(Err(error)) => tracing::error!(plugin, %error, "the record of its deployments can't be read"),
            None => drop(self.deployments.plugins.remove(&plugin)),
        }
    }

    /// Loads what is new, and publishes what is active.
    fn apply(&mut self) -> Result<(), Error> {
        let FollowContext { topology, loader, .. } = self.context;
        let (active, next) = (self.deployments.reached(topology), newest(topology, &self.deployments));
        if (active != self.active || next != self.next) && !self.add_components() {
            return Ok(());
        }
        if active != self.active {
            match self.deployments.load(topology, *loader) {
                Ok(plugins) => self.publish(plugins, active),
                Err(reason) => self.hold(reason, active),
            }
        }
        if next != self.next {
            match self.deployments.load_next(topology, *loader) {
                Ok(()) => {
                    self.note.loaded.clone_from(&next);
                    if self.held.is_none() {
                        self.note.refused = None;
                    }
                }
                Err(reason) => {
                    tracing::warn!(reason, "this process can't run a staged deployment");
                    self.note.refused = Some(Refused { generations: next.clone(), reason });
                }
            }
            self.next = next;
        }
        Ok(())
    }

    /// Gives the loader the components that it lacks. False if one couldn't be read yet: it is tried again.
    fn add_components(&mut self) -> bool {
        let FollowContext { settings, cluster, topology, loader, stop, .. } = self.context;
        let go_on = || !stop.load(Ordering::Relaxed);
        match components::add(settings, cluster, topology, &self.deployments, *loader, &go_on) {
            Ok(added) => added.is_some(),
            Err(error) => {
                tracing::warn!(%error, "the component of a deployment can't be read: trying again");
                (self.changed, self.failed) = (true, Some(Instant::now()));
                false
            }
        }
    }

    fn publish(&mut self, plugins: ActivePlugins, active: BTreeMap<String, u32>) {
        for (plugin, generation) in active.iter().filter(|(plugin, now)| self.active.get(*plugin) != Some(now)) {
            let changed = self.deployments.on_trial(plugin).or_else(|| self.deployments.active(plugin));
            if let Some(deployment) = changed {
                let (digest, cause, by) = (&deployment.component, deployment.cause.name(), &deployment.by);
                let status = deployment.status.name();
                tracing::info!(plugin, generation, digest, status, cause, by, note = deployment.note, "deployment");
            }
        }
        // A shadow that ends leaves its report.
        if let Some(report) = self.context.shadows.get() {
            self.notes.report(report);
        }
        faults::hit(Point::PluginsLoaded);
        self.context.current.publish(plugins.clone());
        self.context.trials.swapped(&plugins);
        (self.active, self.retired) = (active, false);
        self.note.refused = None;
        if self.held.take().is_some() {
            (self.context.held)(None);
        }
    }

    /// The host may be what failed: a version that can't run is tried again now and then.
    fn retry_interval(&self) -> Duration {
        if self.held.is_some() { HELD_RETRY_INTERVAL } else { RETRY_INTERVAL }
    }

    fn hold(&mut self, reason: String, active: BTreeMap<String, u32>) {
        self.note.refused = Some(Refused { generations: active, reason: reason.clone() });
        (self.changed, self.failed) = (true, Some(Instant::now()));
        if self.held.as_ref() != Some(&reason) {
            self.held = Some(reason.clone());
            (self.context.held)(Some(reason));
        }
    }

    /// Notes which generations all workers run.
    fn note_running(&mut self) {
        if self.held.is_some() || !self.context.current.is_adopted() {
            return;
        }
        if self.note.running != self.active {
            self.note.running.clone_from(&self.active);
        }
        if !self.retired {
            self.retired = true;
            let (_, plugins) = self.context.current.get();
            self.context.loader.retire(&plugins);
        }
    }
}

/// The generations of the newest deployments of the pipeline's plugins, staged ones too.
fn newest(topology: &Topology, deployments: &AppDeployments) -> BTreeMap<String, u32> {
    let names = topology.plugins.iter().map(|plugin| &plugin.name);
    names.filter_map(|plugin| Some((plugin.clone(), deployments.newest(plugin)?.generation))).collect()
}
