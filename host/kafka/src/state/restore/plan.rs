//! The plan for restoring a store: whether the local state can be brought up to date, has to be restored from the
//! start, or neither can be done.
//!
//! A position is written after its commit is acknowledged, and no broker answers with an earlier end as long as the
//! partition is whole: a new leader that doesn't know yet how far records are committed answers `OFFSET_NOT_AVAILABLE`
//! (KIP-207). So a changelog that ends before a position of its own has lost committed records. And nothing but
//! deletion moves the start of a changelog that is only compacted. In both cases the committed offsets lie after the
//! missing records, and state that is restored from the rest would lack them for good.

use std::collections::BTreeMap;
use std::time::Instant;

use millrace_engine::ports::{Backend, Scan};
use millrace_engine::topology::StoreKind;
use millrace_store::{Batch, Durability};

use super::{Changelog, ChangelogGap, is_meta};
use crate::cluster::contradictions;
use crate::cluster::internal_topics::DELETE_RETENTION;
use crate::control::orphans::Orphans;
use crate::error::{Error, Reaction};
use crate::state::StateContext;
use crate::state::folder::POSITIONS;
use crate::state::positions::Position;

/// How the local state is brought up to its changelog.
pub(crate) enum RestorePlan {
    /// Nothing.
    Whole,
    /// This part has to be read.
    ChangelogGap(ChangelogGap),
    /// Not at all: the changelog has lost committed records, according to the broker that was asked. With the message
    /// about it.
    Lost(String),
}

/// Plans how to bring the local state up to date with a changelog. A state that doesn't fit its changelog any more is
/// emptied, to be restored from the start. `retentions` keeps for how long deletions can be seen in a topic.
///
/// # Errors
/// [`Reaction::Rebuild`]: no broker tells where the changelog ends. Otherwise the database fails.
pub(crate) fn plan(
    state: StateContext<'_>,
    changelog: Changelog,
    retentions: &mut BTreeMap<String, i64>,
) -> Result<RestorePlan, Reaction> {
    let (low, high) = state.cluster.range(&changelog.topic, changelog.task.partition)?;
    let position = Position::read(state.database, &changelog.key)?;
    let (topic, partition, app) = (&changelog.topic, changelog.task.partition, state.settings.app());
    let next = match begin(state, &changelog, position.as_ref(), (low, high), retentions)? {
        RestoreStart::At(next) => next,
        RestoreStart::Anew(reason) => {
            if let Some(reason) = reason {
                tracing::warn!(
                    topic,
                    partition,
                    reason,
                    "the local state can't be used and is restored from the start"
                );
            }
            empty(state, &changelog)?;
            low
        }
        RestoreStart::EndIsLost { position } => {
            let text = contradictions::changelog_ends_early(app, (topic, partition), high, position);
            return Ok(RestorePlan::Lost(text));
        }
        RestoreStart::StartIsLost => {
            return Ok(RestorePlan::Lost(contradictions::changelog_begins_late(app, (topic, partition), low)));
        }
    };
    if next >= high {
        return Ok(RestorePlan::Whole);
    }
    let (orphans, moved) = (Orphans::default(), Instant::now());
    Ok(RestorePlan::ChangelogGap(ChangelogGap {
        changelog,
        next,
        until: high,
        done: false,
        dirty: false,
        orphans,
        moved,
    }))
}

