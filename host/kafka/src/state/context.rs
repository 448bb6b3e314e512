//! The part of an instance that restoring works with.

use std::sync::Arc;

use millrace_engine::topology::Topology;
use millrace_store::Database;

use crate::client::settings::ClientSettings;
use crate::cluster::Cluster;

/// The pipeline, its cluster and the database that holds its state.
#[derive(Clone, Copy)]
pub(crate) struct StateContext<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) settings: &'a ClientSettings,
    pub(crate) cluster: &'a Cluster,
    pub(crate) database: &'a Arc<Database>,
    /// Number of partitions of each topic of the pipeline.
    pub(crate) partitions: &'a [u32],
}
