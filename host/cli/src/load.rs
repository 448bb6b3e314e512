//! Loading a pipeline: reads its files, loads its plugins, and checks them against each other.

use std::collections::BTreeMap;
use std::env::VarError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use millrace_engine::deployment::Candidate;
use millrace_engine::ports::DeploymentId;
use millrace_engine::secret::HIDDEN;
use millrace_engine::topology::{PluginUse, Topology};
use millrace_kafka::Mistake;
use millrace_pipeline::{self as pipeline, Given, Pipeline, PluginLoadError, SourceFile, nearest};
use millrace_plugin::{GuestInstances, Plugin, Refusal, Runtime};

use crate::args;
use crate::diagnostics::{Style, render};

/// A checked pipeline with its plugins.
pub struct Loaded {
    /// The pipeline.
    pub topology: Arc<Topology>,
    /// The plugins, in the order of the topology.
    pub plugins: Vec<(String, Arc<Plugin>)>,
}

/// Reads pipeline files, loads their plugins and checks both.
///
/// # Errors
/// All mistakes with their places, as one text.
pub fn load(arguments: &args::Pipeline) -> Result<Loaded> {
    let files = read(&arguments.files)?;
    let overrides = arguments.overrides()?;
    let mut pipeline = pipeline::read(&files, &Given { overrides: &overrides, variable: &variable });
    for Mistake { name, message, help } in millrace_kafka::mistakes(&pipeline.kafka()) {
        pipeline.refuse_kafka(name.as_deref(), message, help);
    }
    let runtime = Runtime::new(cache_folder())?;
    let plugins: Vec<_> =
        pipeline.plugins().map(|plugin| (plugin.name.clone(), load_plugin(&runtime, plugin))).collect();
    let topology = check(&pipeline, &plugins, &files)?;
    let loaded = plugins.into_iter().map(|(name, plugin)| Ok((name, plugin?)));
    Ok(Loaded { topology: Arc::new(topology), plugins: loaded.collect::<Result<_>>()? })
}

/// The value of an environment variable, or why it can't be used.
fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| match error {
        VarError::NotPresent => "isn't set".to_owned(),
        VarError::NotUnicode(_) => "isn't UTF-8".to_owned(),
    })
}

fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>> {
    let read = |path: &PathBuf| {
        if let Some((name, _)) = path.to_string_lossy().split_once('=').filter(|_| !path.exists()) {
            bail!("`{name}={HIDDEN}` is no pipeline file; a setting is changed with --set {name}=VALUE");
        }
        if path.is_dir() {
            bail!("{}: it is a folder, and a pipeline is a file{}", path.display(), listed(&pipelines_in(path)));
        }
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(missing(path)),
            bytes => bytes.with_context(|| format!("{}: can't be read", path.display()))?,
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(SourceFile { path: path.clone(), text }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
                bail!("{}:{line}: not UTF-8: a pipeline file is TOML in UTF-8", path.display())
            }
        }
    };
    for (index, path) in paths.iter().enumerate() {
        if paths.iter().take(index).any(|other| other == path) {
            bail!("{}: it is named twice", path.display());
        }
    }
    paths.iter().map(read).collect()
}

/// The message for a missing pipeline file: its folder, and the pipeline files there.
fn missing(path: &Path) -> String {
    let folder = path.parent().unwrap_or(Path::new(""));
    let place = if folder == Path::new("") { std::env::current_dir() } else { std::path::absolute(folder) };
    let place = place.unwrap_or_else(|_| folder.to_owned());
    let there = match place.is_dir() {
        true => {
            let files = pipelines_in(folder);
            // Compares names only: of two long paths, any in the same folder are similar.
            let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let wanted = name(path);
            match files.iter().find(|file| nearest(&wanted, [name(Path::new(file)).as_str()]).is_some()) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => listed(&files),
            }
        }
        false => "; that folder doesn't exist".to_owned(),
    };
    format!("{}: there is no such file in {}{there}", path.display(), place.display())
}

/// The pipeline files of a folder, and of the folder `pipelines` in it: TOML with an `app`.
fn pipelines_in(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for folder in [folder.to_owned(), folder.join("pipelines")] {
        let entries = Path::new(".").join(&folder).read_dir().into_iter().flatten().flatten();
        let paths = entries.map(|entry| folder.join(entry.file_name()));
        files.extend(paths.filter(|path| is_pipeline(path)).map(|path| path.display().to_string()));
    }
    files.sort();
    files
}

