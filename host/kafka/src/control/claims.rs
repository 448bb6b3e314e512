//! Checks that the internal topics are the app's own, and still those that it has made. This comes before missing
//! topics are made: a topic that was made anew would mean empty state after offsets that are far ahead.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Entries, holds_any};
use crate::client::app::App;
use crate::client::native;
use crate::client::settings::ClientSettings;
use crate::cluster::contradictions;
use crate::cluster::internal_topics;
use crate::cluster::{Cluster, REQUEST_TIMEOUT, TopicSpec};
use crate::error::Error;

/// How long to wait before the next request for a topic that no broker knows.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The state of a topic that is to be the app's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TopicClaim {
    /// It is as the app left it, or was never made.
    Good,
    /// It is there, and isn't in the app's list.
    Unknown,
}

/// Checks the internal topics that a pipeline needs, of which the app has made those that are known, with their ids.
///
/// # Errors
/// [`Error::Setup`]: one was deleted, or made anew, or isn't the app's.
pub(super) fn check(
    settings: &ClientSettings,
    cluster: &Cluster,
    app: &str,
    known: &BTreeMap<String, String>,
    specs: &[&TopicSpec],
    go_on: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let control = internal_topics::control(app);
    let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let expected = names.iter().copied().filter(|name| known.contains_key(*name)).collect::<Vec<_>>();
    let there = look(|| cluster.ids(&names), &expected, REQUEST_TIMEOUT)?;
    for spec in specs.iter().filter(|spec| spec.name != control) {
        let name = spec.name.as_str();
        let standing = standing(settings.app(), name, known.get(name), there.get(name)).map_err(Error::Setup)?;
        if standing == TopicClaim::Unknown {
            let id = there.get(name);
            refuse_if_of_others(settings, cluster, app, (name, id), go_on)?;
        }
    }
    Ok(())
}

/// Asks which topics are there until all expected ones are, or for so long that the others count as deleted. Each
/// answer may come from another broker, and a broker may not know yet of a topic that another process has made: a topic
/// is there if any broker knows it.
pub(super) fn look(
    ask: impl Fn() -> Result<BTreeMap<String, String>, Error>,
    expected: &[&str],
    patience: Duration,
) -> Result<BTreeMap<String, String>, Error> {
    let (limit, mut there) = (Instant::now() + patience, BTreeMap::new());
    loop {
        there.extend(ask()?);
        if expected.iter().all(|name| there.contains_key(*name)) || Instant::now() >= limit {
            return Ok(there);
        }
        std::thread::park_timeout(RETRY_INTERVAL);
    }
}

fn standing(app: App<'_>, name: &str, known: Option<&String>, there: Option<&String>) -> Result<TopicClaim, String> {
    match (known, there) {
        (Some(_), None) => Err(contradictions::deleted(app, name)),
        (Some(known), Some(there)) if native::differ(known, there) => {
            Err(contradictions::internal_made_anew(app, name))
        }
        (None, Some(_)) => Ok(TopicClaim::Unknown),
        (Some(_), Some(_)) | (None, None) => Ok(TopicClaim::Good),
    }
}

/// An empty topic may have been made for the app beforehand, by an administrator.
fn refuse_if_of_others(
    settings: &ClientSettings,
    cluster: &Cluster,
    app: &str,
    (name, id): (&str, Option<&String>),
    go_on: &dyn Fn() -> bool,
) -> Result<(), Error> {
    for owner in possible_owners(name).filter(|owner| *owner != app) {
        if topics_of(settings, cluster, owner, go_on)?.contains_key(name) {
            return Err(Error::Setup(format!(
                "the internal topic `{name}` of the app `{app}` is one of the app `{owner}` too: what both write would \
                 be mixed. Give one of the apps another name"
            )));
        }
    }
    if !holds_any(cluster, name)? {
        return Ok(());
    }
    // Another process of the app may have made it since the entries were read. It notes that before it writes to it.
    let control = internal_topics::control(app);
    let Some(entries) = Entries::read(settings, cluster, &control, go_on)? else { return Ok(()) };
    match standing(settings.app(), name, entries.topics()?.get(name), id).map_err(Error::Setup)? {
        TopicClaim::Good => Ok(()),
        TopicClaim::Unknown => Err(Error::Setup(format!(
            "the internal topic `{name}` has records, and the app `{app}` hasn't made it: it is another app's, or the \
             topic `{control}` was deleted. Give the app another name; or delete `{name}`, if nobody needs what is in \
             it"
        ))),
    }
}

