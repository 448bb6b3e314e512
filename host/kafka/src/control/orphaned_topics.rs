//! Internal topics that an app has made and that its pipeline no longer has, such as those of a step that was renamed:
//! finding them, and deleting them together with the app's notes of them.
//!
//! The pipeline has to be the one that started last, and no process of the app may run. So a topic is deleted only if
//! neither the files nor the processes have it: with the wrong files nothing is deleted. A process of an older pipeline
//! that starts meanwhile first notes its pipeline, under the transactional id that the deletion has taken: either the
//! deletion sees the note and stops, or the process finds its topics gone, and says so.
//!
//! Topics go before their notes. Where a process dies in between, notes of topics are left that aren't there any more,
//! which the next start of the pipeline drops, or the next deletion. The other way round there would be topics that
//! nobody knows of.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::contents::Contents;
use millrace_engine::meta;
use millrace_engine::record::Headers;
use millrace_engine::topology::Topology;

use super::entries::Entries;
use super::outline::Outline;
use super::{claims, contents, forget_lost, retry, write};
use crate::client::app::App;
use crate::client::native;
use crate::client::producer::Transactions;
use crate::client::settings::ClientSettings;
use crate::clock::wall_clock;
use crate::cluster::internal_topics::{self, Purpose};
use crate::cluster::{Cluster, REQUEST_TIMEOUT};
use crate::error::{Error, Reaction};
use crate::faults::{self, Point};

/// The number of the meta changelog among the topics of the producer, after the control topic.
const META_TOPIC: usize = 1;

/// Topics in the app's notes that its pipeline doesn't have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OrphanedTopics {
    /// Those that are on the cluster, by name.
    pub(crate) there: BTreeMap<String, OrphanedTopic>,
    /// Names under which there are other topics now than those that the app has made.
    pub(crate) replaced: Vec<String>,
    /// The notes of all, also of those that are gone: ids, by name.
    noted: BTreeMap<String, String>,
}

/// The purpose that a topic had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OrphanedTopic {
    /// The changelog of a store, with its contents as far as they are noted.
    Changelog(String, Option<Box<Contents>>),
    /// Records on their way to the partition of their new key.
    Repartition,
}

impl OrphanedTopics {
    /// Whether there are neither topics nor notes.
    pub(crate) fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// The notes of a pipeline's orphans, where the topics on the cluster have these ids.
    fn of(
        app: &str,
        noted: BTreeMap<String, String>,
        ids: &BTreeMap<String, String>,
        contents: &BTreeMap<String, Contents>,
    ) -> Self {
        let mut orphaned = Self { noted, ..Self::default() };
        for (name, noted) in &orphaned.noted {
            let contents = |store: &str| contents.get(store).cloned().map(Box::new);
            let topic = match Purpose::of(app, name) {
                Some(Purpose::Changelog(store)) => OrphanedTopic::Changelog(store.into(), contents(store)),
                Some(Purpose::Repartition) => OrphanedTopic::Repartition,
                Some(Purpose::Control) | None => continue,
            };
            match ids.get(name) {
                Some(id) if native::differ(noted, id) => orphaned.replaced.push(name.clone()),
                Some(_) => drop(orphaned.there.insert(name.clone(), topic)),
                None => {}
            }
        }
        orphaned
    }
}

