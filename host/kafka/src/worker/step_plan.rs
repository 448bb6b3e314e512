//! How the next part of a task's work goes into a transaction.

/// The uncommitted work of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uncommitted {
    /// Nothing.
    Nothing,
    /// Tasks have changed their state. No broker knows of it.
    Changes,
    /// A transaction is open, which the broker ends when it gets too old.
    Transaction,
}

/// How the next part goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepPlan {
    /// Uncommitted work is committed before it.
    CommitFirst,
    /// It may take as long as a transaction has time.
    Limited,
    /// It may take as long as the limits of its rules allow.
    Unlimited,
}

impl StepPlan {
    /// The plan for a part of so many records or timers; `alone`: whether it has to have a transaction for itself.
    pub(super) fn of(alone: bool, records: usize, uncommitted: Uncommitted) -> Self {
        match uncommitted {
            Uncommitted::Changes | Uncommitted::Transaction if alone => Self::CommitFirst,
            Uncommitted::Transaction => Self::Limited,
            _ if records > 1 => Self::Limited,
            _ => Self::Unlimited,
        }
    }
}
