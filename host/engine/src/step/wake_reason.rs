//! Reasons for a run without records.

/// Why a run without records wakes the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakeReason {
    /// The driver's clock has advanced, to the `arrived` of the run's only record. That record is a placeholder, and in
    /// no queue.
    Tick,
    /// A commit follows.
    Commit,
    /// The input has ended: stream time advances to its end.
    Close,
}
