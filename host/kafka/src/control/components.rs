//! Components in the control topic, in chunks that any broker takes: `component/<digest>/<number>`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_engine::deployment::{AppDeployments, PluginLoader};
use millrace_engine::topology::Topology;

use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;
use crate::cluster::internal_topics;
use crate::cluster::whole_topic;
use crate::error::Error;

const PREFIX: &str = "component/";

/// Bytes of a chunk.
const CHUNK_BYTES: usize = 64 << 10;

/// Whether an entry of the control topic is a chunk.
pub(super) fn is_chunk(key: &str) -> bool {
    key.starts_with(PREFIX)
}

fn key(digest: &str, number: usize) -> String {
    format!("{PREFIX}{digest}/{number:06}")
}

/// The entries of a component.
pub(super) fn chunks<'c>(digest: &'c str, component: &'c [u8]) -> impl Iterator<Item = (String, &'c [u8])> {
    component.chunks(CHUNK_BYTES).enumerate().map(move |(number, chunk)| (key(digest, number), chunk))
}

/// The keys of the entries of a component of this size.
pub(super) fn keys(digest: &str, size: u64) -> impl Iterator<Item = String> {
    let count = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(CHUNK_BYTES);
    (0..count).map(move |number| key(digest, number))
}

/// Reads components. `None` if `go_on` turns false before. One that isn't there is missing in the result.
pub(crate) fn read(
    settings: &ClientSettings,
    cluster: &Cluster,
    app: &str,
    digests: &BTreeSet<&str>,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Vec<Arc<[u8]>>>, Error> {
    if digests.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut chunks: BTreeMap<(String, String), Vec<u8>> = BTreeMap::new();
    let read = whole_topic::read(settings, cluster, &internal_topics::control(app), go_on, &mut |_, key, value| {
        let Some((digest, number)) =
            std::str::from_utf8(key).ok().and_then(|key| key.strip_prefix(PREFIX)?.split_once('/'))
        else {
            return;
        };
        if digests.contains(digest) {
            let place = (digest.to_owned(), number.to_owned());
            match value {
                Some(value) => drop(chunks.insert(place, value.to_vec())),
                None => drop(chunks.remove(&place)),
            }
        }
    })?;
    let mut components: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for ((digest, _), chunk) in chunks {
        components.entry(digest).or_default().extend(chunk);
    }
    Ok(read.map(|()| components.into_values().map(Into::into).collect()))
}

/// Gives the loader the components that it lacks of the deployments that a process runs now or next. `None` if `go_on`
/// turns false before.
pub(crate) fn add(
    settings: &ClientSettings,
    cluster: &Cluster,
    topology: &Topology,
    deployments: &AppDeployments,
    loader: &dyn PluginLoader,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<()>, Error> {
    let needed = deployments.needed(topology).into_iter();
    let lacking = needed.filter(|digest| loader.component(digest).is_none()).collect();
    let components = read(settings, cluster, &topology.app, &lacking, go_on)?;
    Ok(components.map(|components| components.into_iter().for_each(|component| loader.add(component))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_a_chunk_for_each_64_kib_and_keys_in_their_order() {
        let component = vec![7; CHUNK_BYTES * 2 + 1];
        let chunks: Vec<_> = chunks("d", &component).map(|(key, chunk)| (key, chunk.len())).collect();
        let sizes =
            [("component/d/000000", CHUNK_BYTES), ("component/d/000001", CHUNK_BYTES), ("component/d/000002", 1)];
        assert_eq!(chunks, sizes.map(|(key, size)| (key.to_owned(), size)));
        let keys: Vec<_> = keys("d", component.len() as u64).collect();
        assert_eq!(keys, sizes.map(|(key, _)| key));
        assert!(is_chunk(keys.first().unwrap()) && !is_chunk("deployment/component/d"));
    }
}
