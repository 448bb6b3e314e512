//! Tasks whose records couldn't be written, because a topic is gone, may not be written to, or has no leader.
//!
//! All tasks of a worker share a transaction, so a task that can't write fails the others with it, again and again. No
//! error names the task: all tasks share the dead-letter topic, and only one partition may be affected. So each task
//! that was part of such a transaction has the next one for itself:
//!
//! ```text
//!                failed, with others                committed
//!   together ────────────────────────▶ on trial ────────────────▶ together
//!       ▲  └─ failed, alone ───┐         │   ▲
//!       │                      ▼         │   │ after a while
//!       │                    waiting ◀───┘   │
//!       │                      │   failed    │
//!       │                      └─────────────┘
//!       └── the group has assigned tasks anew
//! ```
//!
//! Tasks that can write lose one commit by it, and the others wait, longer each time. A trial that fails may have kept
//! the worker for long: the wait is as long, so that the other tasks have half of the time. It isn't longer than half a
//! minute, though: where transactions may be open for minutes, a topic that can be written again would be noticed too
//! late.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::tasks::TaskId;

/// How long a task waits before its next trial: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// The most that a task waits because its trial took long.
const TRIAL_WAIT_LIMIT: Duration = Duration::from_secs(30);

/// The tasks of a worker that don't share transactions with others. Mostly none.
#[derive(Default)]
pub(super) struct IsolatedTasks(BTreeMap<TaskId, IsolatedTask>);

#[derive(Default)]
struct IsolatedTask {
    /// How many transactions that it had for itself have failed.
    failures: u32,
    /// When its next trial is; none if at once.
    due: Option<Instant>,
}

/// How a task takes part in transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// It shares transactions with others.
    Together,
    /// It has its next transaction for itself.
    OnTrial,
    /// It does nothing until its next trial.
    Waiting,
}

impl IsolatedTasks {
    /// A transaction of these tasks has failed, after so long, because a record couldn't be written.
    pub(super) fn note_failure(&mut self, tasks: &[TaskId], took: Duration, now: Instant) {
        if let [task] = tasks {
            let trial = self.0.entry(*task).or_default();
            let wait = BACKOFF.0.saturating_mul(1 << trial.failures.min(16)).min(BACKOFF.1);
            trial.failures = trial.failures.saturating_add(1);
            trial.due = Some(now + wait.max(took.min(TRIAL_WAIT_LIMIT)));
            return;
        }
        for task in tasks {
            self.0.entry(*task).or_default();
        }
    }

    /// The task's work is committed.
    pub(super) fn note_commit(&mut self, task: TaskId) {
        self.0.remove(&task);
    }

    /// All tasks share transactions again.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn of(&self, task: TaskId) -> Isolation {
        match self.0.get(&task) {
            None => Isolation::Together,
            Some(IsolatedTask { due: Some(due), .. }) if Instant::now() < *due => Isolation::Waiting,
            Some(_) => Isolation::OnTrial,
        }
    }

    /// Whether a task does nothing until its next trial.
    pub(super) fn is_waiting(&self, task: TaskId) -> bool {
        self.of(task) == Isolation::Waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn task(subtopology: usize) -> TaskId {
        TaskId { subtopology, partition: 0 }
    }

    fn isolations(isolated: &IsolatedTasks) -> [Isolation; 3] {
        [0, 1, 2].map(|number| isolated.of(task(number)))
    }

    #[test]
    fn a_task_that_fails_others_with_it_is_found_and_the_others_share_transactions_again() {
        use Isolation::{OnTrial, Together, Waiting};
        let (mut isolated, now) = (IsolatedTasks::default(), Instant::now());
        assert_eq!(isolations(&isolated), [Together; 3]);
        isolated.note_failure(&[task(0), task(1)], HOUR, now);
        assert_eq!(isolations(&isolated), [OnTrial, OnTrial, Together], "at once: nobody knows which one it is");
        isolated.note_failure(&[task(0)], HOUR, now);
        isolated.note_commit(task(1));
        assert_eq!(isolations(&isolated), [Waiting, Together, Together]);
        isolated.note_failure(&[task(1), task(2)], HOUR, now);
        assert_eq!(isolations(&isolated), [Waiting, OnTrial, OnTrial]);
        isolated.clear();
        assert_eq!(isolations(&isolated), [Together; 3]);
    }

    #[test]
    fn a_task_that_fails_alone_waits_longer_each_time_and_as_long_as_its_trial_took() {
        let (mut isolated, now) = (IsolatedTasks::default(), Instant::now());
        let mut waits = Vec::new();
        for took in [0, 0, 0, 0, 7, 3_600] {
            isolated.note_failure(&[task(0)], Duration::from_secs(took), now);
            waits.extend(isolated.0.values().filter_map(|trial| Some((trial.due? - now).as_secs())));
        }
        assert_eq!(waits, [1, 2, 4, 5, 7, 30]);
        isolated.note_failure(&[task(0)], Duration::ZERO, now - HOUR);
        assert_eq!(isolated.of(task(0)), Isolation::OnTrial, "when it has waited");
    }
}
