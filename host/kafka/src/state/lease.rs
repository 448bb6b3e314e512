//! Leases for restoring: one thread at a time may write the local state of a task before it runs.
//!
//! A worker that has lost a task stops the thread that restores it, and doesn't wait until it has ended: the thread may
//! be waiting for a broker. Another worker of the process may get the task meanwhile. Two threads that write the same
//! part of a changelog would leave older entries after newer ones, so the second waits until the first has ended.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::tasks::TaskId;

/// The tasks of a process that are being restored.
#[derive(Clone, Debug, Default)]
pub(crate) struct RestoreLeases(Arc<Mutex<BTreeSet<TaskId>>>);

/// The task is restored by no other thread until this is dropped.
#[derive(Debug)]
pub(crate) struct RestoreLease {
    leases: RestoreLeases,
    task: TaskId,
}

impl RestoreLeases {
    fn tasks(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a task; `None` while another thread has it.
    pub(crate) fn take(&self, task: TaskId) -> Option<RestoreLease> {
        self.tasks().insert(task).then(|| RestoreLease { leases: self.clone(), task })
    }
}

impl Drop for RestoreLease {
    fn drop(&mut self) {
        self.leases.tasks().remove(&self.task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_restored_by_one_thread_at_a_time() {
        let (leases, task) = (RestoreLeases::default(), TaskId { subtopology: 0, partition: 1 });
        let lease = leases.take(task);
        assert!(lease.is_some());
        assert!(leases.take(task).is_none());
        assert!(leases.take(TaskId { partition: 2, ..task }).is_some());
        drop(lease);
        assert!(leases.take(task).is_some());
    }
}
