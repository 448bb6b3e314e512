//! The operators. Each processes the queued items of its node, in order.

mod aggregate;
mod bounds;
mod dedup;
mod late;
mod lookup;
mod memory;
mod pairs;
mod process;
mod sink;
mod source;
mod stream_join;
mod table;
mod table_join;
mod transform;

use crate::event_time::TimestampExtractor;
use crate::logic::Logic;
use crate::step::{Item, Step, TaskError, WakeReason};
use crate::topology::Operator;
pub(crate) use aggregate::PendingResult;
pub(crate) use memory::NodeMemory;
pub(crate) use table::is_read;

/// Runs a node's operator.
pub(crate) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    memory: &mut NodeMemory,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let node = step.node;
    match &node.operator {
        Operator::Source { topic, key, value, timestamp, on_bad_time, ahead, validate } => source::Source {
            topic: *topic,
            codecs: (*key, *value),
            extractor: TimestampExtractor { event: timestamp.clone(), ahead: *ahead },
            on_bad_time: *on_bad_time,
            validate: validate.as_ref(),
        }
        .process(step, items, logic),
        Operator::Table { store } => table::process(step, items, *store),
        Operator::Transform { call } => transform::process(step, items, call, logic),
        Operator::Merge => {
            pass_on(step, items);
            Ok(())
        }
        Operator::StreamJoin { kind, window, call, .. } => match memory {
            NodeMemory::Join(store) => stream_join::process(step, items, (*kind, *window), store, call, logic),
            _ => Ok(()),
        },
        Operator::Lookup { kind, table, call } => lookup::process(step, items, *kind, table, call, logic),
        Operator::TableJoin { kind, left, right, call } => {
            table_join::process(step, items, *kind, [left, right], call, logic)
        }
        Operator::Aggregate { call, .. } => aggregate::process(step, items, memory, call, logic),
        Operator::Process { stores, call, .. } => {
            process::Process { stores, timers: memory.timers(), call }.records(step, items, logic)
        }
        Operator::Dedup { by, within, .. } => match memory {
            NodeMemory::Dedup(store) => dedup::process(step, items, by, *within, store),
            _ => Ok(()),
        },
        Operator::Repartition { topic } => sink::repartition(step, items, *topic),
        Operator::Sink { topic, key } => sink::process(step, items, *topic, *key),
    }
}

/// Wakes a node in a run without records.
pub(crate) fn wake(
    step: &mut Step<'_>,
    wake: WakeReason,
    memory: &mut NodeMemory,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    match (&step.node.operator, wake) {
        (Operator::Process { stores, call, .. }, WakeReason::Tick) => {
            let now = step.now();
            process::Process { stores, timers: memory.timers(), call }.tick(step, now, logic)
        }
        (Operator::Aggregate { .. }, WakeReason::Commit) => {
            aggregate::flush(step, memory);
            Ok(())
        }
        (Operator::Aggregate { call, .. }, WakeReason::Close) => aggregate::close(step, memory, call, logic),
        (Operator::StreamJoin { window, call, .. }, WakeReason::Close) => match memory {
            NodeMemory::Join(store) => stream_join::close(step, *window, store, call, logic),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Emits every item as it is.
fn pass_on(step: &mut Step<'_>, items: Vec<Item>) {
    for item in items {
        step.emit_row(&item.path, &mut 0, 0, item.record, item.row);
    }
}
