//! Where the deployments of an app are kept: in its data folder, or in its control topic on Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use millrace_embedded::deploy::{self, Answer, Request};
use millrace_engine::deployment::{Act, AppDeployments, Author, RewriteCounts, TrialCounts};
use millrace_engine::shadow::ShadowReport;
use millrace_engine::topology::Topology;
use millrace_kafka::deployments::{Deployments, LiveInstance};
use millrace_kafka::records::Connection;

use crate::args;
use crate::data;

/// Components by digest.
pub(crate) type Components = BTreeMap<String, Arc<[u8]>>;

/// How long the app on a data folder may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The deployments of an app.
pub(crate) struct Control<'t> {
    topology: &'t Topology,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    Kafka(Box<Connection>),
}

impl<'t> Control<'t> {
    /// Those of this pipeline's app.
    ///
    /// # Errors
    /// No broker answers, or the folder isn't that of the app.
    pub(crate) fn open(topology: &'t Topology, at: &args::RunsAt) -> Result<Self> {
        let app = topology.app.as_str();
        let place = match &at.kafka {
            Some(bootstrap) => Place::Kafka(Box::new(Connection::open(app, bootstrap, &topology.kafka)?)),
            None => {
                let folder = at.data.clone().unwrap_or_else(|| data::default_of(app));
                let owner = deploy::owner(&data::open_to_read(&folder)?.1)?;
                if let Some(owner) = owner.filter(|owner| owner != app) {
                    bail!("{}: the folder belongs to the app `{owner}`, and not to `{app}`", folder.display());
                }
                Place::Folder(folder)
            }
        };
        Ok(Self { topology, place })
    }

    /// The app's pipeline.
    pub(crate) fn topology(&self) -> &Topology {
        self.topology
    }

    /// Numbers of the entries of these stores, by state version.
    ///
    /// # Errors
    /// They can't be read.
    pub(crate) fn entries_by_version(&self, stores: &[String]) -> Result<BTreeMap<u32, u64>> {
        match &self.place {
            Place::Folder(folder) => Ok(deploy::entries_by_version(&data::open_to_read(folder)?.1, stores)?),
            Place::Kafka(connection) => Ok(Deployments::of(connection, self.app())?.entries_by_version(stores)?),
        }
    }

    /// The app's name.
    pub(crate) fn app(&self) -> &str {
        &self.topology.app
    }

    /// The deployments of all plugins.
    ///
    /// # Errors
    /// They can't be read.
    pub(crate) fn deployments(&self) -> Result<AppDeployments> {
        match &self.place {
            Place::Folder(folder) => Ok(deploy::deployments(&data::open_to_read(folder)?.1, self.app())?),
            Place::Kafka(connection) => Ok(Deployments::of(connection, self.app())?.read()?),
        }
    }

    /// Components of deployments.
    ///
    /// # Errors
    /// They can't be read.
    pub(crate) fn components(&self, digests: &BTreeSet<&str>) -> Result<Vec<Arc<[u8]>>> {
        match &self.place {
            Place::Folder(folder) => Ok(deploy::components(&data::open_to_read(folder)?.1, digests)?),
            Place::Kafka(connection) => Ok(Deployments::of(connection, self.app())?.components(digests)?),
        }
    }

    /// The deployments, and the app's processes on Kafka.
    ///
    /// # Errors
    /// They can't be read.
    pub(crate) fn watch(&self) -> Result<(AppDeployments, Vec<LiveInstance>)> {
        match &self.place {
            Place::Folder(_) => Ok((self.deployments()?, Vec::new())),
            Place::Kafka(connection) => Ok(Deployments::of(connection, self.app())?.watch()?),
        }
    }

    /// The counts of the canaries, by plugin, as the app's processes have last noted them.
    ///
    /// # Errors
    /// They can't be read.
    pub(crate) fn canary_counts(&self) -> Result<BTreeMap<String, TrialCounts>> {
        match &self.place {
            Place::Folder(folder) => Ok(deploy::canary_counts(&data::open_to_read(folder)?.1)?),
            Place::Kafka(connection) => Ok(Deployments::of(connection, self.app())?.canary_counts()?),
        }
    }

    /// How far the rewriting of each plugin's state is, as the app's processes have last noted it.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn rewrite_counts(&self) -> Result<BTreeMap<String, RewriteCounts>> {
        match &self.place {
            Place::Folder(folder) => Ok(deploy::rewrite_counts(&data::open_to_read(folder)?.1)?),
            Place::Kafka(connection) => Ok(Deployments::of(connection, self.app())?.rewrite_counts()?),
        }
    }

    /// The report of the shadow of this generation, as the app's processes have last noted it; none if none has.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn shadow_report(&self, generation: u32) -> Result<Option<ShadowReport>> {
        match &self.place {
            Place::Folder(folder) => {
                let noted = deploy::shadow_report(&data::open_to_read(folder)?.1)?;
                Ok(noted.filter(|(of, _)| *of == generation).map(|(_, report)| report))
            }
            Place::Kafka(connection) => Ok(Deployments::of(connection, self.app())?.shadow_report(generation)?),
        }
    }

    /// Whether a process of the app runs.
    ///
    /// # Errors
    /// It can't be told.
    pub(crate) fn runs(&self) -> Result<bool> {
        match &self.place {
            Place::Folder(folder) => Ok(data::is_in_use(folder)?),
            Place::Kafka(_) => Ok(!self.watch()?.1.is_empty()),
        }
    }

    /// Changes the deployments. An app that runs on a data folder does so itself, and answers when it is done.
    ///
    /// # Errors
    /// It is refused: nothing has changed.
    pub(crate) fn change(&self, act: &Act, author: &Author, components: &Components) -> Result<BTreeMap<String, u32>> {
        match &self.place {
            Place::Folder(folder) => self.change_in(folder, act, author, components),
            Place::Kafka(connection) => Ok(Deployments::of(connection, self.app())?.change(act, author, components)?),
        }
    }

    fn change_in(
        &self,
        folder: &Path,
        act: &Act,
        author: &Author,
        components: &Components,
    ) -> Result<BTreeMap<String, u32>> {
        match data::open(folder, &self.topology.stores) {
            Ok((_, log)) => return Ok(deploy::change(&log, self.app(), act, author, components)?),
            Err(error) if !data::is_locked(&error) => return Err(error),
            Err(_) => {}
        }
        let request = Request { act: act.clone(), author: author.clone() };
        let components: Vec<_> = components.iter().map(|(digest, bytes)| (digest.clone(), Arc::clone(bytes))).collect();
        let limit = Instant::now() + ANSWER_TIMEOUT;
        match deploy::ask(folder, &request, &components, &|| Instant::now() < limit)? {
            Some(Answer::Done(generations)) => Ok(generations),
            Some(Answer::Refused(reason)) => bail!("the app refuses it: {reason}"),
            None => bail!(
                "the process on {} doesn't answer within {} s: only `millrace run` takes deployments. If it had begun with \
                 this one, it may still do it: `millrace deployments list` shows it",
                folder.display(),
                ANSWER_TIMEOUT.as_secs()
            ),
        }
    }
}
