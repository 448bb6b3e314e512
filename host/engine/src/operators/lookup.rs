//! Lookup: each record of a stream with the row of a table, as the table is at that moment.
//!
//! A record without a value is left out and counted, also in a left lookup, and so is one without a key in an inner one;
//! in a left one it finds no row.

use super::pairs::{self, Match};
use crate::ledger::What;
use crate::ports::Logic;
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
        let row = match (&item.record.key, &item.record.value) {
            (None, Some(_)) if kind != JoinKind::Inner => None,
            (None, _) => {
                let text = "a lookup needs a key, and the record has none";
                step.leave_out(&item.path, "null-key", text, step.node.on_null_key);
                continue;
            }
            (_, None) => {
                step.leave_out(&item.path, "null-value", "a lookup has no use for a null value", Default::default());
                continue;
            }
            (Some(key), Some(_)) => pairs::row(step, table, key, &item.path)?,
        };
        if row.is_none() && kind == JoinKind::Inner {
            step.ledger.count(&step.node.name, What::Dropped, "no-row", 1);
            continue;
        }
        // The stream record's time is the result's (Kafka Streams, stream-table join).
        let result = Record { value: None, ..item.record.clone() };
        matches.push(Match { path: item.path, left: Some(item.record), right: row, result });
    }
    let names = [step.input_name(0), table.name.as_str()];
    pairs::join(step, &matches, names, call, logic)
}
