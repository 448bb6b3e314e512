//! Membership of the app's consumer group: which partitions are ours, and what the workers are told about it.
//!
//! The member never fetches. It says when the assignment changes, gives transactions the generation that fences those
//! of earlier owners, and knows the committed offsets. Workers read with consumers of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use millrace_engine::topology::Topology;
use rdkafka::TopicPartitionList;
use rdkafka::bindings::rd_kafka_resp_err_t;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use crate::context;
use crate::tasks::{TaskId, spread, tasks_of};
use crate::worker::{Command, Generation, Line};

/// The instance's member of the group.
pub(crate) type Member = BaseConsumer<Membership>;

/// How long workers may take to commit when their tasks are taken away. Longer than a commit that waits for a broker.
const HANDOVER: Duration = Duration::from_secs(30);

/// How often to say that the cluster doesn't answer.
const SAY: Duration = Duration::from_secs(30);

/// Hears of assignments, and tells the workers.
pub(crate) struct Membership {
    topology: Arc<Topology>,
    partitions: Arc<[u32]>,
    state: Mutex<State>,
    /// When it was last said that the cluster doesn't answer.
    said: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    /// The assignment; none between two of them.
    assigned: Option<BTreeSet<TaskId>>,
    /// Who has each task, or had it last.
    placed: BTreeMap<TaskId, usize>,
    /// The generation that it is of.
    generation: Option<Generation>,
    /// Why the assignment can't be worked with.
    refused: Option<String>,
    /// How often the assignment has changed.
    rebalances: u64,
}

impl Membership {
    pub(crate) fn new(topology: Arc<Topology>, partitions: Arc<[u32]>) -> Self {
        Self { topology, partitions, state: Mutex::default(), said: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a worker to a number, and tells it its tasks if there is an assignment.
    pub(crate) fn connect(&self, number: usize, line: Line) {
        let mut state = self.state();
        if state.assigned.is_some() {
            line.tell(Command::Assign(state.tasks_at(number), state.generation.clone()));
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

    fn take(&self, list: &TopicPartitionList, generation: Option<Generation>) {
        let assigned: BTreeSet<(String, u32)> =
            list.elements().iter().map(|place| (place.topic().to_owned(), place.partition() as u32)).collect();
        let mut state = self.state();
        state.rebalances += 1;
        state.generation = generation;
        if let Some(topic) = self.grown(&assigned) {
            state.refused =
                Some(format!("topic `{topic}` has more partitions than when the app started: start it again"));
            return;
        }
        match tasks_of(&self.topology, &self.partitions, &assigned) {
            Ok(tasks) => state.assign(tasks),
            Err(reason) => state.refused = Some(reason),
        }
    }

    /// Whether it hasn't been said for a while: librdkafka says it at every attempt.
    fn may_say_so(&self) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let may = said.is_none_or(|at| at.elapsed() > SAY);
        if may {
            *said = Some(Instant::now());
        }
        may
    }

    /// A topic with a partition that wasn't there at the start: nobody would read it.
    fn grown(&self, assigned: &BTreeSet<(String, u32)>) -> Option<String> {
        let counts = self.topology.topics.iter().zip(self.partitions.iter());
        let is_new = |(topic, partition): &&(String, u32)| {
            counts.clone().any(|(known, count)| known.name == *topic && partition >= count)
        };
        assigned.iter().find(is_new).map(|(topic, _)| topic.clone())
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
        let limit = Instant::now() + HANDOVER;
        for answered in 0..state.lines.len() {
            let left = limit.saturating_duration_since(Instant::now());
            if acknowledged.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                let silent = state.lines.len() - answered;
                tracing::error!(
                    silent,
                    "workers didn't hand their tasks over in time: what they do now isn't committed"
                );
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
            line.tell(Command::Assign(self.tasks_at(number), self.generation.clone()));
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
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, SSL};
        // Said once for the instance, by its member; its other clients have the same trouble.
        if matches!(error.rdkafka_error_code(), Some(AllBrokersDown | Authentication | SSL)) && self.may_say_so() {
            tracing::warn!(%error, reason, "the cluster doesn't answer: waiting for it");
        }
        context::log_error(&error, reason);
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, member: &BaseConsumer<Self>, event: rd_kafka_resp_err_t, list: &mut TopicPartitionList) {
        let result = match event {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // Paused, it fetches nothing: that is the workers' part.
                let result = member.assign(list).and_then(|()| member.pause(list));
                self.take(list, member.group_metadata().map(Arc::new));
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
