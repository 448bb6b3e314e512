//! Transform: filter, map, branch, flat-map.

use crate::calls;
use crate::ports::{Logic, Message, Outcome};
use crate::task::{Item, Parent, Step, TaskError};
use crate::topology::Call;

pub(super) fn process(
    step: &mut Step<'_>,
    items: &[Item],
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let outcomes = self::call(step, items, call, logic)?;
    for (item, outcome) in items.iter().zip(outcomes) {
        step.settle(&Parent { path: &item.path, record: &item.record }, outcome, call)?;
    }
    Ok(())
}

/// Calls a transform function for all items; one outcome each.
pub(super) fn call(
    step: &mut Step<'_>,
    items: &[Item],
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<Vec<Outcome>, TaskError> {
    let function = step.function(call)?;
    let messages: Vec<Message<'_>> = items.iter().map(|item| item.record.message(step.name_of(item.from))).collect();
    let size = |message: &Message<'_>| message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len);
    let called = calls::outcomes(&messages, step.options.batch, size, |piece, attempt| {
        logic.transform(function, piece, attempt)
    });
    let called = called.map_err(|error| step.host_error(error))?;
    step.effects(called.effects);
    Ok(called.result)
}