fn is_pipeline(path: &Path) -> bool {
    let names_app = |text: String| text.lines().any(|line| line.trim_start().starts_with("app"));
    path.extension().is_some_and(|end| end == "toml") && std::fs::read_to_string(path).is_ok_and(names_app)
}

/// Most pipeline files that a message lists.
const FILES_LISTED: usize = 5;

fn listed(files: &[String]) -> String {
    let shown: Vec<_> = files.iter().take(FILES_LISTED).map(|file| format!("`{file}`")).collect();
    match shown.as_slice() {
        [] => String::new(),
        shown if files.len() > FILES_LISTED => format!("; there are {} and more", shown.join(", ")),
        [one] => format!("; there is {one}"),
        shown => format!("; there are {}", shown.join(", ")),
    }
}

fn load_plugin(runtime: &Arc<Runtime>, plugin: &PluginUse) -> Result<Arc<Plugin>, PluginLoadError> {
    let path = &plugin.component;
    let bytes = std::fs::read(path).map_err(|error| {
        let there = other_name(path).map(|other| format!("; did you mean `{other}`?")).unwrap_or_default();
        PluginLoadError::Component(format!(
            "{}: can't be read: {error}{there}; build the plugin, or correct the path: it is relative to this file's folder",
            path.display()
        ))
    })?;
    let name = path.display().to_string();
    runtime.load(&bytes, &name, &plugin.config, plugin.limits).map_err(|error| match error.refusal {
        Refusal::Config(_) => PluginLoadError::Config(error.to_string()),
        _ => PluginLoadError::Component(error.to_string()),
    })
}

/// The name of a component beside a missing one: Rust writes the `-` of a package as `_`.
fn other_name(path: &Path) -> Option<String> {
    let other = path.file_name()?.to_str()?.replace('-', "_");
    path.with_file_name(&other).is_file().then_some(other)
}

fn check(
    pipeline: &Pipeline,
    plugins: &[(String, Result<Arc<Plugin>, PluginLoadError>)],
    files: &[SourceFile],
) -> Result<Topology> {
    let manifests: BTreeMap<String, _> = plugins
        .iter()
        .map(|(name, plugin)| {
            (name.clone(), plugin.as_ref().map(|plugin| plugin.manifest().clone()).map_err(Clone::clone))
        })
        .collect();
    match pipeline::check(pipeline, &manifests) {
        Ok(topology) => Ok(topology),
        Err(diagnostics) => {
            let mut text = String::new();
            render(&mut text, &diagnostics, files, Style::of_stderr())?;
            bail!(Wrong(text.trim_end().to_owned()))
        }
    }
}

/// Mistakes, already formatted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// The folder for compiled plugins; `None` if the user has no home.
fn cache_folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(cache.or_else(home)?.join("millrace/compiled"))
}

impl Loaded {
    /// The plugins as candidates for deployment, numbered in the order of the topology.
    pub fn candidates(&self) -> Vec<Candidate> {
        let candidate = |(number, (name, plugin)): (usize, &(String, Arc<Plugin>))| Candidate {
            name: name.clone(),
            id: DeploymentId(number as u32),
            component: plugin.digest().to_owned(),
            config: plugin.config_digest().to_owned(),
            manifest: plugin.manifest().clone(),
        };
        self.plugins.iter().enumerate().map(candidate).collect()
    }

    /// Guest instances of the plugins under these numbers, for one thread.
    pub fn guests(&self) -> GuestInstances {
        self.loaded_plugins().guests()
    }

    /// The plugins, for a driver with several threads.
    pub fn loaded_plugins(&self) -> Plugins {
        Plugins(self.plugins.iter().map(|(_, plugin)| Arc::clone(plugin)).collect())
    }
}

/// Loaded plugins, in the order of the topology.
pub struct Plugins(Vec<Arc<Plugin>>);

impl Plugins {
    /// Guest instances of the plugins, for one thread.
    pub fn guests(&self) -> GuestInstances {
        let mut guests = GuestInstances::new();
        for (number, plugin) in self.0.iter().enumerate() {
            guests.deploy(DeploymentId(number as u32), Arc::clone(plugin));
        }
        guests
    }
}
