//! The life of an instance.
//!
//! ```text
//!                      assigned             all tasks open
//!   created ▶ rebalancing ───▶ restoring ─────────────────▶ running ◀─▶ degraded
//!                 ▲                │ partitions revoked, or    │
//!                 └────────────────┴── a transaction failed ───┤
//!                                                   told to stop
//!                                                              ▼
//!                      failed ◀── can't go on (anywhere)    draining ▶ stopped
//! ```

use std::fmt;

/// The state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It gets to know the cluster, and checks topics and folder.
    Created,
    /// It waits for the group's assignment.
    Rebalancing,
    /// It brings local state up to date.
    Restoring,
    /// It processes records.
    Running,
    /// It processes records, but not all that there are: an input is missing, or a partition of its own can't be read.
    Degraded,
    /// It stops, and commits the open transactions.
    Draining,
    /// It has left the group.
    Stopped,
    /// It can't go on.
    Failed,
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Created => "created",
            Self::Rebalancing => "rebalancing",
            Self::Restoring => "restoring",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

impl State {
    /// The state after this one, where `wanted` comes next: an end is final, and a draining instance only stops.
    pub(crate) fn towards(self, wanted: Self) -> Self {
        match (self, wanted) {
            (Self::Stopped | Self::Failed, _) => self,
            (Self::Draining, Self::Stopped | Self::Failed) => wanted,
            (Self::Draining, _) => self,
            _ => wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Draining, Failed, Rebalancing, Restoring, Running, Stopped};

    #[test]
    fn a_draining_instance_comes_to_an_end_and_an_end_is_final() {
        assert_eq!(Running.towards(Rebalancing), Rebalancing);
        assert_eq!(Restoring.towards(Failed), Failed);
        assert_eq!(Draining.towards(Running), Draining);
        assert_eq!(Draining.towards(Stopped), Stopped);
        assert_eq!(Stopped.towards(Running), Stopped);
        assert_eq!(Failed.towards(Stopped), Failed);
    }
}
