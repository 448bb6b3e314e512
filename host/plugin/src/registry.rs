//! The plugins of a process, for all of its threads.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use millrace_engine::ports::DeploymentId;

use crate::plugin::Plugin;

/// The plugins that the threads of a process may call, by the number of their deployment. A thread looks a plugin up at
/// its first call and keeps it.
#[derive(Default)]
pub struct PluginRegistry(RwLock<HashMap<DeploymentId, Arc<Plugin>>>);

impl PluginRegistry {
    /// Adds a plugin, under a number that no other has had.
    pub fn add(&self, deployment: DeploymentId, plugin: Arc<Plugin>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(deployment, plugin);
    }

    /// Keeps only these plugins.
    pub fn retain(&self, keep: &dyn Fn(DeploymentId) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|deployment, _| keep(*deployment));
    }

    pub(crate) fn get(&self, deployment: DeploymentId) -> Option<Arc<Plugin>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&deployment).cloned()
    }
}
