//! Dedup: drops duplicates.
//!
//! Two records with the same identity are duplicates if their times are at most `within` apart. The step emits the
//! first record that it processes and drops later ones (`duplicate`). Only emitted records count: a duplicate doesn't
//! extend the time. The identity is the first one of the list that the record has: the value of a header, or a field of
//! the JSON value. A string counts by its characters, however they are escaped, any other value by its text: `1`, `1.0`
//! and `"1"` differ. A record without an identity is emitted, and counted (`no-identity`).
//!
//! If a record is more than `within` older than the step's stream time, identities that it might duplicate may have
//! expired. Unless it is a duplicate of a live one, it is late.
//!
//! Records with null keys or values are treated like others. A record fails if its identity is too large for a store
//! (`state-too-large`). Kafka Streams 4.3 has no such operator.

use std::borrow::Cow;

use bytes::Bytes;

use crate::json;
use crate::ledger::{CounterKind, Fate};
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
            step.ledger.count(&step.node.name, CounterKind::Noted, "no-identity", 1);
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
            let why = "an earlier record within the step's time has the same identity";
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

/// An identity of a record, if the record has it.
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
        let text = "the record is late: identities from its time may have expired";
        step.reject(&item.path, UnusableRecord::late(step.node, text));
    }
}
