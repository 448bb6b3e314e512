//! How a step ends a pass: see [`super::progress`].

use super::{Item, Remainder, Step, WakeReason};
use crate::path::Path;
use crate::state::budget::Budget;
use crate::state::timers::TimerCursor;

impl Step<'_> {
    /// Whether the pass ends before all of the run is done.
    pub(crate) fn is_cut(&self) -> bool {
        self.progress.cut.is_some()
    }

    /// What the step may still put out and let out in this pass.
    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    /// How many items go into a call of a guest: fewer where what comes of them is large.
    pub(crate) fn call_size(&self) -> usize {
        (*self.call_size).clamp(1, self.options.batch.max(1))
    }

    /// A call with so many items is done.
    pub(crate) fn adapt_call_size(&mut self, items: usize) {
        let most = self.options.pass_bytes.max(1);
        *self.call_size = match self.budget.taken(most) {
            taken if taken > most => (items.saturating_mul(most) / taken).max(1),
            _ => self.call_size().saturating_mul(2),
        };
    }

    /// Whether it has put out, or let out, as much as a pass may hold: what is left is to be [put back](Self::requeue).
    pub(crate) fn is_full(&self) -> bool {
        self.budget.is_full()
    }

    /// It lets out an entry of this many bytes.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.budget.take(bytes);
    }

    /// So much is left of the budget.
    pub(crate) fn set_budget(&mut self, left: Budget) {
        self.budget = left;
    }

    /// Items that wait for the next pass, in order: with them it goes on.
    pub(crate) fn requeue(&mut self, items: impl IntoIterator<Item = Item>) {
        let mut items = items.into_iter().peekable();
        let Some(first) = items.peek().map(|item| item.path.clone()) else { return };
        if let Some(queue) = self.progress.queues.get_mut(self.id.0) {
            queue.extend(items);
        }
        // One that has let a part out already waits behind that.
        let remainder = self.progress.remainders.get(self.id.0).and_then(Option::as_ref);
        if remainder.is_none_or(|remainder| remainder.path != first) {
            self.progress.cut(first);
        }
    }

    /// More is to be let out on account of an item: the next pass begins with it.
    pub(crate) fn set_remainder(&mut self, path: &Path, child: u32, cursor: Option<TimerCursor>) {
        let remainder = Remainder { path: path.clone(), child, cursor };
        self.progress.cut(remainder.place());
        if let Some(place) = self.progress.remainders.get_mut(self.id.0) {
            *place = Some(remainder);
        }
    }

    /// Whether it has yet to let out something because of a commit, and not of a record.
    pub(crate) fn has_commit_remainder(&self) -> bool {
        let remainder = self.progress.remainders.get(self.id.0).and_then(Option::as_ref);
        // No record of such a run has that place: it is the moment's.
        self.progress.wake == Some(WakeReason::Commit)
            && remainder.is_some_and(|remainder| remainder.path == Path::root(0))
    }

    /// Takes what the step has yet to let out.
    pub(crate) fn take_remainder(&mut self) -> Option<Remainder> {
        self.progress.remainders.get_mut(self.id.0)?.take()
    }
}
