//! The plugins that the tasks of an instance are to run, and how far its workers are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use millrace_engine::deployment::ActivePlugins;

/// The plugins that are active. Workers look at the version in each round, and go on with new plugins between two
/// transactions.
pub(crate) struct CurrentPlugins {
    plugins: RwLock<(u64, Arc<ActivePlugins>)>,
    version: AtomicU64,
    /// The version that each worker's tasks run.
    adopted: Box<[AtomicU64]>,
}

impl CurrentPlugins {
    pub(crate) fn new(plugins: ActivePlugins, workers: usize) -> Self {
        let adopted = (0..workers).map(|_| AtomicU64::new(0)).collect();
        Self { plugins: RwLock::new((0, Arc::new(plugins))), version: AtomicU64::new(0), adopted }
    }

    /// Grows with each change.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The plugins, and their version.
    pub(crate) fn get(&self) -> (u64, Arc<ActivePlugins>) {
        let current = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        (current.0, Arc::clone(&current.1))
    }

    /// Makes these the current ones.
    pub(crate) fn publish(&self, plugins: ActivePlugins) {
        let mut current = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0 + 1, Arc::new(plugins));
        self.version.store(current.0, Ordering::Release);
    }

    /// All tasks of a worker run this version.
    pub(crate) fn adopt(&self, worker: usize, version: u64) {
        if let Some(adopted) = self.adopted.get(worker) {
            adopted.store(version, Ordering::Release);
        }
    }

    /// Whether all workers run the current version.
    pub(crate) fn is_adopted(&self) -> bool {
        let version = self.version();
        self.adopted.iter().all(|adopted| adopted.load(Ordering::Acquire) == version)
    }
}
