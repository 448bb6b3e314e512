//! The pipelines that cases run through, with their guests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_cli::load::Loaded;
use millrace_cli::plugins::{FilePlugin, Plugins};
use millrace_engine::topology::PluginUse;
use millrace_pipeline::{self as pipeline, PluginLoadError, SourceFile};
use millrace_plugin::{Plugin, PluginSettings, Runtime};

use crate::case::Subject;

/// The pipelines that ship.
const PIPELINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines");

/// The guests, each compiled once.
pub struct Rules {
    folder: PathBuf,
    runtime: Arc<Runtime>,
    /// By component and config.
    plugins: Mutex<BTreeMap<(PathBuf, String), LoadedGuest>>,
}

/// A guest, and the bytes that it was loaded from.
type LoadedGuest = (Arc<Plugin>, Arc<[u8]>);

/// Guests can't be had.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The folder of guests isn't known.
    #[error("MILLRACE_GUESTS names no folder of guests; `./justw test` and `./justw golden` set it")]
    Folder,
    /// The sandbox can't be set up.
    #[error(transparent)]
    Refused(#[from] millrace_plugin::LoadError),
}

impl Rules {
    /// Guests are compiled when a case needs them.
    ///
    /// # Errors
    /// Their folder isn't known, or the sandbox can't be set up.
    pub fn new() -> Result<Self, RulesError> {
        let folder = std::env::var_os("MILLRACE_GUESTS").map(PathBuf::from).ok_or(RulesError::Folder)?;
        Ok(Self { folder, runtime: Runtime::new(None)?, plugins: Mutex::default() })
    }

    /// The pipeline of a case, as the command would load it; or all that is wrong with it. The pipeline of an operator
    /// has so many partitions.
    ///
    /// # Errors
    /// The file can't be read, or what the front end says.
    pub fn pipeline(&self, subject: &Subject, partitions: usize) -> Result<Loaded, String> {
        let file = match subject {
            Subject::Op(op) => SourceFile { path: "golden.toml".into(), text: op.pipeline(partitions) },
            Subject::Pipeline(name) => {
                let path = PathBuf::from(PIPELINES).join(format!("{name}.toml"));
                let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                SourceFile { path, text }
            }
        };
        let files = vec![file];
        let pipeline = pipeline::read(&files, &Default::default());
        let plugins: Vec<_> = pipeline.plugins().map(|plugin| (plugin.name.clone(), self.plugin(plugin))).collect();
        let manifests = plugins.iter().map(|(name, plugin)| {
            (name.clone(), plugin.as_ref().map(|file| file.plugin.manifest().clone()).map_err(Clone::clone))
        });
        let topology = pipeline::check(&pipeline, &manifests.collect())
            .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let plugins = plugins.into_iter().map(|(_, plugin)| plugin);
        let plugins = plugins.collect::<Result<Vec<_>, _>>().map_err(|error| format!("{error:?}"))?;
        let (topology, runtime) = (Arc::new(topology), Arc::clone(&self.runtime));
        let plugins = Plugins::new((pipeline, files), Arc::clone(&topology), runtime, &plugins);
        Ok(Loaded { topology, plugins: Arc::new(plugins) })
    }

    /// The guest of a plugin: the component of that file name in the folder of guests.
    fn plugin(&self, plugin: &PluginUse) -> Result<FilePlugin, PluginLoadError> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        let known_by = (plugin.component.clone(), plugin.config.clone());
        let of = |(loaded, component): &LoadedGuest| {
            let (plugin_name, loaded, component) = (plugin.name.clone(), Arc::clone(loaded), Arc::clone(component));
            FilePlugin { name: plugin_name, plugin: loaded, component }
        };
        if let Some(known) = plugins.get(&known_by) {
            return Ok(of(known));
        }
        let path = self.folder.join(plugin.component.file_name().unwrap_or_default());
        let name = path.display().to_string();
        let bytes = std::fs::read(&path)
            .map_err(|error| PluginLoadError::Component(format!("{name}: {error}; `./justw guests` builds it")))?;
        let loaded = self.runtime.load(&bytes, &name, &PluginSettings::new(&plugin.config, plugin.limits));
        let loaded = loaded.map_err(|error| PluginLoadError::Component(error.to_string()))?;
        let known = (loaded, bytes.into());
        let file = of(&known);
        plugins.insert(known_by, known);
        Ok(file)
    }
}
