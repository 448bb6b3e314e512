//! Table-table join: joins the current rows of two tables with the same key.
//!
//! As in Kafka Streams: each record of either table makes a new row of the result, at the later of both times. If a
//! required side is missing, the join deletes the row without a call, and emits the tombstone at all ports, because the
//! port of the row isn't known. It does so even if there was no row, unless both sides are missing and were missing
//! before. A record that makes no row isn't lost: its table keeps it.

use std::collections::VecDeque;

use super::pairs::{self, JoinPair, PendingPairs};
use crate::logic::Logic;
use crate::record::Record;
use crate::step::{Item, Step, TaskError};
use crate::topology::{Call, JoinKind, TableUse};

const LEFT: usize = 0;

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    kind: JoinKind,
    [left, right]: [&TableUse; 2],
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let names = [left.name.as_str(), right.name.as_str()];
    let (mut items, mut pending) = (VecDeque::from(items), PendingPairs::default());
    while !step.is_full()
        && let Some(item) = items.pop_front()
    {
        let Some(key) = &item.record.key else { continue };
        let (own, other) = if item.input == LEFT { (left, right) } else { (right, left) };
        let stored = pairs::row(step, other, key, &item.path)?;
        if stored.is_none() && !emits_alone(kind, item.input) {
            continue;
        }
        let time = stored.as_ref().map_or(item.record.timestamp, |row| row.timestamp.max(item.record.timestamp));
        let result = Record { value: None, timestamp: time, window: None, ..item.record.clone() };
        let is_there = item.record.value.is_some();
        if is_there || (stored.is_some() && emits_alone(kind, 1 - item.input.min(1))) {
            let record = is_there.then_some(item.record);
            let (left, right) = if item.input == LEFT { (record, stored) } else { (stored, record) };
            pending.push(JoinPair { path: item.path, left, right, result });
        } else if stored.is_some() || pairs::row(step, own, key, &item.path.parent())?.is_some() {
            let mut child = 0;
            for port in 0..call.manifest.ports.len() {
                step.emit(&item.path, &mut child, port, result.clone());
            }
        }
        if pending.is_full(step) {
            pairs::join(step, &mut pending, names, call, logic)?;
        }
    }
    pairs::join(step, &mut pending, names, call, logic)?;
    step.requeue(items);
    Ok(())
}

/// Whether the join emits rows of an input that have no match.
fn emits_alone(kind: JoinKind, input: usize) -> bool {
    match kind {
        JoinKind::Inner => false,
        JoinKind::Left => input == LEFT,
        JoinKind::Outer => true,
    }
}
