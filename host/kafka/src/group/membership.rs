//! Membership of the app's consumer group: which partitions are assigned to this process, and which tasks its workers
//! run.
//!
//! The member never fetches. It receives the assignments, and gives transactions the generation that fences those of
//! earlier owners. Workers read with consumers of their own.
//!
//! ```text
//!                   assigned               numbers of partitions as at the start
//!   no assignment ───────────▶ offered ─────────────────────────────────────────▶ followed
//!         ▲                       │ revoked                              revoked    │
//!         └───────────────────────┴─────────────────────────────────────────────────┘
//! ```
//!
//! Which member runs a task follows from the numbers of partitions of its inputs: members that know different numbers
//! could both run it. So these are looked up again for each assignment, before a worker gets its tasks: a process that
//! starts when a topic has grown joins the group, and each member that has started before it notices.
//!
//! It also follows from the pipeline, and during a rolling upgrade members have different ones. How a member cuts
//! partitions into tasks is at the end of its `client.id`, and the members are looked up for each assignment: where
//! they don't agree, a member runs only those tasks of which all inputs are assigned to it. Others wait until all
//! members agree.

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
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionListElem;

use super::announce;
use super::mailbox::{Command, Generation, MailboxSender};
use super::silence::ClusterSilence;
use super::unread::{RejoinStep, UnseenInputs};
use crate::client::context;
use crate::client::native::{Topics, generation_number};
use crate::cluster::{Cluster, REQUEST_TIMEOUT};
use crate::error::Error;
use crate::error::codes::describe;
use crate::tasks::{TaskId, cut, reads, spread, tasks_of, whole_tasks_of};

/// The instance's member of the group.
pub(crate) type Member = BaseConsumer<Membership>;

/// How long workers may take to commit when the group revokes their tasks. Longer than a commit that waits for a
/// broker.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is logged that partitions wait for members to agree.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// Receives the group's assignments, and sends the workers their tasks.
pub(crate) struct Membership {
    topology: Arc<Topology>,
    partitions: Arc<[u32]>,
    /// How this member cuts partitions into tasks.
    cut: String,
    state: Mutex<MembershipState>,
    unread: Mutex<UnseenInputs>,
    silence: ClusterSilence,
}

#[derive(Default)]
struct MembershipState {
    mailboxes: Vec<MailboxSender>,
    /// Partitions of an assignment that the workers don't have yet.
    offered: Option<BTreeSet<(String, u32)>>,
    /// The assigned tasks; none between two assignments.
    assigned: Option<BTreeSet<TaskId>>,
    /// The worker that has each task, or had it last.
    placed: BTreeMap<TaskId, usize>,
    /// The generation of the assignment.
    generation: Option<Generation>,
    /// How often the assignment has changed.
    rebalances: u64,
    /// When the process ends, even if workers haven't.
    stop_by: Option<Instant>,
    /// Partitions of this member that no task of it reads, since members don't agree on the tasks.
    disagreement: Option<TaskDisagreement>,
}

/// Members of the group that cut partitions into other tasks, and the partitions that wait until no member does.
struct TaskDisagreement {
    others: Vec<String>,
    waiting: Vec<String>,
    logged: Instant,
}

impl Membership {
    pub(crate) fn new(topology: Arc<Topology>, partitions: Arc<[u32]>) -> Self {
        let cut = cut(&topology, &partitions);
        let (state, unread, silence) = (Mutex::default(), Mutex::default(), ClusterSilence::default());
        Self { topology, partitions, cut, state, unread, silence }
    }

    /// How this member cuts partitions into tasks, as the other members are to see it.
    pub(crate) fn cut(&self) -> &str {
        &self.cut
    }

    fn state(&self) -> MutexGuard<'_, MembershipState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects the worker of a number, and sends it its tasks if there is an assignment.
    pub(crate) fn connect(&self, number: usize, mailbox: MailboxSender) {
        let mut state = self.state();
        if state.assigned.is_some() {
            mailbox.send(Command::Assign(state.tasks_at(number), state.generation.clone()));
        }
        match state.mailboxes.get_mut(number) {
            Some(place) => *place = mailbox,
            None => state.mailboxes.push(mailbox),
        }
    }

