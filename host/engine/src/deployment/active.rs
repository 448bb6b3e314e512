//! The plugins that the tasks of a process run, loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::flood::Flooded;
use super::record::Deployment;
use super::rules::AppDeployments;
use super::trial::{ShadowPlan, Trial};
use crate::canary::{Canary, CanaryFunction};
use crate::manifest::FunctionManifest;
use crate::ports::{DeploymentId, StoreId};
use crate::step::{Deployed, Flood};
use crate::topology::{Call, Node, Operator, Topology};

/// The active versions of all plugins, loaded: what the tasks of a process run.
#[derive(Clone, Debug)]
pub struct ActivePlugins {
    /// The pipeline with the functions of these versions.
    pub topology: Arc<Topology>,
    /// The deployments, in the order of the topology's plugins, each with its canary.
    pub deployments: Arc<[Deployed]>,
    /// The versions that get the same calls, if there are any.
    pub shadows: Option<Arc<Shadows>>,
    /// Why shadows that the app has aren't there: the app runs without them.
    pub without_shadows: Option<String>,
}

/// Versions whose results are compared with those of the active ones.
#[derive(Clone, Debug)]
pub struct Shadows {
    /// The pipeline with the functions of the shadows, and of the active versions of plugins without one.
    pub topology: Arc<Topology>,
    /// The deployments, in the order of the topology's plugins.
    pub deployments: Arc<[Deployed]>,
    /// The plans, in the same order; none for a plugin without a shadow.
    pub plans: Vec<Option<ShadowPlan>>,
}

/// A deployment that a process is to run.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Name of the plugin in the pipeline.
    pub plugin: &'a str,
    /// The deployment.
    pub deployment: &'a Deployment,
}

/// Loads versions of plugins for a process: compiles them and connects them to its pipeline. The implementation keeps
/// those that the process has loaded before.
pub trait PluginLoader: Send + Sync {
    /// The component with this digest, if it has it: from the process's files, or because it was [added](Self::add).
    fn component(&self, digest: &str) -> Option<Arc<[u8]>>;

    /// Adds a component, under the digest of its bytes.
    fn add(&self, component: Arc<[u8]>);

