//! The deployments of an app, seen and changed from outside, and how far its processes are with them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_engine::contents::StateChanges;
use millrace_engine::deployment::{Act, AppDeployments, Author, RewriteCounts, TrialCounts};
use millrace_engine::shadow::ShadowReport;
use millrace_engine::state::keys::version_of;
use millrace_engine::topology::Topology;

use crate::cluster::{Cluster, internal_topics, whole_topic};
use crate::commands::records::Connection;
use crate::control::change::{Change, change};
use crate::control::{self, InstanceNote, Noted, components, instance_of_client};
use crate::error::Error;

/// How long a command waits for the control topic: another process may hold its transaction open.
pub(super) const CONTROL_TIMEOUT: Duration = Duration::from_secs(60);

/// The deployments of an app on a cluster.
pub struct Deployments<'c> {
    connection: &'c Connection,
    cluster: Cluster,
    app: String,
}

/// A process that is in the app's group.
#[derive(Clone, Debug)]
pub struct LiveInstance {
    /// Its id.
    pub id: String,
    /// How far it is; none if it has said nothing yet.
    pub note: Option<InstanceNote>,
}

impl<'c> Deployments<'c> {
    /// The deployments of an app.
    ///
    /// # Errors
    /// No broker answers.
    pub fn of(connection: &'c Connection, app: &str) -> Result<Self, Error> {
        Ok(Self { connection, cluster: connection.cluster()?, app: app.to_owned() })
    }

    /// The deployments of all plugins; none if the app never ran.
    ///
    /// # Errors
    /// The control topic can't be read.
    pub fn read(&self) -> Result<AppDeployments, Error> {
        Ok(self.entries()?.deployments)
    }

    /// The deployments, and the processes that run now.
    ///
    /// # Errors
    /// The control topic can't be read, or the coordinator of the group doesn't answer.
    pub fn watch(&self) -> Result<(AppDeployments, Vec<LiveInstance>), Error> {
        let Noted { deployments, instances: mut notes, .. } = self.entries()?;
        let members = self.cluster.members(&self.app)?;
        let ids = members.iter().filter_map(|client| instance_of_client(&self.app, client));
        let live = ids.map(|id| LiveInstance { id: id.to_owned(), note: notes.remove(id) });
        Ok((deployments, live.collect()))
    }

    /// The counts of the canaries, by plugin, as all instances have last noted them.
    ///
    /// # Errors
    /// The control topic can't be read.
    pub fn canary_counts(&self) -> Result<BTreeMap<String, TrialCounts>, Error> {
        let mut all: BTreeMap<String, TrialCounts> = BTreeMap::new();
        for (plugin, counts) in self.entries()?.instances.into_values().flat_map(|note| note.counts) {
            all.entry(plugin).or_default().add(&counts);
        }
        Ok(all)
    }

    /// How far the rewriting of each plugin's state is, as all live instances have last noted it.
    ///
    /// # Errors
    /// The control topic can't be read, or the coordinator of the group doesn't answer.
    pub fn rewrite_counts(&self) -> Result<BTreeMap<String, RewriteCounts>, Error> {
        // Those of instances that are gone were counted for tasks that others have now.
        let (deployments, live) = self.watch()?;
        let reached = |plugin: &str| deployments.plugins.get(plugin).map(|record| record.reached());
        let noted = live.iter().filter_map(|instance| instance.note.as_ref()).flat_map(|note| &note.rewrites);
        let now = noted.filter(|(plugin, rewrites)| reached(plugin) == Some(rewrites.reached));
        Ok(RewriteCounts::sums(now.map(|(plugin, rewrites)| (plugin, &rewrites.counts))))
    }

    /// The report of the shadow of this generation; none if no instance has noted one.
    ///
    /// # Errors
    /// The control topic can't be read.
    pub fn shadow_report(&self, generation: u32) -> Result<Option<ShadowReport>, Error> {
        Ok(self.entries()?.shadows.remove(&generation))
    }

    fn entries(&self) -> Result<Noted, Error> {
        let limit = Instant::now() + CONTROL_TIMEOUT;
        let settings = self.connection.settings();
        let read = control::deployments(settings, &self.cluster, &self.app, &|| Instant::now() < limit)?;
        read.ok_or_else(|| self.control_too_late())
    }

    /// The bytes of components.
    ///
    /// # Errors
    /// The control topic can't be read.
    pub fn components(&self, digests: &BTreeSet<&str>) -> Result<Vec<Arc<[u8]>>, Error> {
        let limit = Instant::now() + CONTROL_TIMEOUT;
        let settings = self.connection.settings();
        let read = components::read(settings, &self.cluster, &self.app, digests, &|| Instant::now() < limit)?;
        read.ok_or_else(|| self.control_too_late())
    }

    /// What would become of the app's state if this pipeline started.
    ///
    /// # Errors
    /// The control topic can't be read.
    pub fn state_changes(&self, topology: &Topology) -> Result<StateChanges, Error> {
        let limit = Instant::now() + CONTROL_TIMEOUT;
        let settings = self.connection.settings();
        let changes = control::state_changes(settings, &self.cluster, topology, &|| Instant::now() < limit)?;
        changes.ok_or_else(|| self.control_too_late())
    }

    /// Numbers of the entries of these stores, by state version: their changelogs are read whole.
    ///
    /// # Errors
    /// A changelog can't be read.
    pub fn entries_by_version(&self, stores: &[String]) -> Result<BTreeMap<u32, u64>, Error> {
        let (mut versions, mut entries) = (HashMap::new(), BTreeMap::new());
        for store in stores {
            let changelog = internal_topics::changelog(&self.app, store);
            let moved = Cell::new(Instant::now());
            let go_on = || moved.get().elapsed() < CONTROL_TIMEOUT;
            let read = whole_topic::read(
                self.connection.settings(),
                &self.cluster,
                &changelog,
                &go_on,
                &mut |partition, key, value| {
                    moved.set(Instant::now());
                    // A key's hash is enough for a count.
                    let key_hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((partition, key));
                    match value.and_then(|value| version_of(key, value)) {
                        Some(version) => drop(versions.insert(key_hash, version)),
                        None => drop(versions.remove(&key_hash)),
                    }
                },
            )?;
            read.ok_or_else(|| too_late(&changelog))?;
            for (_, version) in versions.drain() {
                *entries.entry(version).or_default() += 1;
            }
        }
        Ok(entries)
    }

    /// Changes the deployments. `components` are those that the change needs, by digest. Returns the generations that it
    /// deploys.
    ///
    /// # Errors
    /// [`Error::Setup`]: it can't be done, and the reason.
    pub fn change(
        &self,
        act: &Act,
        author: &Author,
        components: &BTreeMap<String, Arc<[u8]>>,
    ) -> Result<BTreeMap<String, u32>, Error> {
        let limit = Instant::now() + CONTROL_TIMEOUT;
        let wanted = Change { act, author, components };
        let go_on = || Instant::now() < limit;
        let done = change(self.connection.settings(), &self.cluster, &self.app, &wanted, &go_on)?;
        done.ok_or_else(|| self.control_too_late())
    }

    fn control_too_late(&self) -> Error {
        too_late(&internal_topics::control(&self.app))
    }
}

/// The error where a topic couldn't be read or written within [`CONTROL_TIMEOUT`].
pub(super) fn too_late(topic: &str) -> Error {
    let seconds = CONTROL_TIMEOUT.as_secs();
    Error::Unreachable(format!("topic `{topic}` can't be read or written within {seconds} s"))
}
