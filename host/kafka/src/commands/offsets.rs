//! The committed offsets of an app's group, seen and set by hand.
//!
//! [`Offsets::look`] finds out whether each offset fits the topic and the app's state; [`Offsets::plan`] plans the
//! changes, and [`Plan::run`] sets them. An offset that belongs to state isn't moved: the state has all records before
//! it, so an earlier one would count records twice and a later one would leave a gap, and nothing would show it. The
//! way to process records again is a reset, after which there is no state and offsets can be set.

mod standing;

use std::collections::{BTreeMap, BTreeSet};

use millrace_engine::meta;
use millrace_engine::record::Timestamp;
use rdkafka::TopicPartitionList;

use crate::client::app::App;
use crate::client::native::CommittedOffset;
use crate::cluster::Cluster;
use crate::cluster::internal_topics;
use crate::cluster::metadata::{self, Origin};
use crate::commands::records::{ByPartition, Connection};
use crate::control::{self, AppNotes};
use crate::error::Error;

pub use standing::Standing;

/// Which partitions a command is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// Topics; without any, all that the app reads.
    pub topics: &'a [String],
    /// Numbers of partitions; without any, all.
    pub partitions: &'a [u32],
}

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The first record that is there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// This offset.
    Offset(i64),
    /// The first record with this time or a later one; behind the last record if there is none.
    Time(Timestamp),
}

/// The offset of an input partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// The committed offset.
    pub offset: Option<i64>,
    /// First offset of the partition.
    pub first: i64,
    /// The offset behind its last record.
    pub end: i64,
    /// Highest timestamp processed, where the app has noted it.
    pub time: Option<Timestamp>,
    /// Whether the offset fits the topic and the app's state.
    pub standing: Standing,
}

impl Place {
    /// How many offsets are still to be processed.
    pub fn lag(&self) -> Option<i64> {
        self.offset.map(|offset| (self.end - offset.max(self.first)).max(0))
    }
}

/// The committed offsets of an app.
pub struct Offsets {
    app: String,
    bootstrap: String,
    places: Vec<Place>,
}

impl Offsets {
    /// Looks up the committed offsets.
    ///
    /// # Errors
    /// [`Error::Setup`]: there is no such app, topic or partition. Otherwise a broker doesn't answer.
    pub fn look(connection: &Connection, app: &str, selection: Selection<'_>) -> Result<Self, Error> {
        let cluster = connection.cluster()?;
        let noted = control::noted(connection.settings(), &cluster, app)?;
        let topics = chosen(connection, (app, &cluster), &noted, selection.topics)?;
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        let ranges = only(connection.ranges(&topics)?, selection.partitions)?;
        let committed =
            cluster.committed(app, &list(ranges.keys().map(|(topic, partition)| (topic.as_str(), *partition))))?;
        let of_meta = internal_topics::changelog(app, meta::STORE);
        let ids = cluster.ids(&topics.iter().copied().chain([of_meta.as_str()]).collect::<Vec<_>>())?;
        let life = ids.get(&of_meta).cloned().unwrap_or_default();
        let stateful = with_state(connection, &noted, &of_meta)?;
        let place = |((topic, partition), (first, end)): ((String, u32), (i64, i64))| {
            let now = Origin { topic: ids.get(&topic).cloned().unwrap_or_default(), life: life.clone() };
            let answer = committed.get(&(topic.clone(), partition.cast_signed())).unwrap_or(&CommittedOffset::Nothing);
            let (offset, note) = match answer {
                CommittedOffset::At(offset, text) => (Some(*offset), metadata::decode(text)),
                CommittedOffset::Nothing | CommittedOffset::Undecided | CommittedOffset::Refused(_) => {
                    (None, metadata::Note::default())
                }
            };
            let standing = Standing::of(answer, &note, &now, (first, end), stateful.has(partition));
            Place { topic, partition, offset, first, end, time: note.time, standing }
        };
        let places = ranges.into_iter().map(place).collect();
        Ok(Self { app: app.into(), bootstrap: connection.settings().app().bootstrap.into(), places })
    }

