//! Records that come too late.

use crate::step::{Item, Step, UnusableRecord};
use crate::topology::LATE_PORT;

/// Leaves a record out that comes too late: it goes out of the port for these if somebody listens there, and else the
/// step's setting says what becomes of it. `child` numbers the children of the record.
pub(super) fn leave(step: &mut Step<'_>, item: &Item, child: &mut u32, why: &str) {
    if step.node.edges.iter().any(|edge| edge.port == LATE_PORT) {
        step.emit(&item.path, child, LATE_PORT, item.record.clone());
    } else {
        step.reject(&item.path, UnusableRecord::late(step.node, why));
    }
}
