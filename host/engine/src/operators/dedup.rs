//! Dedup: leaves out what has come before.
//!
//! A record is a duplicate of another one with the same identity whose time is no further from its own than `within`,
//! before or after. Of these the one that comes first passes, and it alone counts: a duplicate is dropped (`duplicate`)
//! and doesn't make the time longer in which others are. The identity is the first of those listed that is there: the
//! value of a header, or a field of the JSON value: a string by its characters, however they are escaped, anything else as
//! its text stands there, so that `1`, `1.0` and `"1"` differ. A record without any passes, and is counted (`no-identity`).
//!
//! A record that is more than `within` older than the step's stream time can't be compared with all that has come: if it
//! is no duplicate of what is still known, it is late.
//!
//! Null keys and values are no different from others. An identity that is larger than a store takes fails
//! (`state-too-large`). Kafka Streams 4.3 has no such operator.

use std::borrow::Cow;

use bytes::Bytes;

use crate::json;
use crate::ledger::{Fate, What};
use crate::record::Record;
use crate::state::dedup::DedupStore;
use crate::state::keys::WINDOW_KEY_OVERHEAD;
use crate::step::{Item, Step, TaskError, UnusableRecord};
use crate::topology::{Identity, LATE_PORT};

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    by: &[Identity],
    within: i64,
    store: &mut DedupStore,
) -> Result<(), TaskError> {
    for item in items {
        let Some(identity) = by.iter().find_map(|identity| read(&item.record, identity)) else {
            step.ledger.count(&step.node.name, What::Noted, "no-identity", 1);
            step.emit(&item.path, &mut 0, 0, item.record);
            continue;
        };
        if let Some(failure) = step.entry_too_large(store.id(), identity.len() + WINDOW_KEY_OVERHEAD, 0) {
            step.fail(&item.path, &failure, None)?;
            continue;
        }
        let time = item.record.timestamp;
        let (from, to) = (time.saturating_sub(within), time.saturating_add(within));
        store.observe(time);
        if store.contains(step.state, &identity, from, to)? {
            let why = "a record with the same identity has come before, within the step's time";
            step.drop_record(&item.path, "duplicate", 1, why, Fate::Dropped(None));
        } else if store.covers(from) {
            store.insert(step.state, &identity, time);
            step.emit(&item.path, &mut 0, 0, item.record);
        } else {
            late(step, item);
        }
    }
    Ok(())
}

/// An identity of a record, if it has it.
fn read(record: &Record, identity: &Identity) -> Option<Bytes> {
    match identity {
        Identity::Header(name) => record.headers.last(name.as_bytes())?.value.clone(),
        Identity::Field(name) => {
            let value = record.value.as_ref()?;
            Some(match json::identity(json::field(value, name)?) {
                Cow::Borrowed(text) => value.slice_ref(text),
                Cow::Owned(text) => text.into(),
            })
        }
    }
}

fn late(step: &mut Step<'_>, item: Item) {
    if step.node.edges.iter().any(|edge| edge.port == LATE_PORT) {
        step.emit(&item.path, &mut 0, LATE_PORT, item.record);
    } else {
        let text = "what it would have to be compared with is not kept any more";
        step.reject(&item.path, UnusableRecord::late(step.node, text));
    }
}