    /// The tasks of this process; `None` while the group rebalances.
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

    /// Sends the workers the tasks of a new assignment. Blocks while the cluster doesn't answer.
    ///
    /// # Errors
    /// [`Error::Changed`]: the assignment can't be worked with. A cluster that doesn't answer is no error: it is asked
    /// again with the next call.
    pub(crate) fn settle(&self, cluster: &Cluster) -> Result<(), Error> {
        let Some(offered) = self.state().offered.clone() else {
            self.state().log_disagreement();
            return Ok(());
        };
        let members = match self.look_up(cluster, &offered) {
            Ok(members) => members,
            Err(Error::Kafka(error)) => {
                if self.silence.may_say_so() {
                    let reason = describe(&error);
                    tracing::warn!(
                        reason,
                        "the group's members or the inputs' partitions can't be had: tasks wait for them"
                    );
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let topics = offered.iter().map(|(topic, _)| topic.clone()).collect();
        self.unread().assign(topics, Instant::now());
        let others = self.others(members);
        let mut state = self.state();
        state.offered = None;
        let tasks = if others.is_empty() {
            state.disagreement = None;
            tasks_of(&self.topology, &self.partitions, &offered)
        } else {
            let tasks = whole_tasks_of(&self.topology, &self.partitions, &offered);
            state.disagreement = self.disagreement(others, &tasks, &offered);
            tasks
        };
        announce::assignment(&offered, &tasks);
        state.assign(tasks);
        Ok(())
    }

    /// Those of the members that cut partitions into other tasks.
    fn others(&self, members: Vec<String>) -> Vec<String> {
        let end = format!("-member-{}", self.cut);
        members.into_iter().filter(|member| !member.ends_with(&end)).collect()
    }

    /// Logs which partitions wait for members to agree, if any do.
    fn disagreement(
        &self,
        others: Vec<String>,
        tasks: &BTreeSet<TaskId>,
        offered: &BTreeSet<(String, u32)>,
    ) -> Option<TaskDisagreement> {
        let read: BTreeSet<_> = tasks.iter().flat_map(|task| reads(&self.topology, &self.partitions, *task)).collect();
        let waiting: Vec<_> =
            offered.difference(&read).map(|(topic, partition)| format!("{topic}-{partition}")).collect();
        let disagreement = (!waiting.is_empty()).then(|| TaskDisagreement { others, waiting, logged: Instant::now() });
        disagreement.iter().for_each(TaskDisagreement::log);
        disagreement
    }

    /// The group's members, if the inputs are as large as when the app started.
    fn look_up(&self, cluster: &Cluster, offered: &BTreeSet<(String, u32)>) -> Result<Vec<String>, Error> {
        let topics = cluster.describe(&self.inputs())?;
        match self.grown(&topics, offered) {
            Some(reason) => Err(Error::Changed(reason)),
            None => cluster.members(&self.topology.app),
        }
    }

    /// Names of the app's inputs.
    pub(crate) fn inputs(&self) -> Vec<&str> {
        let inputs: BTreeSet<_> = self.topology.subtopologies.iter().flat_map(|part| &part.inputs).collect();
        let topics = inputs.into_iter().filter_map(|input| self.topology.topics.get(input.0));
        topics.map(|topic| topic.name.as_str()).collect()
    }

    /// An input that has more partitions than when the app started, if there is one. A broker that knows of fewer, or
    /// of none, may be behind, or the app may not see the topic any more.
    fn grown(&self, topics: &Topics, assigned: &BTreeSet<(String, u32)>) -> Option<String> {
        for (topic, before) in self.topology.topics.iter().zip(self.partitions.iter()) {
            // The member that assigned them may know more than the broker that is asked.
            let last =
                assigned.iter().filter(|(name, _)| *name == topic.name).map(|(_, partition)| partition + 1).max();
            let told = topics.get(&topic.name).and_then(|topic| topic.as_ref().ok()).map(|topic| topic.partitions);
            if let Some(now) = told.max(last).filter(|now| now > before) {
                return Some(format!(
                    "topic `{}` has {now} partitions, and had {before} when the app started: start it again",
                    topic.name
                ));
            }
        }
        None
    }

    fn unread(&self) -> MutexGuard<'_, UnseenInputs> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks after inputs that the group leaves out since they can't be seen: names them, and has the member join again
    /// once they can be. Blocks while the cluster doesn't answer.
    pub(crate) fn look_after_unread(&self, member: &Member, cluster: &Cluster) {
        if !self.unread().is_due(Instant::now()) {
            return;
        }
        if let Err(error) = self.look_for_unread(member, cluster) {
            tracing::debug!(%error, "the inputs can't be looked up, and are asked for again");
        }
    }

    fn look_for_unread(&self, member: &Member, cluster: &Cluster) -> Result<(), Error> {
        let inputs = self.inputs();
        let found = cluster.describe(&inputs)?;
        let step = {
            let mut unread = self.unread();
            let step = unread.look(&inputs, &found, Instant::now());
            for (topic, reason) in unread.take_due(Instant::now()) {
                tracing::warn!(topic, reason, "an input can't be read, and is looked for again: others go on");
            }
            step
        };
        match step {
            RejoinStep::Nothing => {}
            RejoinStep::Refresh => drop(member.fetch_metadata(None, REQUEST_TIMEOUT)?),
            RejoinStep::Join => member.subscribe(&inputs)?,
        }
        Ok(())
    }

    /// Whether an input is named as one that can't be seen.
    pub(crate) fn misses_an_input(&self) -> bool {
        self.unread().is_named()
    }

    /// The member has got an error about a topic that can't be seen.
    pub(crate) fn suspect_unread(&self) {
        self.unread().suspect(Instant::now());
    }

    /// The process ends at this time: from now on, revoking waits for workers no longer than that.
    pub(crate) fn stop_by(&self, limit: Instant) {
        self.state().stop_by = Some(limit);
    }

    /// Revokes the workers' tasks, and waits until each worker has acknowledged it.
    fn give(&self, lost: bool) {
        self.unread().revoke();
        let mut state = self.state();
        state.assigned = None;
        state.offered = None;
        state.disagreement = None;
        if lost {
            state.placed.clear();
        }
        let (done, acknowledged) = channel();
        for mailbox in &state.mailboxes {
            mailbox.send(if lost { Command::Drop(done.clone()) } else { Command::Suspend(done.clone()) });
        }
        drop(done);
        // A worker that has ended has dropped its end, and is waited for no longer.
        let limit = Instant::now() + HANDOVER_TIMEOUT;
        let limit = state.stop_by.map_or(limit, |stop| stop.min(limit));
        for answered in 0..state.mailboxes.len() {
            let left = limit.saturating_duration_since(Instant::now());
            if acknowledged.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                let silent = state.mailboxes.len() - answered;
                tracing::error!(
                    silent,
                    "workers didn't hand their tasks over in time: what they do now isn't committed"
                );
                break;
            }
        }
    }
}

impl TaskDisagreement {
    fn log(&self) {
        tracing::warn!(
            partitions = ?self.waiting,
            members = ?self.others,
            "members of the group divide the inputs into tasks in different ways: partitions wait until all processes \
             have been started with the same pipeline files"
        );
    }
}

impl MembershipState {
    /// Logs again that partitions wait for members to agree.
    fn log_disagreement(&mut self) {
        if let Some(disagreement) =
            self.disagreement.as_mut().filter(|disagreement| disagreement.logged.elapsed() > LOG_INTERVAL)
        {
            disagreement.logged = Instant::now();
            disagreement.log();
        }
    }

    fn assign(&mut self, tasks: BTreeSet<TaskId>) {
        self.placed = spread(&tasks, &self.placed, self.mailboxes.len());
        self.assigned = Some(tasks);
        for (number, mailbox) in self.mailboxes.iter().enumerate() {
            mailbox.send(Command::Assign(self.tasks_at(number), self.generation.clone()));
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
        self.silence.note_error(&error, reason);
        context::log_error(&error, reason);
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, member: &BaseConsumer<Self>, event: rd_kafka_resp_err_t, list: &mut TopicPartitionList) {
        let result = match event {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // Paused, it fetches nothing: workers have consumers of their own.
                let result = member.assign(list).and_then(|()| member.pause(list));
                let metadata = member.group_metadata().map(Arc::new);
                // Read after the metadata: if the group has removed the member meanwhile, there is no number.
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