/// Looks for orphaned topics of a pipeline's app. `None` if `go_on` turns false before.
///
/// # Errors
/// [`Error::Setup`]: there are some, and the pipeline isn't the one that started last. Otherwise the control topic can't
/// be read.
pub(crate) fn find(
    settings: &ClientSettings,
    cluster: &Cluster,
    topology: &Topology,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<OrphanedTopics>, Error> {
    let app = topology.app.as_str();
    let Some(entries) = Entries::read(settings, cluster, &internal_topics::control(app), go_on)? else {
        return Ok(None);
    };
    let (used, mut noted) = (internal_topics::used(topology), entries.topics()?);
    noted.retain(|name, _| !used.contains(name) && Purpose::of(app, name).is_some());
    if noted.is_empty() {
        return Ok(Some(OrphanedTopics::default()));
    }
    check_started(app, &entries, topology)?;
    let names: Vec<_> = noted.keys().map(String::as_str).collect();
    // A broker that hasn't heard of a topic yet doesn't make it a deleted one.
    let ids = claims::look(|| cluster.ids(&names), &names, REQUEST_TIMEOUT)?;
    Ok(Some(OrphanedTopics::of(app, noted, &ids, &entries.contents()?)))
}

/// Checks that a start of this pipeline would change nothing in the app's notes of its pipeline and its stores.
fn check_started(app: &str, entries: &Entries, topology: &Topology) -> Result<(), Error> {
    let before = entries.contents()?;
    let is_same = |(store, now): (&String, &Contents)| {
        before.get(store).is_some_and(|before| before.goes_on_as(now, store).as_ref() == Ok(before))
    };
    let started =
        entries.pipeline()?.as_ref() == Some(&Outline::of(topology)) && contents(topology).iter().all(is_same);
    match started {
        true => Ok(()),
        false => Err(Error::Setup(format!(
            "the app `{app}` has topics that this pipeline lacks, and it ran last with another pipeline, which may need \
             them: start it with these files first, or name the files that it ran with last"
        ))),
    }
}

/// Deletes the orphaned topics that are there, and forgets all that were found. `None` if `go_on` turns false before.
///
/// # Errors
/// [`Error::Setup`]: a process of the app has started since, or the broker refuses.
pub(crate) fn delete(
    settings: &ClientSettings,
    cluster: &Cluster,
    topology: &Topology,
    orphaned: &OrphanedTopics,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<()>, Error> {
    let control = internal_topics::control(&topology.app);
    retry(&control, go_on, &|| attempt(settings, cluster, topology, orphaned, go_on))
}

fn attempt(
    settings: &ClientSettings,
    cluster: &Cluster,
    topology: &Topology,
    orphaned: &OrphanedTopics,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<()>, Reaction> {
    let app = topology.app.as_str();
    let [control, meta] = [internal_topics::control(app), internal_topics::changelog(app, meta::STORE)];
    let topics = [control.as_str(), meta.as_str()].into_iter();
    let Some(mut producer) = Transactions::open(settings, &control, topics, Arc::default(), go_on)? else {
        return Ok(None);
    };
    // Earlier owners of the id are fenced: the entries stay as they are now.
    let Some(entries) = Entries::read(settings, cluster, &control, go_on)? else { return Ok(None) };
    check_started(app, &entries, topology)?;
    check_stopped(settings.app(), cluster)?;
    let names: Vec<_> = orphaned.there.keys().map(String::as_str).collect();
    let ids = cluster.ids(&names)?;
    let is_own = |name: &&str| match (orphaned.noted.get(*name), ids.get(*name)) {
        (Some(noted), Some(id)) => !native::differ(noted, id),
        // An earlier attempt has deleted it, or this broker is behind: then the controller knows.
        _ => true,
    };
    let own: Vec<_> = names.into_iter().filter(is_own).collect();
    forget_offsets(&mut producer, cluster, (app, &meta), orphaned)?;
    if !own.is_empty() {
        cluster.delete(&own)?;
    }
    faults::hit(Point::TopicsDeleted);
    write(&mut producer, &without(&entries, app, orphaned)?)?;
    Ok(Some(()))
}

/// Checks that no process of the app is in its group.
fn check_stopped(app: App<'_>, cluster: &Cluster) -> Result<(), Error> {
    match cluster.members(app.name)?.is_empty() {
        true => Ok(()),
        false => Err(Error::Setup(format!("processes of `{}` have started meanwhile: stop them first", app.name))),
    }
}

/// Deletes the entries of the meta store that say which repartition topics have committed offsets: the broker deletes
/// the offsets with the topic. With these entries, a later pipeline that makes the topic again couldn't start.
fn forget_offsets(
    producer: &mut Transactions,
    cluster: &Cluster,
    (app, meta): (&str, &str),
    orphaned: &OrphanedTopics,
) -> Result<(), Reaction> {
    let is_repartition = |name: &&String| Purpose::of(app, name) == Some(Purpose::Repartition);
    let keys: Vec<_> = orphaned.noted.keys().filter(is_repartition).map(|name| meta::input_key(name)).collect();
    let partitions = if keys.is_empty() { None } else { cluster.partitions(meta)? };
    for partition in 0..partitions.unwrap_or(0) {
        for key in &keys {
            let (timestamp, headers) = (wall_clock(), &Headers::EMPTY);
            let tombstone = native::OutgoingRecord { partition, key: Some(key), value: None, timestamp, headers };
            producer.send(META_TOPIC, &tombstone, None)?;
        }
    }
    if producer.is_open() { producer.commit_records() } else { Ok(()) }
}

/// The changes of the entries that forget the orphans and the contents of their stores.
fn without(entries: &Entries, app: &str, orphaned: &OrphanedTopics) -> Result<Entries, Error> {
    let (known, before) = (entries.topics()?, entries.contents()?);
    let mut changed = Entries::default();
    let mut topics = known.clone();
    topics.retain(|name, id| orphaned.noted.get(name) != Some(id));
    if topics != known {
        changed.set_topics(&topics);
    }
    let mut contents = before.clone();
    forget_lost(&mut contents, app, &topics);
    if contents != before {
        changed.set_contents(&contents);
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect()
    }

    #[test]
    fn a_topic_with_another_id_is_not_the_apps_and_one_that_is_gone_is_only_noted() {
        let noted = topics(&[
            ("a-control", "0"),
            ("a-group-repartition", "1"),
            ("a-sums-changelog", "2"),
            ("a-old-changelog", "3"),
            ("a-early-changelog", ""),
            ("b-sums-changelog", "5"),
        ]);
        let ids = topics(&[
            ("a-control", "0"),
            ("a-group-repartition", "1"),
            ("a-sums-changelog", "20"),
            ("a-early-changelog", "4"),
            ("b-sums-changelog", "5"),
        ]);
        let found = OrphanedTopics::of("a", noted.clone(), &ids, &BTreeMap::new());
        let there: Vec<_> = found.there.iter().map(|(name, topic)| (name.as_str(), topic.clone())).collect();
        let early = OrphanedTopic::Changelog("early".into(), None);
        assert_eq!(there, [("a-early-changelog", early), ("a-group-repartition", OrphanedTopic::Repartition)]);
        assert_eq!(found.replaced, ["a-sums-changelog"]);
        assert_eq!(found.noted, noted);
    }

    #[test]
    fn what_was_found_is_forgotten_and_what_was_noted_since_is_not() -> Result<(), Error> {
        let mut entries = Entries::default();
        entries.set_topics(&topics(&[("a-control", "0"), ("a-x-changelog", "1"), ("a-y-changelog", "9")]));
        let orphaned =
            OrphanedTopics { noted: topics(&[("a-x-changelog", "1"), ("a-y-changelog", "2")]), ..<_>::default() };
        let left = without(&entries, "a", &orphaned)?.topics()?;
        assert_eq!(left, topics(&[("a-control", "0"), ("a-y-changelog", "9")]), "made anew by another process");
        Ok(())
    }
}
