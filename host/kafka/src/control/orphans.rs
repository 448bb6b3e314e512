//! Runs that a process was in the middle of at its last commit and that no task of this pipeline would go on with:
//! their offsets are committed, and their waiting results would be lost.
//!
//! The changelog of the meta store tells of them. It is read whole for that at the start, if a topic is no longer read
//! ([`check`]); what another process leaves later shows when a task is restored.

use std::collections::BTreeMap;

use bytes::Bytes;
use millrace_engine::task::TaskError;
use millrace_engine::topology::Topology;

use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;
use crate::cluster::internal_topics;
use crate::cluster::whole_topic;
use crate::error::Error;

/// Such runs, by partition and key.
#[derive(Default)]
pub(crate) struct Orphans(BTreeMap<(u32, Bytes), TaskError>);

impl Orphans {
    /// Takes a record of the meta store's changelog. `partitions` are the numbers of partitions of the topics.
    pub(crate) fn apply(
        &mut self,
        (topology, partitions): (&Topology, &[u32]),
        partition: u32,
        (key, value): (&[u8], Option<&[u8]>),
    ) {
        let Some(orphan) = topology.orphan(key, partition, partitions) else { return };
        let place = (partition, Bytes::copy_from_slice(key));
        match value {
            Some(_) => drop(self.0.insert(place, orphan)),
            None => drop(self.0.remove(&place)),
        }
    }

    /// Refuses to go on if there is one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.0.values().next().map_or(Ok(()), |orphan| Err(Error::Task(orphan.to_string())))
    }
}

/// Looks for such runs in all partitions. `None` if `go_on` turns false before it is known.
///
/// # Errors
/// [`Error::Task`]: there is one. Otherwise the changelog can't be read.
pub(crate) fn check(
    settings: &ClientSettings,
    cluster: &Cluster,
    (topology, partitions): (&Topology, &[u32]),
    go_on: &dyn Fn() -> bool,
) -> Result<Option<()>, Error> {
    let meta = topology.subtopologies.first().and_then(|part| topology.stores.get(part.meta.0));
    let Some(meta) = meta else { return Ok(Some(())) };
    let changelog = internal_topics::changelog(&topology.app, &meta.name);
    let mut orphans = Orphans::default();
    let read = whole_topic::read(settings, cluster, &changelog, go_on, &mut |partition, key, value| {
        orphans.apply((topology, partitions), partition, (key, value));
    })?;
    orphans.check()?;
    Ok(read)
}
