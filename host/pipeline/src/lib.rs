//! Pipeline files: TOML text in, a [`Topology`] out, or all mistakes in the text.
//!
//! ```text
//! files, overrides --read--> Pipeline --check, with the manifests of its plugins--> Topology
//! ```
//!
//! [`read`] parses the files of an app and never fails: it keeps their mistakes, and [`check`] reports them together
//! with those that only the plugins' manifests show. [`parse`] and [`build`] are the same in two strict steps.
//! [`render`] prints a topology for people and tools.

mod app;
mod changes;
mod checks;
mod config_keys;
mod cut;
mod cycles;
mod diagnostic;
mod emit;
mod fields;
mod given;
mod graph;
mod hidden;
mod kafka;
mod keys;
mod merge;
mod model;
mod names;
mod nesting;
mod operators;
mod order;
mod overrides;
mod render;
mod resolve;
mod scalars;
mod steps;
mod tree;
mod unbuilt;
mod unloaded;
mod variables;
mod windows;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

pub use diagnostic::Diagnostic;
use diagnostic::{Place, Problems, Sources};
pub use given::{Given, Override};
pub use hidden::without_secrets;
pub use kafka::set_by_host;
pub use merge::APP_KEYS;
pub use model::Pipeline;
pub use render::{Format, render};
pub use scalars::{duration, nearest};
pub use unloaded::PluginLoadError;

use millrace_engine::manifest::Manifest;
use millrace_engine::topology::Topology;

/// A pipeline file.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path, for messages. Paths of components are relative to its folder.
    pub path: PathBuf,
    /// Content. Show it only after [`without_secrets`].
    pub text: String,
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SourceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Reads the files of an app and the other settings. [`check`] and [`build`] report their mistakes.
pub fn read(files: &[SourceFile], given: &Given<'_>) -> Pipeline {
    let mut problems = Problems::default();
    let mut sources = Sources::of(files);
    if files.is_empty() {
        problems.add_plain(Place::default(), "there is no pipeline file");
    }
    let mut trees = Vec::new();
    for (index, file) in files.iter().enumerate() {
        trees.extend(tree::read_file(index, &file.text, &mut problems).map(|entries| (index, entries)));
    }
    let partial = trees.len() < files.len() || files.is_empty();
    let mut merged = merge::merge(trees, &sources, &mut problems);
    if !partial {
        overrides::apply(&mut merged, given.overrides, &mut sources, &mut problems);
    }
    let app = app::read_app(merged.app, &sources, given, &mut problems);
    let plugins = app::read_plugins(merged.plugins, app.limits, &sources, &mut problems);
    let steps: Vec<_> = merged.steps.into_iter().map(|raw| steps::read_step(raw, &mut problems)).collect();
    names::check_names(&steps, &sources, &mut problems);
    Pipeline {
        app: app.name,
        settings: app.settings,
        dlq: app.dlq,
        breaker: app.breaker,
        plugins,
        steps,
        kafka: app.kafka,
        sources,
        problems,
        partial,
    }
}

/// Like [`read`], but fails with all mistakes in the files themselves.
pub fn parse(files: &[SourceFile], given: &Given<'_>) -> Result<Pipeline, Vec<Diagnostic>> {
    let pipeline = read(files, given);
    match pipeline.problems.count() {
        0 => Ok(pipeline),
        _ => Err(pipeline.problems.clone().into_diagnostics(&pipeline.sources)),
    }
}

/// Builds the topology of a pipeline whose plugins have these manifests, by name.
pub fn build(pipeline: &Pipeline, manifests: &BTreeMap<String, Manifest>) -> Result<Topology, Vec<Diagnostic>> {
    let manifests = manifests.iter().map(|(name, manifest)| (name.as_str(), Ok(manifest))).collect();
    check_all(pipeline, &manifests)
}

/// Like [`build`], but also checks a pipeline with plugins that couldn't be loaded: these have the reason in place of a
/// manifest, and it is among the diagnostics.
pub fn check(
    pipeline: &Pipeline,
    manifests: &BTreeMap<String, Result<Manifest, PluginLoadError>>,
) -> Result<Topology, Vec<Diagnostic>> {
    let manifests = manifests.iter().map(|(name, it)| (name.as_str(), it.as_ref())).collect();
    check_all(pipeline, &manifests)
}

fn check_all(pipeline: &Pipeline, manifests: &resolve::Manifests<'_>) -> Result<Topology, Vec<Diagnostic>> {
    let mut problems = pipeline.problems.clone();
    let topology = if pipeline.partial { None } else { topology(pipeline, manifests, &mut problems) };
    match topology {
        Some(topology) if problems.count() == 0 => Ok(topology),
        _ => {
            if problems.count() == 0 {
                problems.add_plain(Place::default(), "the pipeline is incomplete, and no check has said why: a bug");
            }
            Err(problems.into_diagnostics(&pipeline.sources))
        }
    }
}

fn topology(pipeline: &Pipeline, manifests: &resolve::Manifests<'_>, problems: &mut Problems) -> Option<Topology> {
    let readable = problems.count() == 0;
    let (graph, resolved) = resolve::resolve(pipeline, manifests, problems);
    checks::check_topics(&graph, problems);
    if readable && resolved {
        // Else a wrong name would be reported a second time, as a step that nothing reads.
        checks::check_unused(&graph, problems);
    }
    unbuilt::check_unbuilt(&graph, problems);
    checks::check_sessions(&graph, problems);
    let order = cycles::check_cycles(&graph, problems)?;
    changes::check_aggregates(&graph, &order, problems);
    let keys = keys::check_keys(&graph, &order, problems);
    if problems.count() > 0 {
        return None;
    }
    let cut = cut::cut(&graph, &order);
    let topology = emit::emit(&graph, &keys, &cut)?;
    checks::check_topology(&graph, &topology, problems);
    Some(topology)
}
