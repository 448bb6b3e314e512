//! Process: record by record, with stores of its own. A record that leaves an entry there that is larger than a store
//! takes fails (`state-too-large`).

use crate::calls;
use crate::ports::{Attempt, CallError, Called, Failure, FunctionId, Logic, Outcome, StoreId};
use crate::state::{ProcessScope, TaskState};
use crate::task::{Item, Parent, Step, TaskError};
use crate::topology::Call;

pub(super) fn process(
    step: &mut Step<'_>,
    items: &[Item],
    stores: &[StoreId],
    call: &Call,
    logic: &mut dyn Logic,
) -> Result<(), TaskError> {
    let function = step.function(call)?;
    for item in items {
        let outcome = match attempt(step, item, stores, function, logic, Attempt::Batch) {
            Err(CallError::Guest { .. }) => attempt(step, item, stores, function, logic, Attempt::Verdict),
            other => other,
        };
        let outcome = match outcome {
            Ok(called) => {
                step.effects(called.effects);
                called.result
            }
            Err(error) => Outcome::Fail(calls::fault(error).map_err(|error| step.host_error(error))?),
        };
        step.settle(&Parent { path: &item.path, record: &item.record }, outcome, call)?;
    }
    Ok(())
}

/// One call; its writes stay only if the outcome is good.
fn attempt(
    step: &mut Step<'_>,
    item: &Item,
    stores: &[StoreId],
    function: FunctionId,
    logic: &mut dyn Logic,
    attempt: Attempt,
) -> Result<Called<Outcome>, CallError> {
    let message = item.record.message(step.name_of(item.from));
    let state = std::mem::replace(step.state, TaskState::lent());
    let scope = ProcessScope::new(state, stores.to_vec(), None);
    let (mut outcome, scope) = logic.process(function, message, scope, attempt);
    if let Ok(called) = &mut outcome
        && let Some(failure) = misfit(step, &scope)
    {
        called.result = Outcome::Fail(failure);
    }
    let good = matches!(&outcome, Ok(called) if !matches!(called.result, Outcome::Fail(_)));
    (*step.state, _) = scope.into_parts(good);
    outcome
}

/// Why what a call has written can't stay, if something is too large.
fn misfit(step: &Step<'_>, scope: &ProcessScope) -> Option<Failure> {
    if step.options.state_bytes == usize::MAX {
        return None;
    }
    scope.written().find_map(|(store, key, value)| step.misfit_of_state(store, key, value))
}
