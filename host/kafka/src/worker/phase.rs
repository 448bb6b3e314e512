//! The phases of a worker: each holds the data that exists in it only.

use std::collections::HashMap;
use std::time::Instant;

use super::Assignment;
use super::suspension::Suspension;
use crate::client::native::Fetcher;
use crate::group::Generation;

/// The phase of a worker; see [the life cycle](super).
pub(super) enum Phase {
    /// It has no assignment.
    Waiting {
        /// Since when its tasks wait for the next assignment; none if it has no tasks from before.
        suspension: Option<Suspension>,
    },
    /// It has an assignment, and needs a producer before its tasks can be opened.
    Opening(Assignment),
    /// It has a producer. Tasks that are open process records, others are on their way.
    Running(Assignment, Fetching),
}

/// The consumer of a running worker, and the readers of its partitions.
#[derive(Default)]
pub(super) struct Fetching {
    /// None while no task with an input is open.
    pub(super) fetcher: Option<Fetcher>,
    /// Which task and input read a partition of a topic, by the topic's handle.
    pub(super) readers: HashMap<(usize, i32), Option<(usize, usize)>>,
}

impl Phase {
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Running(..))
    }

    /// The generation of the group in which the tasks were assigned.
    pub(super) fn generation(&self) -> Option<&Generation> {
        match self {
            Self::Waiting { .. } => None,
            Self::Opening(assignment) | Self::Running(assignment, _) => assignment.generation.as_ref(),
        }
    }

    /// The tasks wait for the next assignment. A second time without an assignment in between, another generation has
    /// ended, and the tasks have waited since the first time.
    pub(super) fn suspend(&mut self, now: Instant) {
        let suspension = match &*self {
            Self::Waiting { suspension: Some(suspension) } => *suspension,
            phase => Suspension::new(phase.generation().map(|generation| generation.number), now),
        };
        *self = Self::Waiting { suspension: Some(suspension) };
    }

    /// From running to opening: the producer and the tasks that are lacking are opened. The other phases stay.
    pub(super) fn reopen(&mut self) {
        *self = match std::mem::replace(self, Self::Waiting { suspension: None }) {
            Self::Running(assignment, _) => Self::Opening(assignment),
            phase => phase,
        };
    }

    /// From opening to running: there is a producer.
    pub(super) fn run(&mut self) {
        *self = match std::mem::replace(self, Self::Waiting { suspension: None }) {
            Self::Opening(assignment) => Self::Running(assignment, Fetching::default()),
            phase => phase,
        };
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn opening() -> Phase {
        Phase::Opening(Assignment { tasks: Vec::new(), generation: None })
    }

    #[test]
    fn tasks_that_are_suspended_twice_have_waited_since_the_first_time() {
        let (mut phase, now) = (opening(), Instant::now());
        phase.suspend(now);
        phase.suspend(now + Duration::from_secs(3));
        let Phase::Waiting { suspension } = phase else { panic!("the tasks wait") };
        assert_eq!(suspension, Some(Suspension::new(None, now)));
    }

    #[test]
    fn only_a_running_worker_opens_its_tasks_again() {
        let mut phase = opening();
        phase.run();
        assert!(phase.is_running());
        phase.reopen();
        assert!(matches!(phase, Phase::Opening(_)));
        phase.suspend(Instant::now());
        phase.reopen();
        phase.run();
        assert!(matches!(phase, Phase::Waiting { suspension: Some(_) }), "it has no assignment");
    }
}
