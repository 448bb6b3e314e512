//! The guest that cases run through, and pipelines with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use millrace_cli::load::Loaded;
use millrace_engine::topology::GuestLimits;
use millrace_pipeline::{self as pipeline, SourceFile};
use millrace_plugin::{Plugin, Runtime};

use crate::op::Op;

const NAME: &str = "golden";

/// The guest, compiled once.
pub struct Rules {
    plugin: Arc<Plugin>,
}

/// The guest can't be had.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The folder of guests isn't known.
    #[error("MILLRACE_GUESTS names no folder of guests; `./justw test` and `./justw golden` set it")]
    Folder,
    /// It can't be read.
    #[error("{}: can't be read; `./justw guests` builds it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] millrace_plugin::LoadError),
}

impl Rules {
    /// Loads the guest `golden`.
    ///
    /// # Errors
    /// It isn't built, or is refused.
    pub fn load() -> Result<Self, RulesError> {
        let folder = std::env::var_os("MILLRACE_GUESTS").map(PathBuf::from).ok_or(RulesError::Folder)?;
        let path = folder.join("golden.wasm");
        let bytes = std::fs::read(&path).map_err(|source| RulesError::Read { path: path.clone(), source })?;
        let limits = GuestLimits::default();
        let plugin = Runtime::new(None)?.load(&bytes, &path.display().to_string(), "{}", limits)?;
        Ok(Self { plugin })
    }

    /// The pipeline of an operator, as the command would load it, with so many partitions; or all that is wrong with it.
    ///
    /// # Errors
    /// What the front end says.
    pub fn pipeline(&self, op: &Op, partitions: usize) -> Result<Loaded, String> {
        let file = SourceFile { path: "golden.toml".into(), text: op.pipeline(partitions) };
        let manifests = BTreeMap::from([(NAME.to_owned(), Ok(self.plugin.manifest().clone()))]);
        let topology = pipeline::check(&pipeline::read(&[file], &Default::default()), &manifests)
            .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let plugins = topology.plugins.iter().map(|plugin| (plugin.name.clone(), Arc::clone(&self.plugin))).collect();
        Ok(Loaded { topology: Arc::new(topology), plugins })
    }
}
