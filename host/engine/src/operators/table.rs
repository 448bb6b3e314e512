//! Table: keeps the latest value of each key, in the order of offsets. A record whose row is too large for a store
//! fails (`state-too-large`), and the old row stays.
//!
//! The step emits every record, including tombstones without a row. To an aggregate, it first emits the old row, which
//! the aggregate subtracts. The old row keeps its own time, so that rules in between see the same record as when it was
//! new.

use std::collections::VecDeque;

use bytes::Bytes;

use super::pairs::decoded;
use crate::path::Path;
use crate::ports::StoreId;
use crate::record::{Headers, Record, Timestamp};
use crate::row::Row;
use crate::state::keys::encode_row;
use crate::step::{Item, Step, TaskError, UnusableRecord};
use crate::topology::{Operator, SubTopology};

pub(super) fn process(step: &mut Step<'_>, items: Vec<Item>, store: StoreId) -> Result<(), TaskError> {
    let is_read = is_read(step.shape, store);
    let tells_old = step.node.edges.iter().any(|edge| edge.changes);
    let mut items = VecDeque::from(items);
    // The old row of a tombstone may be large.
    while !step.is_full()
        && let Some(Item { path, record, .. }) = items.pop_front()
    {
        let Some(key) = record.key.clone() else {
            let text = "a table needs a key, and the record has none";
            step.reject(&path, UnusableRecord::null_key(step.node, text));
            continue;
        };
        let row = record.value.as_ref().map(|value| encode_row(record.timestamp, record.window, value));
        let too_large = row.as_ref().and_then(|row| step.entry_too_large(store, key.len(), row.len()));
        if let Some(failure) = too_large {
            step.fail(&path, &failure, None)?;
            continue;
        }
        let old = if tells_old { old_row(step, store, &key, &path)? } else { None };
        if is_read {
            step.progress.versions.write(store, key.clone(), path.clone(), row);
        } else {
            step.state.put(store, key.clone(), row);
        }
        let mut child = 0;
        if let Some((timestamp, value)) = old {
            let (key, value) = (Some(key), Some(value));
            let old = Record { key, value, timestamp, headers: Headers::EMPTY, window: None };
            step.emit_row(&path, &mut child, 0, old, Row::Old { until: record.timestamp });
        }
        let row = if record.value.is_some() { Row::New } else { Row::Gone };
        step.emit_row(&path, &mut child, 0, record, row);
    }
    step.requeue(items);
    Ok(())
}

fn old_row(step: &Step<'_>, store: StoreId, key: &Bytes, path: &Path) -> Result<Option<(Timestamp, Bytes)>, TaskError> {
    let row = step.progress.versions.read(step.state, store, key, path)?;
    row.map(|row| decoded(&row, &step.node.name)).transpose()
}

/// Whether another node reads a table: then a run keeps [versions](crate::state::table) of its rows.
pub(crate) fn is_read(shape: &SubTopology, store: StoreId) -> bool {
    shape.nodes.iter().any(|node| reads(&node.operator, store))
}

fn reads(operator: &Operator, store: StoreId) -> bool {
    match operator {
        Operator::Lookup { table, .. } => table.store == store,
        Operator::TableJoin { left, right, .. } => left.store == store || right.store == store,
        _ => false,
    }
}
