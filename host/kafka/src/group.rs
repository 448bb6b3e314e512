//! Membership of the app's consumer group: which partitions are ours, and what the workers are told about it.
//!
//! The member never fetches. It says when the assignment changes, gives transactions the generation that fences those
//! of earlier owners, and knows the committed offsets. Workers read with consumers of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millrace_engine::topology::Topology;
use rdkafka::TopicPartitionList;
use rdkafka::bindings::rd_kafka_resp_err_t;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;

use crate::context;
use crate::tasks::{TaskId, spread, tasks_of};
use crate::worker::{Command, Line};

/// The instance's member of the group.
pub(crate) type Member = BaseConsumer<Membership>;

/// How long workers may take to commit when their tasks are taken away. Longer than a commit that waits for a broker.
const HANDOVER: Duration = Duration::from_secs(30);

/// Hears of assignments, and tells the workers.
pub(crate) struct Membership {
    topology: Arc<Topology>,
    partitions: Arc<[u32]>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    /// The assignment; none between two of them.
    assigned: Option<BTreeSet<TaskId>>,
    /// Who has each task, or had it last.
    placed: BTreeMap<TaskId, usize>,
    /// Why the assignment can't be worked with.
    refused: Option<String>,
    /// How often the assignment has changed.
    rebalances: u64,
}

impl Membership {
    pub(crate) fn new(topology: Arc<Topology>, partitions: Arc<[u32]>) -> Self {
        Self { topology, partitions, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a worker to a number, and tells it its tasks if there is an assignment.
    pub(crate) fn connect(&self, number: usize, line: Line) {
        let mut state = self.state();
        if state.assigned.is_some() {
            line.tell(Command::Assign(state.tasks_at(number)));
        }
        match state.lines.get_mut(number) {
            Some(place) => *place = line,
            None => state.lines.push(line),
        }
    }

    /// The tasks that are ours; `None` while the group rebalances.
    pub(crate) fn assigned(&self) -> Option<BTreeSet<TaskId>> {
        self.state().assigned.clone()
    }

    /// How often the assignment has changed.
    pub(crate) fn rebalances(&self) -> u64 {
        self.state().rebalances
    }

    /// Why an assignment can't be worked with, if one came that can't.
    pub(crate) fn refused(&self) -> Option<String> {
        self.state().refused.clone()
    }

    fn take(&self, list: &TopicPartitionList) {
        let assigned =
            list.elements().iter().map(|place| (place.topic().to_owned(), place.partition() as u32)).collect();
        let mut state = self.state();
        state.rebalances += 1;
        match tasks_of(&self.topology, &self.partitions, &assigned) {
            Ok(tasks) => state.assign(tasks),
            Err(reason) => state.refused = Some(reason),
        }
    }

    /// Has the workers let go of their tasks, and waits until they have.
    fn give(&self, lost: bool) {
        let mut state = self.state();
        state.assigned = None;
        if lost {
            state.placed.clear();
        }
        let (done, acknowledged) = channel();
        for line in &state.lines {
            line.tell(if lost { Command::Drop(done.clone()) } else { Command::Suspend(done.clone()) });
        }
        drop(done);
        // A worker that has ended has dropped its end, and is waited for no longer.
        for _ in 0..state.lines.len() {
            if acknowledged.recv_timeout(HANDOVER).is_err() {
                break;
            }
        }
    }
}

impl State {
    fn assign(&mut self, tasks: BTreeSet<TaskId>) {
        self.placed = spread(&tasks, &self.placed, self.lines.len());
        self.assigned = Some(tasks);
        for (number, line) in self.lines.iter().enumerate() {
            line.tell(Command::Assign(self.tasks_at(number)));
        }
    }

    fn tasks_at(&self, number: usize) -> Vec<TaskId> {
        self.placed.iter().filter(|(_, worker)| **worker == number).map(|(task, _)| *task).collect()
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        context::log_error(&error, reason);
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, member: &BaseConsumer<Self>, event: rd_kafka_resp_err_t, list: &mut TopicPartitionList) {
        let result = match event {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // Paused, it fetches nothing: that is the workers' part.
                let result = member.assign(list).and_then(|()| member.pause(list));
                self.take(list);
                result
            }
            _ => {
                self.give(member.assignment_lost());
                member.unassign()
            }
        };
        if let Err(error) = result {
            tracing::error!(%error, "the group's assignment could not be followed");
        }
    }
}
