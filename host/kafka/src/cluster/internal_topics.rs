//! The app's internal topics: their names and settings.
//!
//! Settings that results depend on are set here and not left to the broker's defaults: a default that deletes, compacts
//! or overwrites times would change results, and one that bounds times would refuse records. Replication and
//! `min.insync.replicas` are the cluster's choice.

mod ensure;

use std::collections::BTreeSet;

use millrace_engine::meta;
use millrace_engine::ports::StoreId;
use millrace_engine::topology::{GlobalTable, StoreKind, StoreSpec, TopicKind, Topology};

use crate::cluster::TopicSpec;
use crate::tasks::task_count;
pub(crate) use ensure::ensure;

/// Entries of join windows live in their changelog for so long after the join has no more use for them.
const WINDOW_MARGIN: i64 = 24 * 3_600_000;

/// How long a deleted key can be seen in a compacted changelog. State that is older is restored from the start.
pub(crate) const DELETE_RETENTION: i64 = 24 * 3_600_000;

/// Size of the segments of repartition topics: they are purged by whole segments. A segment has to have room for a
/// record.
const REPARTITION_SEGMENT: usize = 50 << 20;

/// The largest record of a topic.
const LARGEST: &str = "max.message.bytes";

/// How far the times of records may be from the broker's clock. An event has the time that it has.
const TIME_LIMITS: [&str; 2] = ["message.timestamp.after.max.ms", "message.timestamp.before.max.ms"];

/// The same for both directions, as it was up to Kafka 3.9: the only limit before 3.6, and then in force where one of
/// the others has its default, which is the largest number (KIP-937).
const TIME_DIFFERENCE: &str = "message.timestamp.difference.max.ms";

/// No limit of times, and not that default.
const NO_TIME_LIMIT: i64 = i64::MAX - 1;

/// Whether a replica that lacks records may become the leader: they are lost then, also committed ones.
const UNCLEAN: &str = "unclean.leader.election.enable";

/// A topic of the app's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InternalTopic {
    pub(crate) spec: TopicSpec,
    /// Whether only the app uses it. Dead letters have other readers, who decide how long they are kept and how they
    /// are spread; they are cut to the size that their topic takes.
    pub(crate) is_private: bool,
    /// Whether it is the changelog of the meta store, which all tasks have: no keys are spread over its partitions,
    /// each belongs to the tasks of its number.
    pub(crate) is_meta: bool,
}

/// The purpose of a topic that an app has made for itself, which its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose<'n> {
    /// The app's control topic.
    Control,
    /// The changelog of the store of this name.
    Changelog(&'n str),
    /// Records on their way to the partition of their new key.
    Repartition,
}

impl<'n> Purpose<'n> {
    /// `None` for a name that no internal topic of the app can have.
    pub(crate) fn of(app: &str, name: &'n str) -> Option<Self> {
        let rest = name.strip_prefix(app)?.strip_prefix('-')?;
        match rest.strip_suffix("-changelog") {
            Some(store) => Some(Self::Changelog(store)),
            None if rest.ends_with("-repartition") => Some(Self::Repartition),
            None => (rest == "control").then_some(Self::Control),
        }
    }
}

