//! Deleting the topics that an app has made and that its pipeline no longer has (`control/orphaned_topics.rs` has the
//! rules). A [`Gc`] is first planned, with all checks, and then carried out.

use std::ops::ControlFlow;
use std::time::Instant;

use millrace_engine::contents::Contents;
use millrace_engine::meta;
use millrace_engine::topology::{self, Topology};
use rdkafka::TopicPartitionList;

use crate::client::app::hanging;
use crate::client::native::CommittedOffset;
use crate::cluster::{Cluster, internal_topics};
use crate::commands::deployments::{CONTROL_TIMEOUT, too_late};
use crate::commands::records::Connection;
use crate::control::orphaned_topics::{self, OrphanedTopic, OrphanedTopics};
use crate::control::orphans;
use crate::error::Error;

/// The orphaned topics of an app, which are to be deleted.
pub struct Gc<'t> {
    topology: &'t Topology,
    found: OrphanedTopics,
    orphans: Vec<Orphan>,
}

/// A topic that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its name.
    pub topic: String,
    /// Its purpose and its contents.
    pub description: String,
    /// Number of its records that no task has processed: input that would be lost.
    pub unprocessed: u64,
}

impl<'t> Gc<'t> {
    /// Finds the orphaned topics of a pipeline's app, and checks that they may be deleted.
    ///
    /// # Errors
    /// [`Error::Setup`]: processes of the app are running, or the pipeline isn't the one that started last.
    /// [`Error::Task`]: a process was in the middle of a run over one of them. [`Error::Unreachable`]: a transaction
    /// still decides on the records of one. Otherwise a broker doesn't answer.
    pub fn plan(connection: &Connection, topology: &'t Topology) -> Result<Self, Error> {
        let cluster = connection.cluster()?;
        let (settings, limit) = (connection.settings(), Instant::now() + CONTROL_TIMEOUT);
        let go_on = || Instant::now() < limit;
        let found = orphaned_topics::find(settings, &cluster, topology, &go_on)?;
        let found = found.ok_or_else(|| too_late(&internal_topics::control(&topology.app)))?;
        if found.is_empty() {
            return Ok(Self { topology, found, orphans: Vec::new() });
        }
        connection.has_group(&topology.app)?;
        let known = |name: &str| connection.topics().get(name).copied();
        let partitions = topology::partitions(topology, &known).map_err(Error::Partitions)?;
        let checked = orphans::check(settings, &cluster, (topology, &partitions), &go_on)?;
        checked.ok_or_else(|| too_late(&internal_topics::changelog(&topology.app, meta::STORE)))?;
        let describe = |(name, topic): (&String, &OrphanedTopic)| match topic {
            OrphanedTopic::Changelog(store, contents) => changelog(connection, name, (store, contents.as_deref())),
            OrphanedTopic::Repartition => repartition(connection, &cluster, &topology.app, name),
        };
        let orphans = found.there.iter().map(describe).collect::<Result<_, _>>()?;
        Ok(Self { topology, found, orphans })
    }

    /// The topics that it deletes.
    pub fn orphans(&self) -> &[Orphan] {
        &self.orphans
    }

    /// Topics that stay, though the app has made one of this name: it was deleted, and this one was made since.
    pub fn replaced(&self) -> &[String] {
        &self.found.replaced
    }

    /// Deletes the topics, and forgets what the app has noted of them.
    ///
    /// # Errors
    /// A process of the app has started since, or a broker refuses. What is left then goes the next time.
    pub fn run(self, connection: &mut Connection) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        let limit = Instant::now() + CONTROL_TIMEOUT;
        let (settings, go_on) = (connection.settings(), || Instant::now() < limit);
        let done = orphaned_topics::delete(settings, &connection.cluster()?, self.topology, &self.found, &go_on)?;
        done.ok_or_else(|| too_late(&internal_topics::control(&self.topology.app)))?;
        let topics: Vec<_> = self.orphans.iter().map(|orphan| orphan.topic.as_str()).collect();
        connection.wait_until_gone(&topics)
    }
}

fn changelog(
    connection: &Connection,
    name: &str,
    (store, contents): (&str, Option<&Contents>),
) -> Result<Orphan, Error> {
    let step = contents.map(|contents| format!(" of step `{}`, {}", contents.step, contents.entries));
    let step = step.unwrap_or_default();
    // Markers and compacted records have offsets, too.
    let most: i64 = connection.ranges(&[name])?.into_values().map(|(first, end)| end - first).sum();
    let description = format!("changelog of the store `{store}`{step}; at most {}", records(most.unsigned_abs()));
    Ok(Orphan { topic: name.into(), description, unprocessed: 0 })
}

fn repartition(connection: &Connection, cluster: &Cluster, app: &str, name: &str) -> Result<Orphan, Error> {
    let unprocessed = unprocessed(connection, cluster, app, name)?;
    let description = match unprocessed {
        0 => "repartition topic; all of its records are processed".to_owned(),
        some => format!("repartition topic; no task has processed {} in it", records(some)),
    };
    Ok(Orphan { topic: name.into(), description, unprocessed })
}

/// Number of the committed records of a topic behind the committed offsets of a group.
fn unprocessed(connection: &Connection, cluster: &Cluster, group: &str, topic: &str) -> Result<u64, Error> {
    let partitions = 0..connection.topics().get(topic).copied().unwrap_or(0);
    let mut places = TopicPartitionList::new();
    for partition in partitions.clone() {
        places.add_partition(topic, partition.cast_signed());
    }
    let committed = cluster.committed(group, &places)?;
    let mut reading = connection.read(topic)?;
    let mut count = 0;
    for partition in partitions {
        let place = format!("topic `{topic}`, partition {partition}");
        let offset = match committed.get(&(topic.to_owned(), partition.cast_signed())) {
            _ if reading.uncommitted(Some(partition)) > 0 => None,
            Some(CommittedOffset::At(offset, _)) => Some(*offset),
            // No task has ever committed: it may be that none has processed the first record.
            Some(CommittedOffset::Nothing) | None => Some(0),
            Some(CommittedOffset::Undecided) => None,
            Some(CommittedOffset::Refused(code)) => {
                return Err(Error::Setup(format!("{place}: the broker doesn't tell the committed offset: {code}")));
            }
        };
        let offset = offset.ok_or_else(|| {
            let hanging = hanging(connection.settings().app().bootstrap, topic);
            Error::Unreachable(format!("{place}: a transaction is neither committed nor aborted yet; {hanging}"))
        })?;
        reading.partition(partition, offset, &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        })?;
    }
    Ok(count)
}

fn records(count: u64) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}
