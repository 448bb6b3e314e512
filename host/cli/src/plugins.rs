//! The plugins of a process: those of its files, and those that the app deploys while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_engine::deployment::{ActivePlugins, Candidate, Deployment, PluginLoader, Wanted};
use millrace_engine::manifest::Manifest;
use millrace_engine::ports::DeploymentId;
use millrace_engine::shadow::{ShadowBudget, ShadowLogic, ShadowReports};
use millrace_engine::topology::{PluginUse, Topology};
use millrace_pipeline::{Pipeline, SourceFile};
use millrace_plugin::{GuestInstances, Plugin, PluginRegistry, PluginSettings, Runtime, digest_of};

use crate::diagnostics::{Style, check};
use crate::time_share::TimeShare;

/// Characters of a digest that are shown: as many as tell two versions apart.
const DIGEST_CHARACTERS: usize = 12;

/// The beginning of a digest, for people.
pub fn short(digest: &str) -> &str {
    digest.get(..DIGEST_CHARACTERS).unwrap_or(digest)
}

/// A plugin from the pipeline's files.
pub struct FilePlugin {
    /// Name in the pipeline.
    pub name: String,
    /// The plugin.
    pub plugin: Arc<Plugin>,
    /// The bytes that it was loaded from.
    pub component: Arc<[u8]>,
}

/// The plugins of a process, and its pipeline files, which every version must fit.
pub struct Plugins {
    source: Arc<(Pipeline, Vec<SourceFile>)>,
    /// The pipeline with the plugins of the files.
    topology: Arc<Topology>,
    runtime: Arc<Runtime>,
    registry: Arc<PluginRegistry>,
    shadows: Arc<ShadowReports>,
    known: Mutex<Known>,
}

/// The calls of a thread: of the active versions, and of shadows.
pub type Guests = ShadowLogic<GuestInstances>;

/// Components and versions that the process has loaded and still keeps.
#[derive(Clone)]
struct Known {
    /// Components by digest.
    components: BTreeMap<String, Arc<[u8]>>,
    versions: Vec<Version>,
    /// Number of the next version.
    next: u32,
}

/// A loaded version of a plugin, which writes certain state versions.
#[derive(Clone)]
struct Version {
    name: String,
    /// The state versions that aren't its newest.
    writes: BTreeMap<String, u32>,
    id: DeploymentId,
    plugin: Arc<Plugin>,
}

impl Version {
    fn is(&self, name: &str, deployment: &Deployment) -> bool {
        self.name == name
            && self.plugin.digest() == deployment.component
            && self.plugin.config_digest() == deployment.config
            && self.writes == deployment.older_writes()
    }
}

impl Plugins {
    /// The plugins of a pipeline's files. `topology` is the pipeline with them.
    pub fn new(
        source: (Pipeline, Vec<SourceFile>),
        topology: Arc<Topology>,
        runtime: Arc<Runtime>,
        plugins: &[FilePlugin],
    ) -> Self {
        let (registry, mut versions) = (PluginRegistry::default(), Vec::new());
        let mut components = BTreeMap::new();
        for (number, FilePlugin { name, plugin, component }) in (0..).zip(plugins) {
            let id = DeploymentId(number);
            registry.add(id, Arc::clone(plugin));
            components.insert(plugin.digest().to_owned(), Arc::clone(component));
            versions.push(Version { name: name.clone(), writes: BTreeMap::new(), id, plugin: Arc::clone(plugin) });
        }
        let next = plugins.len() as u32;
        let known = Mutex::new(Known { components, versions, next });
        let (source, registry, shadows) = (Arc::new(source), Arc::new(registry), Arc::default());
        Self { source, topology, runtime, registry, shadows, known }
    }

    /// The same for a pipeline whose topics and app have other names.
    pub fn renamed(&self, topology: Arc<Topology>) -> Self {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let registry = PluginRegistry::default();
        known.versions.iter().for_each(|version| registry.add(version.id, Arc::clone(&version.plugin)));
        let (source, runtime) = (Arc::clone(&self.source), Arc::clone(&self.runtime));
        let (registry, shadows, known) = (Arc::new(registry), Arc::default(), Mutex::new(known));
        Self { source, topology, runtime, registry, shadows, known }
    }