    /// The offsets, by topic and partition.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Which offsets change, and which can't.
    ///
    /// # Errors
    /// [`Error::Setup`]: processes of the app are running, an offset is out of range, or none can be set, and why.
    /// Otherwise a broker doesn't answer.
    pub fn plan(self, connection: &Connection, to: To) -> Result<Plan, Error> {
        connection.has_group(&self.app)?;
        let times = match to {
            To::Time(time) => {
                let topics: BTreeSet<_> = self.places.iter().map(|place| place.topic.as_str()).collect();
                connection.since(&topics.into_iter().collect::<Vec<_>>(), time)?
            }
            To::Earliest | To::Latest | To::Offset(_) => ByPartition::new(),
        };
        let (mut set, mut stay) = (Vec::new(), Vec::new());
        for place in self.places {
            match place.standing.fixed() {
                Some(reason) => stay.push(format!("topic `{}`, partition {}: {reason}", place.topic, place.partition)),
                None => set.push((target(&place, to, &times)?, place)),
            }
        }
        let app = App { name: &self.app, bootstrap: &self.bootstrap };
        match stay.split_first() {
            Some((first, others)) if set.is_empty() => {
                let others = if others.is_empty() { String::new() } else { format!("; so for {} more", others.len()) };
                Err(Error::Setup(format!(
                    "{first}{others}. Nothing was set. To process records again, start anew with {}; after that, \
                     offsets can be set",
                    app.reset()
                )))
            }
            _ => Ok(Plan { app: self.app, set, stay }),
        }
    }
}

/// The offsets that are to be set.
pub struct Plan {
    app: String,
    set: Vec<(i64, Place)>,
    stay: Vec<String>,
}

impl Plan {
    /// The new offsets, and the places as they are.
    pub fn set(&self) -> &[(i64, Place)] {
        &self.set
    }

    /// Which offsets stay as they are, and why.
    pub fn stay(&self) -> &[String] {
        &self.stay
    }

    /// Sets them.
    ///
    /// # Errors
    /// [`Error::Setup`]: a process of the app has started since, or the broker refuses.
    pub fn run(self, connection: &Connection) -> Result<(), Error> {
        let offsets = self.set.into_iter().map(|(offset, place)| ((place.topic, place.partition), offset)).collect();
        connection.set_offsets(&self.app, &offsets)
    }
}

fn list<'a>(places: impl Iterator<Item = (&'a str, u32)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in places {
        list.add_partition(topic, partition.cast_signed());
    }
    list
}

/// The topics that a command is about. Where the app's own list of what it reads is gone, those that its group has
/// offsets of.
fn chosen(
    connection: &Connection,
    (app, cluster): (&str, &Cluster),
    noted: &AppNotes,
    named: &[String],
) -> Result<Vec<String>, Error> {
    if let Some(unknown) = named.iter().find(|name| !connection.topics().contains_key(*name)) {
        return Err(Error::Setup(format!(
            "there is no topic `{unknown}`; `millrace topic list` shows those that are there"
        )));
    }
    let is_read = |name: &String| noted.read.is_empty() || (noted.read.contains(name) && !noted.topics.contains(name));
    if let Some(other) = named.iter().find(|name| !is_read(name)) {
        let why = match noted.topics.contains(other) {
            true => "is a topic of its own, whose offsets belong to its state",
            false => "isn't one that it reads",
        };
        return Err(Error::Setup(format!(
            "app `{app}`: the topic `{other}` {why}; without --topic, its inputs are shown"
        )));
    }
    if !named.is_empty() {
        return Ok(named.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect());
    }
    if !noted.read.is_empty() {
        let inputs = noted.read.iter().filter(|name| is_read(name) && connection.topics().contains_key(*name));
        let inputs: Vec<_> = inputs.cloned().collect();
        return match inputs.is_empty() {
            true => Err(Error::Setup(format!("none of the topics that the app `{app}` reads is there any more"))),
            false => Ok(inputs),
        };
    }
    let all = connection.topics().iter();
    let all = all.flat_map(|(name, partitions)| (0..*partitions).map(move |partition| (name.as_str(), partition)));
    let committed = cluster.committed(app, &list(all))?.into_iter();
    let committed =
        committed.filter(|(_, answer)| matches!(answer, CommittedOffset::At(..) | CommittedOffset::Undecided));
    let topics: BTreeSet<_> = committed.map(|((topic, _), _)| topic).collect();
    if topics.is_empty() {
        return Err(Error::Setup(format!(
            "nothing says what the app `{app}` reads: it never ran on this cluster, or was reset; name its inputs with \
             --topic"
        )));
    }
    Ok(topics.into_iter().collect())
}

