//! Lookup: joins each record of a stream with the current row of a table.
//!
//! Records without a value are dropped and counted, also in a left lookup. Records without a key are dropped in an
//! inner lookup, and find no row in a left lookup.

use std::collections::VecDeque;

use super::pairs::{self, JoinPair, PendingPairs};
use crate::ledger::Fate;
use crate::logic::Logic;
use crate::record::Record;
use crate::step::{Item, Step, TaskError, UnusableRecord};
use crate::topology::{Call, JoinKind, TableUse};

pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    kind: JoinKind,
    table: &TableUse,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let names = [step.input_name(0), table.name.as_str()];
    let (mut items, mut pending) = (VecDeque::from(items), PendingPairs::default());
    while !step.is_full()
        && let Some(item) = items.pop_front()
    {
        let row = match (&item.record.key, &item.record.value) {
            (None, Some(_)) if kind != JoinKind::Inner => None,
            (None, _) => {
                let text = "a lookup needs a key, and the record has none";
                step.reject(&item.path, UnusableRecord::null_key(step.node, text));
                continue;
            }
            (_, None) => {
                step.reject(&item.path, UnusableRecord::null_value("a lookup has no use for a null value"));
                continue;
            }
            (Some(key), Some(_)) => pairs::row(step, table, key, &item.path)?,
        };
        if row.is_none() && kind == JoinKind::Inner {
            let why = format_args!("the table `{}` has no row with the record's key", table.name);
            step.drop_record(&item.path, "no-row", 1, why, Fate::Dropped(None));
            continue;
        }
        // The result has the stream record's time, as in Kafka Streams' stream-table join.
        let result = Record { value: None, ..item.record.clone() };
        pending.push(JoinPair { path: item.path, left: Some(item.record), right: row, result });
        if pending.is_full(step) {
            pairs::join(step, &mut pending, names, call, logic)?;
        }
    }
    pairs::join(step, &mut pending, names, call, logic)?;
    step.requeue(items);
    Ok(())
}