    /// The versions in the files, as candidates for deployment, in the order of the topology.
    pub fn candidates(&self) -> Vec<Candidate> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |plugin: &PluginUse| known.versions.iter().find(|version| version.name == plugin.name);
        let versions = self.topology.plugins.iter().filter_map(of);
        versions
            .map(|version| Candidate {
                name: version.name.clone(),
                component: version.plugin.digest().to_owned(),
                size: known.components.get(version.plugin.digest()).map_or(0, |bytes| bytes.len() as u64),
                config: version.plugin.config_digest().to_owned(),
                settings: version.plugin.config().to_owned(),
                stores: Candidate::stores_of(version.plugin.manifest()),
                called: Candidate::called_of(&version.name, &self.topology),
            })
            .collect()
    }

    /// Adds components that come from the app.
    pub fn add_all(&self, components: Vec<Arc<[u8]>>) {
        components.into_iter().for_each(|component| self.add(component));
    }

    /// The manifest of a version.
    ///
    /// # Errors
    /// It can't be loaded.
    pub fn manifest(&self, name: &str, deployment: &Deployment) -> Result<Manifest, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.load_version(&mut known, name, deployment)?.plugin.manifest().clone())
    }

    /// The manifest of a plugin of the files.
    ///
    /// # Errors
    /// The pipeline hasn't this plugin.
    pub fn file_manifest(&self, name: &str) -> Result<Manifest, String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let version = known.versions.iter().find(|version| version.name == name);
        let manifest = version.map(|version| version.plugin.manifest().clone());
        manifest.ok_or_else(|| format!("the pipeline has no plugin `{name}`"))
    }

    /// Guest instances for one thread, whose shadows take a share of its time only.
    pub fn guests(&self) -> Guests {
        self.guests_with(Box::new(TimeShare::default()))
    }

    /// The same with this budget for shadows.
    pub fn guests_with(&self, budget: Box<dyn ShadowBudget>) -> Guests {
        let guests = GuestInstances::new(Arc::clone(&self.registry));
        let shadows = GuestInstances::of_shadows(Arc::clone(&self.registry));
        ShadowLogic::new(guests, shadows, budget, Arc::clone(&self.shadows))
    }

    /// The reports of shadows, of all threads.
    pub fn shadows(&self) -> &Arc<ShadowReports> {
        &self.shadows
    }

    /// Loads a version.
    fn load_version(&self, known: &mut Known, name: &str, deployment: &Deployment) -> Result<Version, String> {
        let Deployment { generation, component, settings, .. } = deployment;
        let origin = format!("plugin `{name}`, generation {generation} ({})", short(component));
        let bytes = known.components.get(component).ok_or_else(|| format!("{origin}: its component isn't kept"))?;
        let limits = self.topology.plugins.iter().find(|plugin| plugin.name == name).map(|plugin| plugin.limits);
        let writes = deployment.older_writes();
        let plugin_settings =
            PluginSettings { config: settings, limits: limits.unwrap_or_default(), writes: writes.clone() };
        let plugin = self.runtime.load(bytes, &origin, &plugin_settings).map_err(|error| error.to_string())?;
        let version = Version { name: name.into(), writes, id: DeploymentId(known.next), plugin };
        known.next += 1;
        known.versions.push(version.clone());
        Ok(version)
    }

    /// The pipeline with these versions.
    fn topology_of(&self, versions: &[Version]) -> Result<Arc<Topology>, String> {
        // Those of the files have the first numbers.
        if versions.iter().zip(0..).all(|(version, number)| version.id == DeploymentId(number)) {
            return Ok(Arc::clone(&self.topology));
        }
        let manifest = |version: &Version| (version.name.clone(), Ok(version.plugin.manifest().clone()));
        let manifests = versions.iter().map(manifest).collect();
        let (pipeline, files) = &*self.source;
        let topology = check(pipeline, &manifests, files, Style::Plain);
        let topology = topology.map_err(|error| error.to_string())?;
        self.topology.check_swap(&topology)?;
        Ok(Arc::new(topology))
    }
}

impl PluginLoader for Plugins {
    fn component(&self, digest: &str) -> Option<Arc<[u8]>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).components.get(digest).cloned()
    }

    fn add(&self, component: Arc<[u8]>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.components.insert(digest_of(&component), component);
    }

    fn load(&self, wanted: &[Wanted<'_>]) -> Result<ActivePlugins, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut versions, mut deployments) = (Vec::new(), Vec::new());
        for PluginUse { name, .. } in &self.topology.plugins {
            let deployment = wanted.iter().find(|wanted| wanted.plugin == name).map(|wanted| wanted.deployment);
            let deployment = deployment.ok_or_else(|| format!("plugin `{name}` was never deployed"))?;
            let version = match known.versions.iter().find(|version| version.is(name, deployment)) {
                Some(version) => version.clone(),
                None => self.load_version(&mut known, name, deployment)?,
            };
            deployments.push(deployment.deployed(version.id));
            versions.push(version);
        }
        let topology = self.topology_of(&versions)?;
        for Version { id, plugin, .. } in versions {
            self.registry.add(id, plugin);
        }
        Ok(ActivePlugins::new(topology, deployments.into()))
    }

    fn retire(&self, plugins: &ActivePlugins) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of the files have the first numbers, and the one that was loaded last may be staged.
        let (of_files, last) = (self.topology.plugins.len() as u32, known.next.saturating_sub(1));
        let stays = |id: DeploymentId| id.0 < of_files || id.0 == last || plugins.ids().any(|active| active == id);
        known.versions.retain(|version| stays(version.id));
        let Known { components, versions, .. } = &mut *known;
        components.retain(|digest, _| versions.iter().any(|version| version.plugin.digest() == digest));
        self.registry.retain(&stays);
    }
}
