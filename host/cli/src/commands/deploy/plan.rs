//! What a deployment changes, shown before it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use millrace_engine::deployment::{AppDeployments, Candidate, Deployment, StoreVersions, Trial};
use millrace_engine::manifest::{FunctionManifest, Manifest};
use millrace_engine::topology::{Operator, Topology};
use serde::Serialize;
use serde_json::Value;

use super::control::Control;
use super::percent;
use crate::plugins::{Plugins, short};

/// The changes of a deployment.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    app: String,
    plugins: Vec<PluginPlan>,
}

/// The changes of a plugin.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PluginPlan {
    plugin: String,
    /// Generation of the active deployment.
    replaces: u32,
    component: Pair<String>,
    bytes: Pair<u64>,
    config: Pair<Value>,
    version: Pair<String>,
    /// Differences of the functions; empty if there are none.
    functions: Vec<String>,
    stores: Vec<StorePlan>,
    /// The steps that call the plugin: their state stays.
    steps: Vec<String>,
    /// How it is tried first; none if it is active at once.
    trial: Option<Trial>,
    /// The deployment whose trial it ends.
    ends: Option<u32>,
}

/// Something before and after.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Pair<T> {
    from: T,
    to: T,
}

/// A store of a function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StorePlan {
    store: String,
    reads: Pair<Vec<u32>>,
    writes: Pair<Vec<u32>>,
    /// The version that is written until the deployment is finalised.
    writes_now: u32,
    /// Numbers of the entries that are there, by state version; none if they weren't counted.
    entries: Option<BTreeMap<u32, u64>>,
}

impl Plan {
    /// The changes that these versions make. `after` has them staged.
    pub(super) fn new(
        (before, after): (&AppDeployments, &AppDeployments),
        candidates: &[Candidate],
        plugins: &Plugins,
        (control, counts): (&Control<'_>, bool),
    ) -> Result<Self> {
        let active = candidates.iter().filter_map(|candidate| Some((candidate, before.active(&candidate.name)?)));
        let digests: BTreeSet<_> = active.clone().map(|(_, active)| active.component.as_str()).collect();
        plugins.add_all(control.components(&digests)?);
        let plan =
            |(candidate, active)| PluginPlan::new((candidate, active), (before, after), (plugins, control, counts));
        Ok(Self { app: control.app().to_owned(), plugins: active.map(plan).collect::<Result<_>>()? })
    }

    /// As JSON: the same bytes for the same versions and state.
    pub(super) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("app `{}`\n", self.app);
        for plugin in &self.plugins {
            plugin.write(&mut text);
        }
        text
    }
}

