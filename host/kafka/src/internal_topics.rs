//! The topics that are the app's own: what they are called, how they are set up, and whether they still are.

use std::collections::BTreeMap;

use millrace_engine::ports::StoreId;
use millrace_engine::topology::{GlobalTable, StoreKind, StoreSpec, TopicKind, Topology};

use crate::cluster::{Cluster, TopicSpec};
use crate::error::Error;

/// Entries of join windows live in their changelog for so long after the join has no more use for them.
const WINDOW_MARGIN: i64 = 24 * 3_600_000;

/// How long a deleted key can be seen in a compacted changelog. State that is older is restored from the start.
pub(crate) const DELETE_RETENTION: i64 = 24 * 3_600_000;

/// Size of the segments of repartition topics: what is purged goes by whole ones.
const REPARTITION_SEGMENT: u64 = 50 << 20;

/// `<app>-<store>-changelog`.
pub(crate) fn changelog(app: &str, store: &str) -> String {
    format!("{app}-{store}-changelog")
}

/// `<app>-control`.
pub(crate) fn control(app: &str) -> String {
    format!("{app}-control")
}

/// The changelogs of the stores, by their ids. That of a global table is its topic: nobody else writes it down.
pub(crate) fn changelogs(topology: &Topology) -> Vec<String> {
    let name = |(id, store): (usize, &StoreSpec)| match global(topology, StoreId(id)) {
        Some(table) => topology.topics.get(table.topic.0).map(|topic| topic.name.clone()).unwrap_or_default(),
        None => changelog(&topology.app, &store.name),
    };
    topology.stores.iter().enumerate().map(name).collect()
}

/// The global table that a store is of.
fn global(topology: &Topology, store: StoreId) -> Option<&GlobalTable> {
    topology.globals.iter().find(|table| table.store == store)
}

/// All internal topics of a pipeline whose topics have these numbers of partitions.
pub(crate) fn all(topology: &Topology, partitions: &[u32], record_bytes: usize) -> Vec<TopicSpec> {
    let largest = ("max.message.bytes", record_bytes.to_string());
    let mut specs = vec![spec(control(&topology.app), 1, [("cleanup.policy", "compact".into()), largest.clone()])];
    for (topic, count) in topology.topics.iter().zip(partitions) {
        match topic.kind {
            TopicKind::Repartition => specs.push(spec(
                topic.name.clone(),
                *count,
                [
                    ("cleanup.policy", "delete".into()),
                    ("retention.ms", "-1".into()),
                    ("segment.bytes", REPARTITION_SEGMENT.to_string()),
                    largest.clone(),
                ],
            )),
            TopicKind::DeadLetters => specs.push(spec(topic.name.clone(), *count, [largest.clone()])),
            TopicKind::External => {}
        }
    }
    let kept = |(id, _): &(usize, &StoreSpec)| global(topology, StoreId(*id)).is_none();
    for (index, store) in topology.stores.iter().enumerate().filter(kept) {
        let count = store_partitions(topology, StoreId(index), partitions);
        specs.push(spec(
            changelog(&topology.app, &store.name),
            count,
            cleanup(store).into_iter().chain([largest.clone()]),
        ));
    }
    specs
}

