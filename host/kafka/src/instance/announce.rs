//! Lines of the log that say what an instance is.

use crate::worker::Shared;

/// Characters of a digest that are shown: as many as tell two versions apart.
const DIGEST_CHARACTERS: usize = 12;

/// Says by which name brokers and other processes know the instance, and which plugins it runs.
pub(super) fn instance(shared: &Shared) {
    let threads = shared.topology.settings.threads.max(1);
    tracing::info!(instance = shared.instance, group = shared.topology.app, threads, "instance");
    for (plugin, deployed) in shared.topology.plugins.iter().zip(shared.deployments.iter()) {
        let digest = deployed.digest.get(..DIGEST_CHARACTERS).unwrap_or(&deployed.digest);
        tracing::info!(plugin = plugin.name, digest, generation = deployed.generation, "plugin");
    }
}
