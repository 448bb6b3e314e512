//! Stream-stream join: records of two streams with the same key, not too far apart in time.
//!
//! As Kafka Streams does it: a record first probes the other side, then is stored itself; both ends of the window are
//! inclusive; matches come out at once, also for records out of order; late records are not dropped, they probe what
//! the other side still has (KAFKA-16123). A record that is larger than a store takes fails (`state-too-large`) and makes
//! no pair.

use super::pairs::{self, Match};
use crate::ports::{Failure, Logic};
use crate::record::{Headers, Timestamp};
use crate::state::keys::WINDOW_KEY_OVERHEAD;
use crate::state::window::WindowStore;
use crate::task::{Item, Record, Step, TaskError};
use crate::topology::{Call, JoinWindow};

const LEFT: usize = 0;

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    window: JoinWindow,
    sides: &mut [WindowStore; 2],
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let [left, right] = sides;
    let mut matches = Vec::with_capacity(items.len());
    for item in items {
        let (own, other) = if item.input == LEFT { (&mut *left, &*right) } else { (&mut *right, &*left) };
        if let Some(failure) = misfit(step, &item, own) {
            step.fail(&item.path, &failure, None)?;
            continue;
        }
        probe(step, &item, window, other, &mut matches)?;
        keep(step, &item, own);
    }
    let names = [step.input_name(LEFT), step.input_name(1)];
    pairs::join(step, &matches, names, call, logic)
}

/// Why a record can't be kept, if it is too large for that.
fn misfit(step: &Step<'_>, item: &Item, own: &WindowStore) -> Option<Failure> {
    let (key, value) = (item.record.key.as_ref()?, item.record.value.as_ref()?);
    step.misfit_of_state(own.id(), key.len() + WINDOW_KEY_OVERHEAD, value.len())
}

/// Finds what the other side has for a record.
fn probe(
    step: &mut Step<'_>,
    item: &Item,
    window: JoinWindow,
    other: &WindowStore,
    matches: &mut Vec<Match>,
) -> Result<(), TaskError> {
    let record = &item.record;
    let Some(key) = &record.key else {
        step.leave_out(&item.path, "null-key", "a join needs a key, and the record has none", step.node.on_null_key);
        return Ok(());
    };
    if record.value.is_none() {
        step.leave_out(&item.path, "null-value", "an inner join has no use for a null value", Default::default());
        return Ok(());
    }
    let (earlier, later) = match item.input {
        LEFT => (window.before, window.after),
        _ => (window.after, window.before),
    };
    let from = record.timestamp.saturating_sub(earlier).max(0);
    let to = record.timestamp.saturating_add(later).max(0);
    let mut child = 0;
    other.fetch(step.state, key, from, to, &mut |timestamp, value| {
        let stored = Record {
            key: Some(key.clone()),
            value: Some(value.clone()),
            timestamp,
            headers: Headers::EMPTY,
            window: None,
        };
        matches.push(pair(item, stored, child));
        child += 1;
    })?;
    Ok(())
}

fn pair(item: &Item, stored: Record, child: u32) -> Match {
    let record = &item.record;
    let timestamp: Timestamp = record.timestamp.max(stored.timestamp);
    let result =
        Record { key: record.key.clone(), value: None, timestamp, headers: record.headers.clone(), window: None };
    let path = item.path.child(child);
    let (left, right) = if item.input == LEFT { (record.clone(), stored) } else { (stored, record.clone()) };
    Match { path, left: Some(left), right: Some(right), result }
}

fn keep(step: &mut Step<'_>, item: &Item, own: &mut WindowStore) {
    if let (Some(key), Some(value)) = (&item.record.key, &item.record.value)
        && !own.put(step.state, key, item.record.timestamp, value)
    {
        step.ledger.count(&step.node.name, crate::ledger::What::Dropped, "late", 1);
    }
}