/// The partitions with these numbers; all where there are none.
fn only(ranges: ByPartition<(i64, i64)>, numbers: &[u32]) -> Result<ByPartition<(i64, i64)>, Error> {
    if numbers.is_empty() {
        return Ok(ranges);
    }
    let has = |number: &u32| ranges.keys().any(|(_, partition)| partition == number);
    if let Some(unknown) = numbers.iter().find(|number| !has(number)) {
        return Err(Error::Setup(format!("there is no partition {unknown}: partitions are numbered from 0")));
    }
    Ok(ranges.into_iter().filter(|((_, partition), _)| numbers.contains(partition)).collect())
}

/// The partitions of inputs for which the app keeps state.
struct Stateful {
    /// Numbers of the partitions of changelogs that have records. A task has the number of the partitions that it
    /// reads.
    partitions: BTreeSet<u32>,
    /// Whether the app writes records to topics of its own and reads them there: by their keys they come to other
    /// tasks, and what is in the state of one may be from any partition of an input.
    repartitions: bool,
}

impl Stateful {
    fn has(&self, partition: u32) -> bool {
        match self.repartitions {
            true => !self.partitions.is_empty(),
            false => self.partitions.contains(&partition),
        }
    }
}

fn with_state(connection: &Connection, noted: &AppNotes, of_meta: &str) -> Result<Stateful, Error> {
    let is_changelog = |name: &&String| name.ends_with("-changelog") && *name != of_meta;
    let changelogs = noted.topics.iter().filter(is_changelog).filter(|name| connection.topics().contains_key(*name));
    let changelogs: Vec<_> = changelogs.map(String::as_str).collect();
    let ranges = connection.ranges(&changelogs)?;
    let kept = ranges.into_iter().filter(|(_, (first, end))| first < end);
    let partitions = kept.map(|((_, partition), _)| partition).collect();
    Ok(Stateful { partitions, repartitions: noted.read.iter().any(|name| noted.topics.contains(name)) })
}

/// The offset that is meant for a partition.
fn target(place: &Place, to: To, times: &BTreeMap<(String, u32), i64>) -> Result<i64, Error> {
    let Place { topic, partition, first, end, .. } = place;
    match to {
        To::Earliest => Ok(*first),
        To::Latest => Ok(*end),
        To::Time(_) => Ok(times.get(&(topic.clone(), *partition)).copied().unwrap_or(*end)),
        To::Offset(offset) if (*first..=*end).contains(&offset) => Ok(offset),
        To::Offset(offset) => Err(Error::Setup(format!(
            "topic `{topic}`, partition {partition}: offset {offset} is out of range: its offsets are {first} to \
             {end}, the last of which is that of the next record"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_repartition_topic_state_may_be_from_any_partition_of_an_input() {
        let stateful = |repartitions| Stateful { partitions: BTreeSet::from([0]), repartitions };
        assert_eq!([0, 1].map(|partition| stateful(false).has(partition)), [true, false]);
        assert_eq!([0, 1].map(|partition| stateful(true).has(partition)), [true, true]);
        assert!(!Stateful { partitions: BTreeSet::new(), repartitions: true }.has(0));
    }
}