/// The app's topics from now on, with their ids: those that it uses, and those of before that aren't gone.
///
/// # Errors
/// [`Error::Setup`]: one was made anew since the app noted it, perhaps by this very start: [`check`] may have asked a
/// broker that hadn't heard of its deletion. Noting the new id would hide that its state is lost.
pub(super) fn kept(
    app: App<'_>,
    known: &BTreeMap<String, String>,
    used: &BTreeMap<String, String>,
    gone: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut topics = known.clone();
    topics.retain(|name, id| gone.get(name) != Some(id));
    let control = internal_topics::control(app.name);
    for (name, id) in used {
        if *name != control {
            standing(app, name, known.get(name), Some(id)).map_err(Error::Setup)?;
        }
        // A broker that gives no id may be the last one of an older version.
        if native::is_known(id) || !topics.contains_key(name) {
            topics.insert(name.clone(), id.clone());
        }
    }
    Ok(topics)
}

/// Those of the topics that the app has made and doesn't use now that are no longer there: an administrator has deleted
/// them, and they are made anew if they are needed again. May wait for as long as brokers may lag, so it isn't to be
/// called under the lock of the control topic.
///
/// A topic that counts as deleted by mistake would be refused later, as one that the app hasn't made.
pub(super) fn gone(
    cluster: &Cluster,
    known: &BTreeMap<String, String>,
    used: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut gone = known.clone();
    gone.retain(|name, _| !used.contains_key(name));
    let unused: Vec<_> = gone.keys().map(String::as_str).collect();
    let there = look(|| cluster.ids(&unused), &unused, REQUEST_TIMEOUT)?;
    gone.retain(|name, _| !there.contains_key(name));
    Ok(gone)
}

/// The topics that another app has noted, if there is one and they can be read: its control topic may be forbidden to
/// this app, of a later version or no control topic at all, without a leader, or held up by a transaction. This app
/// starts nevertheless: whether a topic has records then decides.
fn topics_of(
    settings: &ClientSettings,
    cluster: &Cluster,
    owner: &str,
    go_on: &dyn Fn() -> bool,
) -> Result<BTreeMap<String, String>, Error> {
    let control = internal_topics::control(owner);
    match cluster.partitions(&control) {
        Ok(None) => return Ok(BTreeMap::new()),
        // A broker gives this answer for a topic that may not be described, whether it exists or not.
        Err(Error::Setup(reason)) => return Ok(untold(&control, &reason)),
        told => drop(told?),
    }
    let limit = Instant::now() + REQUEST_TIMEOUT;
    let entries = Entries::read(settings, cluster, &control, &|| go_on() && Instant::now() < limit);
    match entries.and_then(|entries| entries.map(|entries| entries.topics()).transpose()) {
        Ok(Some(topics)) => Ok(topics),
        Ok(None) => Ok(untold(&control, "it can't be read to its end")),
        Err(error) => Ok(untold(&control, &error.to_string())),
    }
}

fn untold(control: &str, reason: &str) -> BTreeMap<String, String> {
    tracing::debug!(topic = control, reason, "the topics of another app can't be looked up");
    BTreeMap::new()
}

