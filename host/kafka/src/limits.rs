//! How large records may be.

use std::sync::Arc;

use millrace_engine::topology::Topology;

use crate::cluster::Cluster;
use crate::error::Error;

/// What a record batch with one record takes beside its key, value and headers: the broker's limit is on batches.
const OVERHEAD: usize = 256;

/// Kafka's default of `max.message.bytes`, for topics that we may not ask about.
const DEFAULT: usize = 1_048_588;

/// The most bytes of key, value and headers that a record of each topic may have, as the topic's settings are now.
pub(crate) fn record_bytes(cluster: &Cluster, topology: &Topology, client: usize) -> Result<Arc<[usize]>, Error> {
    let names: Vec<_> = topology.topics.iter().map(|topic| topic.name.as_str()).collect();
    let configs = cluster.configs(&names)?;
    let limit = |name: &&str| {
        let config = configs.get(*name).and_then(|config| config.get("max.message.bytes"));
        let bytes = config.and_then(|bytes| bytes.parse().ok()).unwrap_or(DEFAULT);
        bytes.min(client).saturating_sub(OVERHEAD)
    };
    Ok(names.iter().map(limit).collect())
}

/// The most bytes of an entry of a store, where clients take records of so many bytes.
pub(crate) fn state_bytes(client: usize) -> usize {
    client.saturating_sub(OVERHEAD)
}
