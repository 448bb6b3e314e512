//! Loading a pipeline: reads its files, loads its plugins, and checks them against each other.

use std::env::VarError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use millrace_engine::deployment::PluginLoader;
use millrace_engine::logic::Logic;
use millrace_engine::secret::HIDDEN;
use millrace_engine::topology::{PluginUse, Topology};
use millrace_kafka::{Guests, Mistake};
use millrace_pipeline::{self as pipeline, Given, PluginLoadError, SourceFile, nearest};
use millrace_plugin::{PluginSettings, Refusal, Runtime};

use crate::args;
use crate::author;
use crate::diagnostics::{Style, check};
use crate::plugins::{self, FilePlugin, Plugins};

/// A checked pipeline with its plugins.
pub struct Loaded {
    /// The pipeline.
    pub topology: Arc<Topology>,
    /// The plugins.
    pub plugins: Arc<Plugins>,
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
    let manifest = |plugin: &FilePlugin| plugin.plugin.manifest().clone();
    let manifests =
        plugins.iter().map(|(name, plugin)| (name.clone(), plugin.as_ref().map(manifest).map_err(Clone::clone)));
    let topology = Arc::new(check(&pipeline, &manifests.collect(), &files, Style::of_stderr())?);
    let plugins = plugins.into_iter().map(|(_, plugin)| plugin).collect::<Result<Vec<_>, _>>()?;
    let plugins = Plugins::new((pipeline, files), Arc::clone(&topology), runtime, &plugins);
    Ok(Loaded { topology, plugins: Arc::new(plugins) })
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

fn load_plugin(runtime: &Arc<Runtime>, plugin: &PluginUse) -> Result<FilePlugin, PluginLoadError> {
    let path = &plugin.component;
    let bytes = std::fs::read(path).map_err(|error| {
        let there = other_name(path).map(|other| format!("; did you mean `{other}`?")).unwrap_or_default();
        PluginLoadError::Component(format!(
            "{}: can't be read: {error}{there}; build the plugin, or correct the path: it is relative to this file's folder",
            path.display()
        ))
    })?;
    let origin = path.display().to_string();
    let loaded = runtime.load(&bytes, &origin, &PluginSettings::new(&plugin.config, plugin.limits));
    let loaded = loaded.map_err(|error| match error.refusal {
        Refusal::Config(_) => PluginLoadError::Config(error.to_string()),
        _ => PluginLoadError::Component(error.to_string()),
    })?;
    Ok(FilePlugin { name: plugin.name.clone(), plugin: loaded, component: bytes.into() })
}

/// The name of a component beside a missing one: Rust writes the `-` of a package as `_`.
fn other_name(path: &Path) -> Option<String> {
    let other = path.file_name()?.to_str()?.replace('-', "_");
    path.with_file_name(&other).is_file().then_some(other)
}

/// The folder for compiled plugins; `None` if the user has no home.
fn cache_folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(cache.or_else(home)?.join("millrace/compiled"))
}

impl Loaded {
    /// The app, for the Kafka driver.
    pub fn on_kafka(&self) -> millrace_kafka::App {
        let (topology, plugins) = (Arc::clone(&self.topology), Arc::clone(&self.plugins));
        let (candidates, loader) = (plugins.candidates(), Arc::clone(&plugins) as Arc<dyn PluginLoader>);
        let shadows = Arc::clone(plugins.shadows());
        let guests: Arc<Guests> = Arc::new(move || -> Box<dyn Logic> { Box::new(plugins.guests()) });
        let (author, host) = (author::here(String::new()), author::host());
        millrace_kafka::App { topology, candidates, loader, guests, author, host, shadows }
    }

    /// Guest instances of the plugins, for one thread.
    pub fn guests(&self) -> plugins::Guests {
        self.plugins.guests()
    }
}