fn spec(name: String, partitions: u32, config: impl IntoIterator<Item = (&'static str, String)>) -> TopicSpec {
    TopicSpec { name, partitions, config: config.into_iter().collect() }
}

/// A changelog is the log of a store: the last record of each key is its entry. Entries of windows go with time: the time
/// at which they were written, so that a backlog of old records keeps its own. Join windows have each key once, and need
/// no compaction.
fn cleanup(store: &StoreSpec) -> Vec<(&'static str, String)> {
    match store.kind {
        StoreKind::Window { retention } => vec![
            ("cleanup.policy", "delete".into()),
            ("retention.ms", retention.saturating_add(WINDOW_MARGIN).to_string()),
        ],
        StoreKind::Windowed { retention } => vec![
            ("cleanup.policy", "compact,delete".into()),
            ("retention.ms", retention.saturating_add(WINDOW_MARGIN).to_string()),
        ],
        StoreKind::KeyValue | StoreKind::Table => {
            vec![("cleanup.policy", "compact".into()), ("delete.retention.ms", DELETE_RETENTION.to_string())]
        }
    }
}

/// A store has as many partitions as its sub-topology has tasks; the meta store is everybody's.
pub(crate) fn store_partitions(topology: &Topology, store: StoreId, partitions: &[u32]) -> u32 {
    let is_meta = topology.subtopologies.iter().any(|part| part.meta == store);
    let owner = topology.stores.get(store.0).map_or(0, |spec| spec.subtopology);
    let parts = topology.subtopologies.iter().enumerate().filter(|(index, _)| is_meta || *index == owner);
    parts.map(|(_, part)| tasks_of(part, partitions)).max().unwrap_or(1)
}

/// A sub-topology has a task for each partition of its input with the most of them.
pub(crate) fn tasks_of(part: &millrace_engine::topology::SubTopology, partitions: &[u32]) -> u32 {
    part.inputs.iter().filter_map(|topic| partitions.get(topic.0)).copied().max().unwrap_or(0)
}

/// Makes the internal topics that are missing, and checks the others.
///
/// # Errors
/// [`Error::Setup`]: one isn't what it must be.
pub(crate) fn ensure(cluster: &Cluster, specs: &[&TopicSpec]) -> Result<(), Error> {
    let mut missing = Vec::new();
    let mut present = Vec::new();
    for spec in specs {
        match cluster.partitions(&spec.name)? {
            None => missing.push((*spec).clone()),
            Some(count) => present.push((*spec, count)),
        }
    }
    cluster.create(&missing)?;
    let names: Vec<_> = present.iter().map(|(spec, _)| spec.name.as_str()).collect();
    let configs = cluster.configs(&names)?;
    for (spec, count) in present {
        check_partitions(cluster, spec, count)?;
        // Dead letters are cut to what their topic takes, and how long they are kept is somebody else's choice.
        let is_ours = spec.config.contains_key("cleanup.policy");
        if let Some(config) = configs.get(&spec.name).filter(|_| is_ours) {
            check_policy(spec, config)?;
        }
    }
    Ok(())
}

fn check_partitions(cluster: &Cluster, spec: &TopicSpec, count: u32) -> Result<(), Error> {
    let name = &spec.name;
    // Nobody's keys are spread over these partitions: each belongs to the tasks of its number.
    if name.ends_with("-meta-changelog") && count < spec.partitions {
        return cluster.grow(name, spec.partitions);
    }
    let is_dead_letters = !spec.config.contains_key("cleanup.policy");
    if is_dead_letters || count == spec.partitions || (name.ends_with("-meta-changelog") && count > spec.partitions) {
        return Ok(());
    }
    Err(Error::Setup(format!(
        "internal topic `{name}` has {count} partitions, and the pipeline's inputs make it {}: state would be looked for \
         in the wrong partition; give the inputs as many partitions as before, or start anew with `millrace reset`",
        spec.partitions
    )))
}

fn check_policy(spec: &TopicSpec, config: &BTreeMap<String, String>) -> Result<(), Error> {
    for (name, wanted) in &spec.config {
        let Some(found) = config.get(*name) else { continue };
        let number = |text: &str| text.parse().map_or(0, |number: i64| if number < 0 { i64::MAX } else { number });
        let good = match *name {
            "retention.ms" | "max.message.bytes" => number(found) >= number(wanted),
            "cleanup.policy" => found == wanted,
            _ => true,
        };
        if !good {
            return Err(Error::Setup(format!(
                "internal topic `{}` has {name}={found}, and records would be lost or refused: set it to {wanted}",
                spec.name
            )));
        }
    }
    Ok(())
}