/// Where restoring begins.
#[derive(Debug, PartialEq, Eq)]
enum RestoreStart {
    /// At this offset: the state has all before it.
    At(i64),
    /// At the first record, with an empty state; the reason, if there is a state that can't be used.
    Anew(Option<&'static str>),
    /// Nowhere: the changelog ends before the position of the state.
    EndIsLost { position: i64 },
    /// Nowhere: the first records are gone, and the state doesn't have them.
    StartIsLost,
}

fn begin(
    state: StateContext<'_>,
    changelog: &Changelog,
    position: Option<&Position>,
    range: (i64, i64),
    retentions: &mut BTreeMap<String, i64>,
) -> Result<RestoreStart, Error> {
    let Some(kind) = state.topology.stores.get(changelog.store.0).map(|store| store.kind) else {
        return Ok(RestoreStart::At(position.map_or(range.0, |position| position.next.max(range.0))));
    };
    let found = compare(kind, &changelog.id, position, range);
    let (RestoreStart::At(next), Some(position)) = (&found, position) else { return Ok(found) };
    // Entries of joins are never deleted one by one.
    if matches!(kind, StoreKind::WindowRecords { .. }) || next + 1 >= range.1 {
        return Ok(found);
    }
    let retention = match retentions.get(&changelog.topic) {
        Some(retention) => *retention,
        // Where the topic's setting may not be seen, it is the one that the topic was made with.
        None => state.cluster.delete_retention(&changelog.topic)?.unwrap_or(DELETE_RETENTION),
    };
    retentions.insert(changelog.topic.clone(), retention);
    if !position.is_older_than(retention) {
        return Ok(found);
    }
    Ok(anew(kind, range.0, Some("what was deleted since then can't be seen in its changelog any more")))
}

/// Markers at the end of a changelog partition: of one commit, and of one that was aborted.
const MARKERS: i64 = 2;

/// The id that brokers give for all topics from before there were ids.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Compares a state with the offsets that there are in its changelog, whose topic has this id.
fn compare(kind: StoreKind, id: &str, position: Option<&Position>, (low, high): (i64, i64)) -> RestoreStart {
    let Some(Position { topic, next, .. }) = position else { return anew(kind, low, None) };
    // Offsets that were written and deleted since then: at most markers of transactions, where all records are too old
    // to count.
    let faded = kind.retention().is_some() && low == high && low.saturating_sub(*next) <= MARKERS;
    if topic != id {
        anew(kind, low, Some("its changelog was deleted and made anew"))
    } else if *next > high && !matches!(id, "" | NO_ID) {
        RestoreStart::EndIsLost { position: *next }
    } else if *next > high {
        anew(kind, low, Some("its changelog ends before it"))
    } else if *next < low && !faded {
        anew(kind, low, Some("its changelog begins after it"))
    } else {
        // Between them lay markers, which are gone.
        RestoreStart::At((*next).max(low))
    }
}

/// From the first record, if that can be.
fn anew(kind: StoreKind, low: i64, reason: Option<&'static str>) -> RestoreStart {
    match kind.retention() {
        None if low > 0 => RestoreStart::StartIsLost,
        _ => RestoreStart::Anew(reason),
    }
}

/// Empties a store before it is restored from the start. In the meta store, other sub-topologies have entries too:
/// these stay.
fn empty(state: StateContext<'_>, changelog: &Changelog) -> Result<(), Reaction> {
    let mut batch = Batch::new(state.database);
    batch.delete_beside(changelog.store, POSITIONS, &changelog.key)?;
    if is_meta(state, changelog) {
        let own = |key: &[u8]| state.topology.meta_owner(key) == Some(changelog.task.subtopology);
        let mut keys = Vec::new();
        let backend = state.database.backend(changelog.task.partition);
        let scanned = backend.scan(changelog.store, &[], None, &mut |key, _| {
            keys.extend(own(key).then(|| key.to_vec()));
            Scan::Continue
        });
        scanned.map_err(|error| Reaction::Fail(Error::Task(error.to_string())))?;
        for key in keys {
            batch.set(changelog.store, changelog.task.partition, &key, None)?;
        }
    } else {
        batch.clear(changelog.store, changelog.task.partition)?;
    }
    Ok(state.database.write(batch, Durability::Buffered)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWED: StoreKind = StoreKind::AggregateWindows { retention: 60_000 };

    fn begin(kind: StoreKind, position: Option<(&str, i64)>, range: (i64, i64)) -> RestoreStart {
        let position = position.map(|(topic, next)| Position { topic: topic.into(), next, at: 0 });
        compare(kind, "id", position.as_ref(), range)
    }

    #[test]
    fn a_state_goes_on_at_its_position_and_a_missing_one_begins_at_the_first_record() {
        for kind in [StoreKind::KeyValue, StoreKind::Table, WINDOWED] {
            assert_eq!(begin(kind, Some(("id", 7)), (0, 9)), RestoreStart::At(7));
            assert_eq!(begin(kind, Some(("id", 9)), (0, 9)), RestoreStart::At(9), "nothing is missing");
            assert_eq!(begin(kind, Some(("id", 7)), (7, 9)), RestoreStart::At(7), "it has what was deleted");
            assert_eq!(begin(kind, None, (0, 9)), RestoreStart::Anew(None));
            assert!(matches!(begin(kind, Some(("other", 7)), (0, 9)), RestoreStart::Anew(Some(_))));
        }
    }

    #[test]
    fn a_changelog_that_ends_before_the_state_has_lost_committed_records() {
        for kind in [StoreKind::KeyValue, StoreKind::Table, WINDOWED] {
            assert_eq!(begin(kind, Some(("id", 10)), (0, 9)), RestoreStart::EndIsLost { position: 10 });
            assert!(
                matches!(begin(kind, Some(("other", 10)), (0, 9)), RestoreStart::Anew(Some(_))),
                "of another topic"
            );
        }
        let before_ids = Position { topic: NO_ID.into(), next: 10, at: 0 };
        let found = compare(StoreKind::Table, NO_ID, Some(&before_ids), (0, 9));
        assert!(matches!(found, RestoreStart::Anew(Some(_))), "it may be another topic: {found:?}");
    }

    #[test]
    fn only_windows_move_the_start_of_their_changelog() {
        for kind in [StoreKind::KeyValue, StoreKind::Table] {
            assert_eq!(begin(kind, None, (3, 9)), RestoreStart::StartIsLost);
            assert_eq!(begin(kind, Some(("id", 2)), (3, 9)), RestoreStart::StartIsLost);
            assert_eq!(begin(kind, Some(("other", 7)), (3, 9)), RestoreStart::StartIsLost);
        }
        assert_eq!(begin(WINDOWED, None, (3, 9)), RestoreStart::Anew(None));
        assert!(matches!(begin(WINDOWED, Some(("id", 2)), (3, 9)), RestoreStart::Anew(Some(_))));
        assert_eq!(begin(WINDOWED, Some(("id", 8)), (9, 9)), RestoreStart::At(9), "all has expired");
    }
}