/// Apps that may have a topic of this name for their own: a topic begins with its app's name and a hyphen, and both may
/// have more of them.
fn possible_owners(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('-').filter_map(|(at, _)| name.get(..at)).filter(|owner| !owner.is_empty())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const APP: App<'static> = App { name: "a", bootstrap: "kafka:9092" };

    #[test]
    fn a_topic_is_good_if_it_is_the_one_that_was_made_or_was_never_made() {
        let (one, two, none) = ("one".to_owned(), "two".to_owned(), String::new());
        let standing = |known, there| standing(APP, "a-t", known, there);
        assert_eq!(standing(None, None), Ok(TopicClaim::Good));
        assert_eq!(standing(Some(&one), Some(&one)), Ok(TopicClaim::Good));
        assert_eq!(standing(Some(&none), Some(&one)), Ok(TopicClaim::Good), "made when ids were not kept");
        let zero = "A".repeat(22);
        assert_eq!(standing(Some(&zero), Some(&one)), Ok(TopicClaim::Good), "the cluster had no ids then");
        assert_eq!(standing(Some(&one), Some(&zero)), Ok(TopicClaim::Good), "a broker that isn't upgraded yet");
        assert_eq!(standing(None, Some(&one)), Ok(TopicClaim::Unknown));
        for (known, there) in [(Some(&one), None), (Some(&one), Some(&two)), (Some(&none), None)] {
            assert!(standing(known, there).is_err_and(|text| text.contains("`a-t` has been deleted")));
        }
    }

    #[test]
    fn the_apps_topics_are_those_that_it_uses_and_those_of_before_that_are_not_gone() {
        let topics = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
            entries.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect()
        };
        let known =
            topics(&[("a-control", "1"), ("a-old-changelog", ""), ("a-sums-changelog", "3"), ("a-x-changelog", "4")]);
        let used = topics(&[("a-control", "1"), ("a-new-changelog", "5"), ("a-old-changelog", "2")]);
        let kept = |gone: &[(&str, &str)]| kept(APP, &known, &used, &topics(gone)).map_err(|error| error.to_string());
        let mut expected = topics(&[("a-sums-changelog", "3"), ("a-x-changelog", "4")]);
        expected.extend(used.clone());
        assert_eq!(kept(&[]), Ok(expected.clone()));
        assert_eq!(kept(&[("a-x-changelog", "another")]), Ok(expected.clone()), "made since");
        expected.remove("a-x-changelog");
        assert_eq!(kept(&[("a-x-changelog", "4")]), Ok(expected));
        let zero = "A".repeat(22);
        let (known, none) = (topics(&[("a-x-changelog", "4")]), topics(&[("a-x-changelog", &zero)]));
        let kept = |known, used| super::kept(APP, known, used, &BTreeMap::new()).map_err(|error| error.to_string());
        assert_eq!(kept(&known, &none), Ok(known.clone()), "a cluster that is being upgraded tells ids and none");
        assert_eq!(kept(&none, &known), Ok(known));
    }

    #[test]
    fn a_topic_that_one_broker_does_not_know_is_asked_for_again_before_it_counts_as_deleted() {
        let asked = Cell::new(0);
        // Two brokers that answer in turn: the first lags behind, and the second has lost sight of another topic.
        let ask = || {
            asked.set(asked.get() + 1);
            let told = if asked.get() % 2 == 1 { "a-sums-changelog" } else { "a-sums2-changelog" };
            Ok(BTreeMap::from([(told.to_owned(), "id".to_owned())]))
        };
        let expected = ["a-sums-changelog", "a-sums2-changelog"];
        let there = look(ask, &expected, REQUEST_TIMEOUT).map(|there| there.len()).unwrap_or_default();
        assert_eq!((there, asked.get()), (2, 2), "until all are there, and no longer");
        asked.set(0);
        let there = look(ask, &expected, Duration::ZERO).map(|there| there.len()).unwrap_or_default();
        assert_eq!((there, asked.get()), (1, 1), "not for ever");
    }

    #[test]
    fn a_topic_that_was_made_anew_since_the_first_look_is_not_noted_in_place_of_the_one_that_was_lost() {
        let topics = |id: &str| BTreeMap::from([("a-sums-changelog".to_owned(), id.to_owned())]);
        let error = kept(APP, &topics("1"), &topics("2"), &BTreeMap::new()).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|text| text.contains("`a-sums-changelog` has been deleted")), "{error:?}");
    }

    #[test]
    fn every_beginning_of_a_topics_name_may_be_its_app() {
        let owners: Vec<_> = possible_owners("a-b-c-changelog").collect();
        assert_eq!(owners, ["a", "a-b", "a-b-c"]);
    }
}