/// Settings with their values.
type Config = Vec<(&'static str, String)>;

/// `<app>-<store>-changelog`.
pub(crate) fn changelog(app: &str, store: &str) -> String {
    format!("{app}-{store}-changelog")
}

/// `<app>-control`.
pub(crate) fn control(app: &str) -> String {
    format!("{app}-control")
}

/// The changelogs of the stores, by their ids. The changelog of a global table is its topic.
pub(crate) fn changelogs(topology: &Topology) -> Vec<String> {
    let name = |(id, store): (usize, &StoreSpec)| match global(topology, StoreId(id)) {
        Some(table) => topology.topics.get(table.topic.0).map(|topic| topic.name.clone()).unwrap_or_default(),
        None => changelog(&topology.app, &store.name),
    };
    topology.stores.iter().enumerate().map(name).collect()
}

/// Names of all topics that a pipeline uses, its own ones and those of others. The changelog of the meta store is one
/// of every pipeline.
pub(crate) fn used(topology: &Topology) -> BTreeSet<String> {
    let app = topology.app.as_str();
    let topics = topology.topics.iter().map(|topic| topic.name.clone());
    topics.chain(changelogs(topology)).chain([control(app), changelog(app, meta::STORE)]).collect()
}

/// The global table that a store is of.
fn global(topology: &Topology, store: StoreId) -> Option<&GlobalTable> {
    topology.globals.iter().find(|table| table.store == store)
}

/// Bytes of a segment of the control topic.
const CONTROL_SEGMENT: usize = 4 << 20;

/// All internal topics of a pipeline whose topics have these numbers of partitions, for records of up to so many bytes.
pub(crate) fn all(topology: &Topology, partitions: &[u32], largest: usize) -> Vec<InternalTopic> {
    let private = |name: String, partitions: u32, own: Config| {
        let limits = TIME_LIMITS.map(|name| (name, NO_TIME_LIMIT.to_string()));
        let rest = [(LARGEST, largest.to_string()), (UNCLEAN, "false".to_owned())];
        let config = own.into_iter().chain(limits).chain(rest).collect();
        InternalTopic { spec: TopicSpec { name, partitions, config }, is_private: true, is_meta: false }
    };
    // Processes write notes while versions are on trial, and each start reads the topic whole: compaction leaves the open
    // segment alone, so segments are small.
    let small = [("segment.bytes", CONTROL_SEGMENT.to_string()), ("min.cleanable.dirty.ratio", "0.1".to_owned())];
    let compact = [("cleanup.policy", "compact".to_owned())];
    let mut topics = vec![private(control(&topology.app), 1, compact.into_iter().chain(small).collect())];
    for (topic, count) in topology.topics.iter().zip(partitions) {
        match topic.kind {
            TopicKind::Repartition => topics.push(private(topic.name.clone(), *count, repartition(largest))),
            TopicKind::DeadLetters => {
                let config = [("cleanup.policy", "delete".to_owned()), (LARGEST, largest.to_string())].into();
                let spec = TopicSpec { name: topic.name.clone(), partitions: *count, config };
                topics.push(InternalTopic { spec, is_private: false, is_meta: false });
            }
            TopicKind::External => {}
        }
    }
    let kept = |(id, _): &(usize, &StoreSpec)| global(topology, StoreId(*id)).is_none();
    for (index, store) in topology.stores.iter().enumerate().filter(kept) {
        let count = store_partitions(topology, StoreId(index), partitions);
        let topic = private(changelog(&topology.app, &store.name), count, cleanup(store));
        topics.push(InternalTopic { is_meta: is_meta(topology, StoreId(index)), ..topic });
    }
    topics
}

/// Records on their way are deleted by the app, and keep their event time.
fn repartition(largest: usize) -> Config {
    vec![
        ("cleanup.policy", "delete".into()),
        ("retention.ms", "-1".into()),
        ("retention.bytes", "-1".into()),
        ("segment.bytes", REPARTITION_SEGMENT.max(largest).to_string()),
        ("message.timestamp.type", "CreateTime".into()),
    ]
}

/// A changelog is the log of a store: the last record of each key is its entry. Entries of windows go with time: the
/// time at which they were written, so that a backlog of old records keeps its own. Join windows have each key once,
/// and need no compaction.
fn cleanup(store: &StoreSpec) -> Config {
    let kept = |retention: i64| {
        let retention = retention.saturating_add(WINDOW_MARGIN).to_string();
        vec![("retention.ms", retention), ("retention.bytes", "-1".into())]
    };
    let deleted = ("delete.retention.ms", DELETE_RETENTION.to_string());
    let (policy, mut config) = match store.kind {
        StoreKind::WindowRecords { retention } => ("delete", kept(retention)),
        StoreKind::AggregateWindows { retention } => {
            let mut config = kept(retention);
            config.push(deleted);
            ("compact,delete", config)
        }
        StoreKind::KeyValue | StoreKind::Table => ("compact", vec![deleted]),
    };
    config.push(("cleanup.policy", policy.into()));
    config
}

/// Whether a store is the one that all sub-topologies have.
fn is_meta(topology: &Topology, store: StoreId) -> bool {
    topology.subtopologies.iter().any(|part| part.meta == store)
}

/// A store has as many partitions as its sub-topology has tasks; the meta store is everybody's.
pub(crate) fn store_partitions(topology: &Topology, store: StoreId, partitions: &[u32]) -> u32 {
    let is_meta = is_meta(topology, store);
    let owner = topology.stores.get(store.0).map_or(0, |spec| spec.subtopology);
    let parts = topology.subtopologies.iter().enumerate().filter(|(index, _)| is_meta || *index == owner);
    parts.map(|(_, part)| task_count(part, partitions)).max().unwrap_or(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use millrace_pipeline::{self as pipeline, SourceFile};

    use super::*;

    /// With a step whose changelog is called like the one of the meta store.
    const PIPELINE: &str = r#"
app = "shop"
[[source]]
name = "in"
topic = "orders"
key = "string"
[[dedup]]
name = "order-meta"
from = "in"
within = "1m"
by = ["field:id"]
[[sink]]
from = "order-meta"
topic = "once"
"#;

    #[test]
    fn only_a_topic_with_the_name_of_an_internal_topic_is_one() {
        for (name, purpose) in [
            ("orders-control", Purpose::Control),
            ("orders-resolve-window-changelog", Purpose::Changelog("resolve-window")),
            ("orders-by-customer-repartition", Purpose::Repartition),
        ] {
            assert_eq!(Purpose::of("orders", name), Some(purpose), "{name}");
        }
        for name in ["orders", "orders-in", "ordersx-control", "payment-orders", "-control", "orders-dlq"] {
            assert_eq!(Purpose::of("orders", name), None, "{name}");
        }
    }

    #[test]
    fn one_changelog_is_that_of_the_meta_store_however_the_steps_are_called() {
        let file = SourceFile { path: "shop.toml".into(), text: PIPELINE.into() };
        let pipeline = pipeline::parse(&[file], &Default::default()).unwrap();
        let topology = pipeline::build(&pipeline, &BTreeMap::new()).unwrap();
        let internal = all(&topology, &vec![4; topology.topics.len()], 1_000_000);
        let meta: Vec<_> = internal.iter().map(|topic| (topic.spec.name.as_str(), topic.is_meta)).collect();
        assert!(meta.contains(&("shop-meta-changelog", true)), "{meta:?}");
        assert!(
            meta.iter().any(|(name, _)| name.starts_with("shop-order-meta") && name.ends_with("-changelog")),
            "{meta:?}"
        );
        assert_eq!(meta.iter().filter(|(_, is_meta)| *is_meta).count(), 1, "{meta:?}");
    }
}
