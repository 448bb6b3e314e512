//! Lookup: each record of a stream with the row of a table, as the table is at that moment.

use super::pairs::{self, Match};
use crate::ports::{BackendError, Logic};
use crate::record::Headers;
use crate::state::keys::decode_row;
use crate::task::{Item, Record, Step, TaskError};
use crate::topology::{Call, JoinKind, TableUse};

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    kind: JoinKind,
    table: &TableUse,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let mut matches = Vec::with_capacity(items.len());
    for item in items {
        let row = match &item.record.key {
            None if kind == JoinKind::Inner => {
                let text = "a lookup needs a key, and the record has none";
                step.leave_out(&item.path, "null-key", text, step.node.on_null_key);
                continue;
            }
            None => None,
            Some(_) if item.record.value.is_none() => {
                step.leave_out(&item.path, "null-value", "a lookup has no use for a null value", Default::default());
                continue;
            }
            Some(key) => {
                let row = step.progress.versions.read(step.state, table.store, key, &item.path)?;
                row.map(|row| decode_row(&row).ok_or_else(|| corrupt(&table.name))).transpose()?
            }
        };
        if row.is_none() && kind == JoinKind::Inner {
            step.ledger.count(&step.node.name, crate::ledger::What::Dropped, "no-row", 1);
            continue;
        }
        matches.push(pair(item, row));
    }
    let names = [step.input_name(0), table.name.as_str()];
    pairs::join(step, &matches, names, call, logic)
}

/// The stream record's time is the result's (Kafka Streams, stream-table join).
fn pair(item: Item, row: Option<(i64, bytes::Bytes)>) -> Match {
    let Item { path, record, .. } = item;
    let right = row.map(|(timestamp, value)| Record {
        key: record.key.clone(),
        value: Some(value),
        timestamp,
        headers: Headers::EMPTY,
        window: None,
    });
    let result = Record { value: None, ..record.clone() };
    Match { path, left: Some(record), right, result }
}

fn corrupt(table: &str) -> BackendError {
    BackendError { store: table.into(), reason: "a row is shorter than its header".into() }
}
