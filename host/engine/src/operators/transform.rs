//! Transform: filter, map, branch, flat-map.
//!
//! An old row of a table, on its way to an aggregate that subtracts it, goes through the rule as it did when it was
//! new, and the aggregate subtracts the outputs. If the rule fails or skips the row, it did so then, and that was
//! counted.

use crate::calls;
use crate::logic::Logic;
use crate::ports::{Effect, Message, Outcome};
use crate::row::Row;
use crate::step::{Item, Parent, Step, TaskError};
use crate::topology::Call;

/// Transforms items call by call until the budget of the pass is used up, and requeues the rest.
pub(super) fn process(
    step: &mut Step<'_>,
    items: Vec<Item>,
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let mut rest = items;
    while !rest.is_empty() && !step.is_full() {
        let items = calls::piece(&rest, step.call_size(), &|item: &Item| item.record.size());
        let later = rest.split_off(items);
        part(step, std::mem::replace(&mut rest, later), call, logic)?;
        step.adapt_call_size(items);
    }
    step.requeue(rest);
    Ok(())
}

fn part(step: &mut Step<'_>, items: Vec<Item>, call: &Call, logic: &mut dyn Logic) -> Result<(), TaskError> {
    let is_old = |item: &Item| matches!(item.row, Row::Old { .. });
    // Most pipelines have no old rows, and then no item is moved.
    let (old, now) = if items.iter().any(is_old) { items.into_iter().partition(is_old) } else { (Vec::new(), items) };
    let outcomes = self::call(step, &now, call, logic)?;
    for (item, outcome) in now.iter().zip(outcomes) {
        step.apply_row_outcome(&Parent { path: &item.path, record: &item.record }, item.row, &mut 0, outcome, call)?;
    }
    if old.is_empty() {
        return Ok(());
    }
    // The rule's effects were applied when the row was new.
    let (outcomes, _) = self::outcomes(step, &old, call, logic)?;
    for (item, outcome) in old.iter().zip(outcomes) {
        if let Outcome::Outputs(_) = outcome {
            step.apply_row_outcome(
                &Parent { path: &item.path, record: &item.record },
                item.row,
                &mut 0,
                outcome,
                call,
            )?;
        }
    }
    Ok(())
}

/// Calls a transform function for all items: one outcome each.
pub(super) fn call(
    step: &mut Step<'_>,
    items: &[Item],
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<Vec<Outcome>, TaskError> {
    let (outcomes, effects) = outcomes(step, items, call, logic)?;
    step.effects(effects);
    Ok(outcomes)
}

fn outcomes(
    step: &Step<'_>,
    items: &[Item],
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(Vec<Outcome>, Vec<Effect>), TaskError> {
    let function = step.function(call)?;
    let messages: Vec<Message<'_>> = items.iter().map(|item| item.record.message(step.name_of(item.from))).collect();
    let size = |message: &Message<'_>| calls::bytes_of(message, &call.manifest);
    let called = calls::outcomes(&messages, step.options.batch, size, |piece, attempt| {
        logic.transform(function, piece, attempt)
    });
    let called = called.map_err(|error| step.host_error(error))?;
    Ok((called.result, called.effects))
}