    /// Loads the deployments of all plugins, in the order of the topology's plugins.
    ///
    /// # Errors
    /// A component is missing, or a version doesn't fit the process's pipeline files or its limits: the reason, for
    /// people.
    fn load(&self, wanted: &[Wanted<'_>]) -> Result<ActivePlugins, String>;

    /// Frees all versions but these: no task of the process runs them any more.
    fn retire(&self, plugins: &ActivePlugins);
}

impl ActivePlugins {
    /// Drivers log it with the reason.
    pub const WITHOUT_SHADOWS: &'static str =
        "a version that is tried as a shadow can't be loaded: this process runs without it";

    /// Plugins without any on trial.
    pub fn new(topology: Arc<Topology>, deployments: Arc<[Deployed]>) -> Self {
        Self { topology, deployments, shadows: None, without_shadows: None }
    }

    /// The generations that tasks of a sub-topology record of the plugins that it calls, by name.
    pub fn generations_of(&self, subtopology: usize) -> BTreeMap<String, u32> {
        let nodes = self.topology.subtopologies.get(subtopology).map_or(&[][..], |part| &part.nodes);
        let calls = nodes.iter().filter_map(|node| node.operator.call());
        let generation = |call: &Call| {
            let plugin = self.topology.plugins.get(call.plugin.0)?;
            Some((plugin.name.clone(), self.deployments.get(call.plugin.0)?.reached))
        };
        calls.filter_map(generation).collect()
    }

    /// Whether a version whose records fail still processes records, and the app hasn't decided about it.
    pub fn floods(&self, flooded: &Flooded) -> bool {
        let place = self.topology.plugins.iter().position(|known| known.name == flooded.plugin);
        let deployed = place.and_then(|place| self.deployments.get(place));
        deployed.is_some_and(|deployed| {
            let canary = deployed.canary.as_ref().map(|canary| canary.generation);
            let runs = deployed.generation == flooded.generation || canary == Some(flooded.generation);
            runs && deployed.flood == Flood::None
        })
    }

    /// Whether a version is a canary now.
    pub fn is_canary(&self, version: &Flooded) -> bool {
        let place = self.topology.plugins.iter().position(|known| known.name == version.plugin);
        let canary = place.and_then(|place| self.deployments.get(place)?.canary.as_ref());
        canary.is_some_and(|canary| canary.generation == version.generation)
    }

    /// The stores of a plugin whose entries tasks rewrite, each with its name by function and store, by sub-topology; none
    /// if they rewrite none.
    pub fn rewritten_stores(&self, plugin: &str) -> Option<Vec<(usize, StoreId, String)>> {
        let place = self.topology.plugins.iter().position(|known| known.name == plugin)?;
        let rewrites = self.deployments.get(place)?.rewrites.as_ref()?;
        let parts = self.topology.subtopologies.iter().enumerate();
        let nodes = parts.flat_map(|(number, part)| part.nodes.iter().map(move |node| (number, &node.operator)));
        let mut found = Vec::new();
        for (number, operator) in nodes {
            let Some(call) = operator.call().filter(|call| call.plugin.0 == place) else { continue };
            for (store, manifest) in operator.function_stores().iter().zip(&call.manifest.stores) {
                let name = format!("{}/{}", call.manifest.name, manifest.name);
                if rewrites.versions.contains_key(&name) {
                    found.push((number, *store, name));
                }
            }
        }
        Some(found)
    }

    /// The plugins whose stores tasks rewrite.
    pub fn rewriting(&self) -> impl Iterator<Item = &str> {
        let all = self.deployments.iter().zip(&self.topology.plugins);
        all.filter(|(deployed, _)| deployed.rewrites.is_some()).map(|(_, plugin)| plugin.name.as_str())
    }

    /// The numbers of all versions that may be called.
    pub fn ids(&self) -> impl Iterator<Item = DeploymentId> {
        let shadows = self.shadows.iter().flat_map(|shadows| shadows.deployments.iter());
        let canaries = self.deployments.iter().filter_map(|deployed| Some(deployed.canary.as_ref()?.id));
        self.deployments.iter().chain(shadows).map(|deployed| deployed.id).chain(canaries)
    }
}

impl AppDeployments {
    /// Digests of the components that a process with this pipeline needs now and next.
    pub fn needed(&self, topology: &Topology) -> BTreeSet<&str> {
        let names = topology.plugins.iter().map(|plugin| plugin.name.as_str());
        let of = |name| [self.active(name), self.on_trial(name), self.newest(name)];
        names.flat_map(of).flatten().map(|deployment| deployment.component.as_str()).collect()
    }

    /// Loads the deployments of a pipeline's plugins that process records now, or get calls as shadows.
    ///
    /// # Errors
    /// One can't be loaded or doesn't fit the others: the reason, for people.
    pub fn load(&self, topology: &Topology, loader: &dyn PluginLoader) -> Result<ActivePlugins, String> {
        let mut plugins = self.load_each(topology, loader, &|plugin| self.active(plugin))?;
        if topology.plugins.iter().any(|plugin| self.on_trial(&plugin.name).is_some()) {
            let tried = |plugin: &str| self.on_trial(plugin).or_else(|| self.active(plugin));
            match self.load_each(topology, loader, &tried) {
                Ok(beside) => self.add_trials(&mut plugins, beside)?,
                // An app runs without its shadows.
                Err(reason) if self.has_only_shadows() => plugins.without_shadows = Some(reason),
                Err(reason) => return Err(reason),
            }
        }
        let complete = |deployed: &mut Deployed, plugin: &str| {
            let Some(record) = self.plugins.get(plugin) else { return };
            (deployed.reached, deployed.is_new_version) = (record.reached(), record.has_new_version());
            deployed.rewrites = record.rewrites();
        };
        let mut deployments = plugins.deployments.to_vec();
        deployments.iter_mut().zip(&topology.plugins).for_each(|(deployed, plugin)| complete(deployed, &plugin.name));
        plugins.deployments = deployments.into();
        Ok(plugins)
    }

    /// Loads the staged deployments, as they will be active or on trial.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_next(&self, topology: &Topology, loader: &dyn PluginLoader) -> Result<(), String> {
        let next = self.load_each(topology, loader, &|plugin| self.newest(plugin))?;
        let active = self.load_each(topology, loader, &|plugin| self.active(plugin))?;
        for ((deployed, other), plugin) in active.deployments.iter().zip(next.deployments.iter()).zip(&topology.plugins)
        {
            let trial = self.newest(&plugin.name).and_then(|newest| newest.trial.as_ref());
            if deployed.id != other.id && trial.is_some_and(|trial| trial.canary().is_some()) {
                functions(&plugin.name, &active.topology, &next.topology)?;
            }
        }
        Ok(())
    }

    fn has_only_shadows(&self) -> bool {
        let mut trials = self.plugins.values().filter_map(|record| record.on_trial()?.trial.as_ref());
        trials.all(|trial| matches!(trial, Trial::Shadow(_)))
    }

    fn load_each<'d>(
        &'d self,
        topology: &Topology,
        loader: &dyn PluginLoader,
        deployment: &dyn Fn(&str) -> Option<&'d Deployment>,
    ) -> Result<ActivePlugins, String> {
        let names = topology.plugins.iter().map(|plugin| plugin.name.as_str());
        let wanted = names.filter_map(|plugin| Some(Wanted { plugin, deployment: deployment(plugin)? }));
        loader.load(&wanted.collect::<Vec<_>>())
    }

