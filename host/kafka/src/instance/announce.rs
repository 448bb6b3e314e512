//! Log lines of an instance's identity and plugins.

use crate::worker::Shared;

/// Characters of a digest that are shown: as many as tell two versions apart.
const DIGEST_CHARACTERS: usize = 12;

/// Logs the name by which brokers and other processes know the instance, and its plugins.
pub(super) fn instance(shared: &Shared) {
    let threads = shared.topology.settings.threads.max(1);
    tracing::info!(instance = shared.instance, group = shared.topology.app, threads, "instance");
    let (_, plugins) = shared.plugins.get();
    for (plugin, deployed) in shared.topology.plugins.iter().zip(plugins.deployments.iter()) {
        let digest = deployed.digest.get(..DIGEST_CHARACTERS).unwrap_or(&deployed.digest);
        tracing::info!(plugin = plugin.name, digest, generation = deployed.generation, "plugin");
    }
}
