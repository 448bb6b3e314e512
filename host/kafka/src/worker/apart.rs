//! Tasks whose records couldn't be written, because a topic is gone, may not be written to, or has no leader.
//!
//! A transaction is that of all tasks of a worker, so one that can't write fails the others with it, again and again. Which
//! one it is nobody says for sure: a topic of dead letters is that of all tasks, and what can't be written may be one
//! partition. So each task that was part of a transaction which failed like that has the next one for itself:
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
//! Those that can write lose a commit by it, and the others wait, longer each time. A trial that fails may have taken long,
//! and kept the worker: the wait is as long, so that the other tasks have half of the time. It isn't longer than half a minute,
//! though: where transactions may be open for minutes, what has come back would be noticed too late.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::tasks::TaskId;

/// How long a task waits before it is tried again: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// The most that a task waits because its trial took long.
const TRIAL_WAIT_LIMIT: Duration = Duration::from_secs(30);

/// The tasks of a worker that aren't part of the transactions of others. Hardly ever one.
#[derive(Default)]
pub(super) struct IsolatedTasks(BTreeMap<TaskId, IsolatedTask>);

#[derive(Default)]
struct IsolatedTask {
    /// How often it has failed alone.
    failures: u32,
    /// When it is tried again; none if at once.
    due: Option<Instant>,
}

/// How a task takes part in transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// With others.
    Together,
    /// It has its next transaction for itself.
    OnTrial,
    /// Not yet again.
    Waiting,
}

impl IsolatedTasks {
    /// A transaction of these tasks has failed, after so long, because a record couldn't be written.
    pub(super) fn failed(&mut self, tasks: &[TaskId], took: Duration, now: Instant) {
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

    /// What the task has done is committed.
    pub(super) fn committed(&mut self, task: TaskId) {
        self.0.remove(&task);
    }

    /// Nothing is held against any task any more.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    pub(super) fn standing(&self, task: TaskId) -> Isolation {
        match self.0.get(&task) {
            None => Isolation::Together,
            Some(IsolatedTask { due: Some(due), .. }) if Instant::now() < *due => Isolation::Waiting,
            Some(_) => Isolation::OnTrial,
        }
    }

    /// Whether a task is to do nothing for now.
    pub(super) fn is_waiting(&self, task: TaskId) -> bool {
        self.standing(task) == Isolation::Waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn task(subtopology: usize) -> TaskId {
        TaskId { subtopology, partition: 0 }
    }

    fn standings(apart: &IsolatedTasks) -> [Isolation; 3] {
        [0, 1, 2].map(|number| apart.standing(task(number)))
    }

    #[test]
    fn a_task_that_fails_others_with_it_is_found_out_and_they_go_on_together() {
        use Isolation::{OnTrial, Together, Waiting};
        let (mut apart, now) = (IsolatedTasks::default(), Instant::now());
        assert_eq!(standings(&apart), [Together; 3]);
        apart.failed(&[task(0), task(1)], HOUR, now);
        assert_eq!(standings(&apart), [OnTrial, OnTrial, Together], "at once: nobody knows which one it is");
        apart.failed(&[task(0)], HOUR, now);
        apart.committed(task(1));
        assert_eq!(standings(&apart), [Waiting, Together, Together]);
        apart.failed(&[task(1), task(2)], HOUR, now);
        assert_eq!(standings(&apart), [Waiting, OnTrial, OnTrial]);
        apart.forget();
        assert_eq!(standings(&apart), [Together; 3]);
    }

    #[test]
    fn a_task_that_fails_alone_waits_longer_each_time_and_as_long_as_its_trial_took() {
        let (mut apart, now) = (IsolatedTasks::default(), Instant::now());
        let mut waits = Vec::new();
        for took in [0, 0, 0, 0, 7, 3_600] {
            apart.failed(&[task(0)], Duration::from_secs(took), now);
            waits.extend(apart.0.values().filter_map(|trial| Some((trial.due? - now).as_secs())));
        }
        assert_eq!(waits, [1, 2, 4, 5, 7, 30]);
        apart.failed(&[task(0)], Duration::ZERO, now - HOUR);
        assert_eq!(apart.standing(task(0)), Isolation::OnTrial, "when it has waited");
    }
}
