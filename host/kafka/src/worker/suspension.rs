//! Whether tasks that were kept open over a rebalance may go on where they stand.
//!
//! Their committed offsets alone aren't enough: another member that had a task in between may have committed without
//! moving one, where timers fired or a run went on. No other member can have had it if the group has made no other
//! assignment in between, so the worker compares the numbers of generations. It doesn't receive each of them: a
//! generation whose assignment never arrives, or whose numbers of partitions can't be looked up, is over before workers
//! get its tasks.

use std::time::{Duration, Instant};

/// How long a suspended task can be kept: less than any session, after which the group gives it to another member
/// without asking. Brokers allow none below 6 s (`group.min.session.timeout.ms`).
const SUSPENDED_TASK_TTL: Duration = Duration::from_secs(5);

/// Tasks wait for an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspension {
    since: Instant,
    /// The generation in which they worked last, if there was one.
    generation: Option<i32>,
}

impl Suspension {
    /// From now on, after work in this generation.
    pub(super) fn new(generation: Option<i32>, now: Instant) -> Self {
        Self { since: now, generation }
    }

    /// Whether a task that is assigned in this generation may go on where it stands.
    pub(super) fn may_go_on(&self, generation: Option<i32>, now: Instant) -> bool {
        let is_next = self.generation.is_some_and(|last| last >= 0 && generation == last.checked_add(1));
        is_next && now.saturating_duration_since(self.since) <= SUSPENDED_TASK_TTL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspended_task_stays_open_only_if_the_group_has_made_no_other_assignment_in_between() {
        let now = Instant::now();
        let suspension = Suspension::new(Some(7), now);
        assert!(suspension.may_go_on(Some(8), now));
        assert!(!suspension.may_go_on(Some(9), now), "another member may have had it in 8");
        assert!(!suspension.may_go_on(Some(1), now), "the group was made anew");
        assert!(!suspension.may_go_on(Some(-1), now) && !suspension.may_go_on(None, now));
        for unknown in [None, Some(-1)] {
            assert!(!Suspension::new(unknown, now).may_go_on(Some(0), now));
        }
    }

    #[test]
    fn a_task_that_was_suspended_for_longer_than_a_session_does_not_stay_open() {
        let now = Instant::now();
        let suspension = Suspension::new(Some(7), now);
        assert!(suspension.may_go_on(Some(8), now + SUSPENDED_TASK_TTL));
        assert!(!suspension.may_go_on(Some(8), now + SUSPENDED_TASK_TTL + Duration::from_millis(1)));
    }
}
