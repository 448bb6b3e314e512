//! Late records.

use crate::step::{Item, Step, UnusableRecord};
use crate::topology::LATE_PORT;

/// Emits a late record at the late port, if that has edges; otherwise does what the step's `on-late` says. `child` is
/// the number of the record's next child.
pub(super) fn reject(step: &mut Step<'_>, item: &Item, child: &mut u32, why: &str) {
    if step.node.edges.iter().any(|edge| edge.port == LATE_PORT) {
        step.emit(&item.path, child, LATE_PORT, item.record.clone());
    } else {
        step.reject(&item.path, UnusableRecord::late(step.node, why));
    }
}
