//! Reasons for a step to put out something without a record.

/// What makes steps put out something without a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakeReason {
    /// The driver's clock has moved: to the `arrived` of the run's only record, which stands for the moment and is at no
    /// node.
    Tick,
    /// A commit follows.
    Commit,
    /// Nothing more will come: what waits for time to pass needn't wait any longer.
    Close,
}
