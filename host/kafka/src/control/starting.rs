//! What an instance writes into the control topic when it starts: new versions of plugins from its files become
//! deployments, and its topics and stores are noted.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::contents::Contents;
use millrace_engine::deployment::{ActivePlugins, AppDeployments, Author, Candidate, PluginLoader};
use millrace_engine::topology::Topology;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::entries::Entries;
use super::outline::Outline;
use super::{check_contents, check_pipeline, claims, components, contents, forget_lost, retry, write};
use crate::client::app::App;
use crate::client::producer::Transactions;
use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;
use crate::cluster::internal_topics;
use crate::error::{Error, Reaction};

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
    /// The active ones of the pipeline's plugins, loaded.
    pub(crate) plugins: ActivePlugins,
    /// The first generation that the start has deployed, if it has deployed one.
    pub(crate) new_generation: u32,
    /// Ids of the internal topics, by name.
    pub(crate) topics: BTreeMap<String, String>,
}

/// The deployments after a start.
struct Deployed {
    deployments: AppDeployments,
    new_generation: u32,
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
    let deployed = retry(&control, go_on, &attempt)?;
    Ok(deployed.map(|(Deployed { deployments, new_generation }, plugins)| Claimed {
        deployments,
        plugins,
        new_generation,
        topics: facts.ids,
    }))
}

fn try_to_deploy(
    settings: &ClientSettings,
    cluster: &Cluster,
    control: &str,
    claim: &Claim<'_>,
    facts: &Facts,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<(Deployed, ActivePlugins)>, Reaction> {
    let Some(entries) = Entries::read(settings, cluster, control, go_on)? else { return Ok(None) };
    let gone = claims::gone(cluster, &entries.topics()?, &facts.ids)?;
    let changes = |entries: &Entries| changes(settings.app(), cluster, claim, facts, &gone, entries);
    // Nothing is deployed that doesn't run here, together with the active versions of the other plugins.
    let load = |deployments: &AppDeployments| load_active(settings, cluster, claim, deployments, go_on);
    let Changes { entries: changed, deployments, unused } = changes(&entries)?;
    let Some(plugins) = load(&deployments)? else { return Ok(None) };
    if changed.is_empty() {
        warn_of_unused(&unused);
        let new_generation = deployments.generation() + 1;
        return Ok(Some((Deployed { deployments, new_generation }, plugins)));
    }
    let topics = std::iter::once(control);
    let Some(mut producer) = Transactions::open(settings, control, topics, Arc::default(), go_on)? else {
        return Ok(None);
    };
    // Earlier owners of the id are fenced: the entries stay as they are now.
    let Some(entries) = Entries::read(settings, cluster, control, go_on)? else { return Ok(None) };
    let Changes { entries: changed, deployments, unused } = changes(&entries)?;
    let Some(plugins) = load(&deployments)? else { return Ok(None) };
    write(&mut producer, &changed)?;
    warn_of_unused(&unused);
    let new_generation = entries.deployments()?.generation() + 1;
    Ok(Some((Deployed { deployments, new_generation }, plugins)))
}

/// Loads the active versions of the pipeline's plugins. `None` if `go_on` turns false before.
fn load_active(
    settings: &ClientSettings,
    cluster: &Cluster,
    claim: &Claim<'_>,
    deployments: &AppDeployments,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<ActivePlugins>, Error> {
    let (topology, loader) = (claim.topology, claim.loader);
    if components::add(settings, cluster, topology, deployments, loader, go_on)?.is_none() {
        return Ok(None);
    }
    let loaded = deployments.load(topology, loader);
    loaded.map(Some).map_err(|reason| {
        Error::Setup(format!("the active version of a plugin doesn't fit the pipeline files of this process: {reason}"))
    })
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
        let started = deployments.start(candidate, claim.topology.settings.deploy_on_start, claim.author);
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
    forget_lost(&mut contents, app.name, &topics);
    let now = check_contents(cluster, app, &contents, &facts.contents)?;
    let mut unused = contents.clone();
    unused.retain(|store, _| !facts.contents.contains_key(store));
    contents.extend(now);
    if contents != before {
        changed.set_contents(&contents);
    }
    Ok(Changes { entries: changed, deployments, unused })
}

fn warn_of_unused(unused: &BTreeMap<String, Contents>) {
    for (store, contents) in unused {
        let (step, of) = (&contents.step, contents.entries.to_string());
        tracing::warn!(
            step,
            store,
            of,
            "no step uses this state; if its step was renamed, the step began with empty state: to go on with this state, \
             give the step its old name; to delete it, run `millrace topics gc`"
        );
    }
}
