//! A step's part in a pass: see [`super::progress`].

use super::{Item, Remainder, Step, WakeReason};
use crate::path::Path;
use crate::state::budget::Budget;
use crate::state::timers::TimerCursor;

impl Step<'_> {
    /// Whether the pass ends before the run does.
    pub(crate) fn is_cut(&self) -> bool {
        self.progress.cut.is_some()
    }

    /// What is left of the node's budget for this pass.
    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    /// Number of items in the next guest call: fewer if their outputs are large.
    pub(crate) fn call_size(&self) -> usize {
        (*self.call_size).clamp(1, self.options.batch.max(1))
    }

    /// Adapts the size of the next call, after a call with `items` items.
    pub(crate) fn adapt_call_size(&mut self, items: usize) {
        let most = self.options.pass_bytes.max(1);
        *self.call_size = match self.budget.taken(most) {
            taken if taken > most => (items.saturating_mul(most) / taken).max(1),
            _ => self.call_size().saturating_mul(2),
        };
    }

    /// Whether the budget of the pass is used up: the operator [requeues](Self::requeue) its other items.
    pub(crate) fn is_full(&self) -> bool {
        self.budget.is_full()
    }

    /// Takes an entry of this many bytes from the budget.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.budget.take(bytes);
    }

    /// Replaces the budget by what is left of it.
    pub(crate) fn set_budget(&mut self, left: Budget) {
        self.budget = left;
    }

    /// Requeues items, in order, for the next pass.
    pub(crate) fn requeue(&mut self, items: impl IntoIterator<Item = Item>) {
        let mut items = items.into_iter().peekable();
        let Some(first) = items.peek().map(|item| item.path.clone()) else { return };
        if let Some(queue) = self.progress.queues.get_mut(self.id.0) {
            queue.extend(items);
        }
        // If the first item has a remainder, that comes before it.
        let remainder = self.progress.remainders.get(self.id.0).and_then(Option::as_ref);
        if remainder.is_none_or(|remainder| remainder.path != first) {
            self.progress.cut(first);
        }
    }

    /// Leaves a remainder of an item's outputs, with which the next pass begins.
    pub(crate) fn set_remainder(&mut self, path: &Path, child: u32, cursor: Option<TimerCursor>) {
        let remainder = Remainder { path: path.clone(), child, cursor };
        self.progress.cut(remainder.place());
        if let Some(place) = self.progress.remainders.get_mut(self.id.0) {
            *place = Some(remainder);
        }
    }

    /// Whether the node has a remainder of a commit's outputs, not of a record's.
    pub(crate) fn has_commit_remainder(&self) -> bool {
        let remainder = self.progress.remainders.get(self.id.0).and_then(Option::as_ref);
        // In a run for a commit, no record has this path.
        self.progress.wake == Some(WakeReason::Commit)
            && remainder.is_some_and(|remainder| remainder.path == Path::root(0))
    }

    /// Takes the node's remainder.
    pub(crate) fn take_remainder(&mut self) -> Option<Remainder> {
        self.progress.remainders.get_mut(self.id.0)?.take()
    }
}
