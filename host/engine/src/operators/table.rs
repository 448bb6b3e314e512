//! Table: the latest value of each key, in the order of offsets. A record whose row is larger than a store takes fails
//! (`state-too-large`), and the row before it stays.

use crate::state::keys::encode_row;
use crate::task::{Item, Step, TaskError};
use crate::topology::Operator;

use crate::ports::StoreId;

pub(super) fn process(step: &mut Step<'_>, items: Vec<Item>, store: StoreId) -> Result<(), TaskError> {
    let is_read = step.shape.nodes.iter().any(|node| reads(&node.operator, store));
    for item in items {
        let Some(key) = item.record.key.clone() else {
            step.leave_out(
                &item.path,
                "null-key",
                "a table needs a key, and the record has none",
                step.node.on_null_key,
            );
            continue;
        };
        let row = item.record.value.as_ref().map(|value| encode_row(item.record.timestamp, value));
        let misfit = row.as_ref().and_then(|row| step.misfit_of_state(store, key.len(), row.len()));
        if let Some(failure) = misfit {
            step.fail(&item.path, &failure, None)?;
            continue;
        }
        if is_read {
            step.progress.versions.write(store, key, item.path.clone(), row);
        } else {
            step.state.put(store, key, row);
        }
        step.emit(&item.path, &mut 0, 0, item.record);
    }
    Ok(())
}

fn reads(operator: &Operator, store: StoreId) -> bool {
    match operator {
        Operator::Lookup { table, .. } => table.store == store,
        Operator::TableJoin { left, right, .. } => left.store == store || right.store == store,
        _ => false,
    }
}