impl PluginPlan {
    fn new(
        (candidate, active): (&Candidate, &Deployment),
        (before, after): (&AppDeployments, &AppDeployments),
        (plugins, control, counts): (&Plugins, &Control<'_>, bool),
    ) -> Result<Self> {
        let name = candidate.name.as_str();
        let old = plugins.manifest(name, active).map_err(|reason| anyhow!(reason))?;
        let new = plugins.file_manifest(name).map_err(|reason| anyhow!(reason))?;
        let mut stores = Vec::new();
        for (store, versions) in after.newest(name).map(|next| &next.stores).into_iter().flatten() {
            let known = active.stores.get(store);
            let of = |of: fn(&StoreVersions) -> &Vec<u32>| known.map(of).cloned().unwrap_or_default();
            let reads = Pair { from: of(|versions| &versions.reads), to: versions.reads.clone() };
            let writes = Pair { from: of(|versions| &versions.writes), to: versions.writes.clone() };
            let names = names_of(control.topology(), name, store);
            if names.is_empty() {
                continue;
            }
            let entries = counts.then(|| control.entries_by_version(&names)).transpose()?;
            stores.push(StorePlan { store: store.clone(), reads, writes, writes_now: versions.now, entries });
        }
        let config = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Ok(Self {
            plugin: name.to_owned(),
            replaces: active.generation,
            component: Pair { from: active.component.clone(), to: candidate.component.clone() },
            bytes: Pair { from: active.size, to: candidate.size },
            config: Pair { from: config(&active.settings), to: config(&candidate.settings) },
            version: Pair { from: old.version.clone(), to: new.version.clone() },
            functions: differences(&old, &new),
            stores,
            steps: steps_of(control.topology(), name),
            trial: after.newest(name).and_then(|staged| staged.trial.clone()),
            ends: before.on_trial(name).map(|trial| trial.generation),
        })
    }

    fn write(&self, text: &mut String) {
        let Self { plugin, replaces, component, bytes, config, version, functions, stores, steps, trial, ends } = self;
        let mut line = |name: &str, value: String| {
            // Writing to a string can't fail.
            _ = writeln!(text, "  {name:<10} {value}");
        };
        line("plugin", format!("`{plugin}`, in place of generation {replaces}"));
        if let Some(trial) = trial {
            line("first", said(trial));
        }
        if let Some(ends) = ends {
            line("ends", format!("the trial of generation {ends}"));
        }
        line(
            "component",
            match component.from == component.to {
                true => format!("{}, as before", short(&component.to)),
                false => format!(
                    "{} ({} bytes) -> {} ({} bytes)",
                    short(&component.from),
                    bytes.from,
                    short(&component.to),
                    bytes.to
                ),
            },
        );
        if version.from != version.to {
            line("version", format!("{} -> {}", version.from, version.to));
        }
        line(
            "config",
            match config.from == config.to {
                true => "as before".into(),
                false => format!("{} -> {}", config.from, config.to),
            },
        );
        match functions.as_slice() {
            [] => line("functions", "as before".into()),
            all => all.iter().for_each(|difference| line("functions", difference.clone())),
        }
        for store in stores {
            line("state", store.text());
        }
        line("steps", format!("{}: they keep their state", steps.join(", ")));
    }
}

/// A trial, for people.
fn said(trial: &Trial) -> String {
    match trial {
        Trial::Canary(plan) => {
            let steps: Vec<_> = plan.weights.iter().map(|weight| percent(*weight)).collect();
            let seconds = plan.each_ms as f64 / 1_000.0;
            let least = plan.min_records;
            format!("as a canary with {} of the keys, for {seconds} s and {least} results each", steps.join(", "))
        }
        Trial::Shadow(plan) => {
            format!("as a shadow of {} of the keys, in {} of the time", percent(plan.share), percent(plan.budget))
        }
    }
}

impl StorePlan {
    fn text(&self) -> String {
        let Self { store, reads, writes, writes_now, entries } = self;
        let pair = |pair: &Pair<Vec<u32>>| match pair.from == pair.to {
            true => format!("{:?}", pair.to),
            false => format!("{:?} -> {:?}", pair.from, pair.to),
        };
        let mut text = format!("{store}: reads versions {}, writes {}", pair(reads), pair(writes));
        if let Some(newest) = writes.to.last().filter(|newest| *newest != writes_now) {
            _ = write!(text, "; writes {writes_now} until it is finalised, and {newest} from then on");
        }
        let Some(entries) = entries else { return text };
        let entries: Vec<_> = entries.iter().map(|(version, count)| format!("{count} of version {version}")).collect();
        match entries.as_slice() {
            [] => text.push_str("; no entries"),
            all => _ = write!(text, "; entries: {}", all.join(", ")),
        }
        text
    }
}

/// The differences between the functions of two versions, a line each.
fn differences(old: &Manifest, new: &Manifest) -> Vec<String> {
    let find = |manifest: &'_ Manifest, name: &str| manifest.functions.iter().find(|it| it.name == name).cloned();
    let mut lines = Vec::new();
    for function in &new.functions {
        match find(old, &function.name) {
            None => lines.push(format!("+ `{}` ({})", function.name, function.role.name())),
            Some(before) => lines.extend(of_function(&before, function)),
        }
    }
    let gone = old.functions.iter().filter(|function| find(new, &function.name).is_none());
    lines.extend(gone.map(|function| format!("- `{}` ({})", function.name, function.role.name())));
    lines
}

fn of_function(old: &FunctionManifest, new: &FunctionManifest) -> Vec<String> {
    let mut parts = Vec::new();
    let ports = |function: &FunctionManifest| {
        function.ports.iter().map(|port| (port.name.clone(), port.changes_key)).collect::<BTreeSet<_>>()
    };
    let shown =
        |(name, changes): &(String, bool)| format!("port `{name}`{}", if *changes { " (changes the key)" } else { "" });
    parts.extend(ports(new).difference(&ports(old)).map(|port| format!("+ {}", shown(port))));
    parts.extend(ports(old).difference(&ports(new)).map(|port| format!("- {}", shown(port))));
    let codes = |function: &FunctionManifest| function.codes.iter().cloned().collect::<BTreeSet<_>>();
    parts.extend(codes(new).difference(&codes(old)).map(|code| format!("+ code `{code}`")));
    parts.extend(codes(old).difference(&codes(new)).map(|code| format!("- code `{code}`")));
    if old.key != new.key {
        parts.push(format!("key {} -> {}", old.key.name(), new.key.name()));
    }
    for (name, before, after) in [
        ("headers", old.wants_headers, new.wants_headers),
        ("timers", old.timers, new.timers),
        ("subtracts", old.subtracts, new.subtracts),
        ("merges", old.merges, new.merges),
    ] {
        if before != after {
            parts.push(format!("{} {name}", if after { "+" } else { "-" }));
        }
    }
    parts.into_iter().map(|part| format!("`{}`: {part}", new.name)).collect()
}

/// The steps that call a plugin.
fn steps_of(topology: &Topology, plugin: &str) -> Vec<String> {
    let nodes = topology.subtopologies.iter().flat_map(|part| &part.nodes);
    let calls = nodes.filter(|node| node.operator.call().is_some_and(|call| is_of(topology, call, plugin)));
    let mut steps: Vec<_> = calls.map(|node| node.name.clone()).collect();
    steps.sort();
    steps.dedup();
    steps
}

fn is_of(topology: &Topology, call: &millrace_engine::topology::Call, plugin: &str) -> bool {
    topology.plugins.get(call.plugin.0).is_some_and(|it| it.name == plugin)
}

/// Names of the stores of the steps that call a function, for a store of the function.
pub(in crate::commands) fn names_of(topology: &Topology, plugin: &str, store: &str) -> Vec<String> {
    let (function, store) = store.split_once('/').unwrap_or((store, ""));
    let mut names = Vec::new();
    for node in topology.subtopologies.iter().flat_map(|part| &part.nodes) {
        let Some(call) = node.operator.call() else { continue };
        if !is_of(topology, call, plugin) || call.manifest.name != function {
            continue;
        }
        let at = call.manifest.stores.iter().position(|it| it.name == store);
        let id = match &node.operator {
            Operator::Aggregate { store, .. } => Some(*store),
            Operator::Process { stores, .. } => at.and_then(|at| stores.get(at).copied()),
            _ => None,
        };
        names.extend(id.and_then(|id| topology.stores.get(id.0)).map(|spec| spec.name.clone()));
    }
    names
}
