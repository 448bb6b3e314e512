//! Records that an operator can't use.

use crate::topology::{Node, OnDrop};

/// Why an operator can't use a record, and what happens to the record.
pub(crate) struct UnusableRecord<'t> {
    /// The code in counters and dead letters.
    pub(crate) code: &'static str,
    /// The reason.
    pub(crate) text: &'t str,
    /// What happens to the record.
    pub(crate) action: UnusableAction,
}

/// What happens to a record that an operator can't use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnusableAction {
    /// This setting of the step decides.
    Set(&'static str, OnDrop),
    /// It is dropped.
    Drop,
    /// It is dead-lettered.
    DeadLetter,
}

impl<'t> UnusableRecord<'t> {
    /// A record without a key, at a node that needs one.
    pub(crate) fn null_key(node: &Node, text: &'t str) -> Self {
        Self { code: "null-key", text, action: UnusableAction::Set("on-null-key", node.on_null_key) }
    }

    /// A record without a value, at a node that needs one.
    pub(crate) fn null_value(text: &'t str) -> Self {
        Self { code: "null-value", text, action: UnusableAction::Drop }
    }

    /// A late record.
    pub(crate) fn late(node: &Node, text: &'t str) -> Self {
        Self { code: "late", text, action: UnusableAction::Set("on-late", node.on_late) }
    }
}
