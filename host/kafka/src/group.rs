//! Membership of the app's consumer group: which partitions are ours, and what the workers are told about it.
//!
//! The member never fetches. It says when the assignment changes, and gives transactions the generation that fences those
//! of earlier owners. Workers read with consumers of their own.
//!
//! ```text
//!                   assigned               numbers of partitions as at the start
//!   no assignment ───────────▶ offered ─────────────────────────────────────────▶ followed
//!         ▲                       │ revoked                              revoked    │
//!         └───────────────────────┴─────────────────────────────────────────────────┘
//! ```
//!
//! Which member runs a task follows from the numbers of partitions of its inputs: members that know different numbers
//! could both run it. So these are looked up again for each assignment, before a worker is told of it: a process that
//! starts when a topic has grown joins the group, and each member that has started before it notices.

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
use rdkafka::topic_partition_list::TopicPartitionListElem;

use crate::cluster::Cluster;
use crate::context;
use crate::error::Error;
use crate::native::generation_number;
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
    /// Partitions that were assigned, and of which the workers don't know yet.
    offered: Option<BTreeSet<(String, u32)>>,
    /// The assignment; none between two of them.
    assigned: Option<BTreeSet<TaskId>>,
    /// Who has each task, or had it last.
    placed: BTreeMap<TaskId, usize>,
    /// The generation that it is of.
    generation: Option<Generation>,
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

    fn take(&self, list: &TopicPartitionList, generation: Option<Generation>) {
        let place = |place: &TopicPartitionListElem<'_>| (place.topic().to_owned(), place.partition().cast_unsigned());
        let mut state = self.state();
        state.rebalances += 1;
        state.generation = generation;
        state.offered = Some(list.elements().iter().map(place).collect());
    }

    /// Tells the workers of an assignment that they don't know yet. Blocks while the cluster doesn't answer.
    ///
    /// # Errors
    /// [`Error::Setup`]: the assignment can't be worked with. A cluster that doesn't answer is no error: it is asked again
    /// with the next call.
    pub(crate) fn settle(&self, cluster: &Cluster) -> Result<(), Error> {
        let Some(offered) = self.state().offered.clone() else { return Ok(()) };
        match self.grown(cluster, &offered) {
            Ok(None) => {}
            Ok(Some(reason)) => return Err(Error::Setup(reason)),
            Err(Error::Kafka(error)) => {
                if self.may_say_so() {
                    tracing::warn!(%error, "numbers of partitions can't be had: tasks wait for them");
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let mut state = self.state();
        state.offered = None;
        state.assign(tasks_of(&self.topology, &self.partitions, &offered));
        Ok(())
    }

    /// An input that has more partitions than when the app started, if there is one. That a broker knows of fewer, or of
    /// none, is no news: it may be behind.
    fn grown(&self, cluster: &Cluster, assigned: &BTreeSet<(String, u32)>) -> Result<Option<String>, Error> {
        let inputs: BTreeSet<_> = self.topology.subtopologies.iter().flat_map(|part| &part.inputs).collect();
        for input in inputs {
            let (Some(topic), Some(before)) = (self.topology.topics.get(input.0), self.partitions.get(input.0)) else {
                continue;
            };
            // The member that assigned them may know more than the broker that is asked.
            let last =
                assigned.iter().filter(|(name, _)| *name == topic.name).map(|(_, partition)| partition + 1).max();
            let now = cluster.partitions(&topic.name)?.max(last);
            if let Some(now) = now.filter(|now| now > before) {
                return Ok(Some(format!(
                    "topic `{}` has {now} partitions, and had {before} when the app started: start it again",
                    topic.name
                )));
            }
        }
        Ok(None)
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

    /// Has the workers let go of their tasks, and waits until they have.
    fn give(&self, lost: bool) {
        let mut state = self.state();
        state.assigned = None;
        state.offered = None;
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
                let metadata = member.group_metadata().map(Arc::new);
                // Read behind it: if the member has been thrown out meanwhile, it is no number at all.
                let number = generation_number(member);
                self.take(list, metadata.map(|metadata| Generation { metadata, number }));
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