    /// Adds the versions on trial, which are loaded in `beside`.
    fn add_trials(&self, plugins: &mut ActivePlugins, beside: ActivePlugins) -> Result<(), String> {
        let (mut deployments, mut plans) = (plugins.deployments.to_vec(), Vec::new());
        for (number, plugin) in plugins.topology.plugins.iter().enumerate() {
            let trial = self.on_trial(&plugin.name);
            let place = deployments.get_mut(number).zip(beside.deployments.get(number));
            let mut plan = None;
            if let (Some(trial), Some((deployed, tried))) = (trial, place) {
                match &trial.trial {
                    Some(Trial::Canary(canary)) => {
                        let (generation, weight) = (trial.generation, canary.weight());
                        let functions = functions(&plugin.name, &plugins.topology, &beside.topology)?;
                        let digest = trial.component.clone();
                        let canary = Canary { id: tried.id, generation, digest, weight, functions };
                        deployed.canary = Some(Arc::new(canary));
                    }
                    Some(Trial::Shadow(shadow)) => plan = Some(shadow.clone()),
                    None => {}
                }
            }
            plans.push(plan);
        }
        plugins.deployments = deployments.into();
        if plans.iter().any(Option::is_some) {
            let ActivePlugins { topology, deployments, .. } = beside;
            plugins.shadows = Some(Arc::new(Shadows { topology, deployments, plans }));
        }
        Ok(())
    }
}

/// The functions of a canary that the pipeline calls, by the index of the active version's.
fn functions(plugin: &str, active: &Topology, canary: &Topology) -> Result<BTreeMap<u32, CanaryFunction>, String> {
    let mut functions = BTreeMap::new();
    for (node, other) in nodes_of(plugin, active).zip(nodes_of(plugin, canary)) {
        let (Some(before), Some(after)) = (node.operator.call(), other.operator.call()) else { continue };
        check_alike(plugin, &before.manifest, &after.manifest)?;
        check_rows(plugin, node)?;
        let known = |name: &str| before.manifest.ports.iter().position(|port| port.name == name);
        // A port that the active version lacks is one that no step reads.
        let ports = after.manifest.ports.iter().map(|port| known(&port.name).map_or(u32::MAX, |place| place as u32));
        let function = CanaryFunction { function: after.function, ports: ports.collect() };
        functions.insert(before.function, function);
    }
    Ok(functions)
}

/// The nodes that call a plugin.
fn nodes_of<'t>(plugin: &'t str, topology: &'t Topology) -> impl Iterator<Item = &'t Node> {
    let is_of = move |call: &Call| topology.plugins.get(call.plugin.0).is_some_and(|it| it.name == plugin);
    let nodes = topology.subtopologies.iter().flat_map(|part| &part.nodes);
    nodes.filter(move |node| node.operator.call().is_some_and(is_of))
}

/// An old row of a table goes through a transform again, to be subtracted: by the version that has the key now, which may not
/// be the one whose result was added.
fn check_rows(plugin: &str, node: &Node) -> Result<(), String> {
    let is_transform = matches!(node.operator, Operator::Transform { .. });
    if !is_transform || !node.edges.iter().any(|edge| edge.changes) {
        return Ok(());
    }
    Err(format!(
        "plugin `{plugin}`: step `{}` makes the rows of a table that an aggregate adds and subtracts, and a canary would \
         subtract others than were added: use a shadow, `--shadow`",
        node.name
    ))
}

/// The host plans the calls of both versions alike.
fn check_alike(plugin: &str, active: &FunctionManifest, canary: &FunctionManifest) -> Result<(), String> {
    let parts = |it: &FunctionManifest| (it.role, it.subtracts, it.merges, it.timers);
    if parts(active) == parts(canary) {
        return Ok(());
    }
    Err(format!(
        "plugin `{plugin}`: a canary needs functions like those of the active version, and `{}` differs from it in \
         `subtracts`, `merges` or `timers`: use a shadow, `--shadow`",
        active.name
    ))
}
