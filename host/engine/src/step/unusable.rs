//! Records that an operator has no use for: why, and what becomes of them.

use crate::topology::{Node, OnDrop};

/// A record that an operator has no use for.
pub(crate) struct UnusableRecord<'t> {
    /// The code in counters and dead letters.
    pub(crate) code: &'static str,
    /// Why it has none.
    pub(crate) text: &'t str,
    /// What becomes of it.
    pub(crate) action: UnusableAction,
}

/// What becomes of a record that an operator has no use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnusableAction {
    /// What this setting of the step says.
    Set(&'static str, OnDrop),
    /// It is dropped.
    Drop,
    /// It is a dead letter.
    DeadLetter,
}

impl<'t> UnusableRecord<'t> {
    /// One without a key, at a node that needs it.
    pub(crate) fn null_key(node: &Node, text: &'t str) -> Self {
        Self { code: "null-key", text, action: UnusableAction::Set("on-null-key", node.on_null_key) }
    }

    /// One without a value, at a node that needs it.
    pub(crate) fn null_value(text: &'t str) -> Self {
        Self { code: "null-value", text, action: UnusableAction::Drop }
    }

    /// One that comes too late for a node.
    pub(crate) fn late(node: &Node, text: &'t str) -> Self {
        Self { code: "late", text, action: UnusableAction::Set("on-late", node.on_late) }
    }
}
