//! A worker: a thread with its tasks, its consumer, its producer and its guests. Nothing of it is shared on the way of
//! a record.
//!
//! ```text
//!              Assign                    has a producer
//!   Waiting ───────────▶ Opening ─────────────────────────▶ Running ◀── tasks come as they are opened (`opener.rs`)
//!      ▲                    │  ▲   a transaction failed, or    │
//!      │                    │  └── its producer is dropped ────┤
//!      └────────────────────┴──────────────────────────────────┘
//!        Suspend: its tasks are committed, and may stay open. Drop: they are dropped.
//! ```
//!
//! When a transaction fails, its tasks are dropped with all that it changed in them, and opened anew from what is
//! committed. A task that can't be opened yet holds up no other one.
//!
//! Uses all rooms before it: [`group`](crate::group) for its mailbox, [`state`](crate::state) and those below.

mod active_task;
mod active_tasks;
mod commit;
mod events;
mod fetching;
mod isolation;
mod key_sample;
mod lag;
mod opener;
mod opening;
mod pace;
mod phase;
mod postponed_writes;
mod processing;
mod publisher;
mod recover;
mod rewriting;
mod shared;
mod step_plan;
mod suspension;
mod swap;
mod timing;
mod transactions;
mod unreadable;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use millrace_engine::deployment::ActivePlugins;
use millrace_engine::logic::Logic;
use millrace_engine::record::Headers;

use crate::client::native::OutgoingRecord;
use crate::error::{Error, Reaction};
use crate::group::{Command, Generation, Mailbox};
use crate::tasks::TaskId;
use active_task::ActiveTask;
use active_tasks::ActiveTasks;
use commit::CommitScope;
pub(crate) use events::{Commit, Event};
use isolation::IsolatedTasks;
pub use lag::Lag;
pub(crate) use opener::MissingTopics;
use opening::AwaitedTasks;
use pace::Paces;
use phase::Phase;
use publisher::Publisher;
use rewriting::Rewriting;
pub(crate) use shared::Shared;
pub use shared::WorkerOptions;
use transactions::WorkerTransactions;
use unreadable::UnreadableInputs;

/// How long a worker without anything to do waits for records or commands.
const IDLE_WAIT: Duration = Duration::from_millis(20);

/// How long a task goes on while others wait for their turn.
const TASK_SLICE: Duration = Duration::from_millis(100);

/// A worker, on its thread.
pub(crate) struct Worker {
    number: usize,
    shared: Arc<Shared>,
    mailbox: Mailbox,
    publisher: Publisher,
    logic: Box<dyn Logic>,
    phase: Phase,
    /// Assigned tasks that aren't open yet.
    awaited: AwaitedTasks,
    /// The open tasks.
    tasks: ActiveTasks,
    transactions: WorkerTransactions,
    /// Inputs that may not be read, or aren't there.
    unreadable: UnreadableInputs,
    /// Tasks that perhaps can't write.
    isolated: IsolatedTasks,
    /// How quickly each task works. Kept when it is opened anew.
    paces: Paces,
    /// Where records are copied to.
    buffer: BytesMut,
    /// How many transactions have failed since the last commit.
    failures: u32,
    /// The plugins that its tasks are to run, and their version.
    plugins: Arc<ActivePlugins>,
    version: u64,
    /// Whether some tasks run an older version.
    swapping: bool,
    rewriting: Rewriting,
}

/// The tasks that the group has assigned to a worker, and the generation of that assignment.
struct Assignment {
    tasks: Vec<TaskId>,
    generation: Option<Generation>,
}

impl Worker {
    pub(crate) fn new(
        number: usize,
        shared: Arc<Shared>,
        mailbox: Mailbox,
        events: Sender<Event>,
        mut logic: Box<dyn Logic>,
    ) -> Self {
        let (version, plugins) = shared.plugins.get();
        shared.plugins.adopt(number, version);
        logic.adopt(&plugins);
        Self {
            number,
            shared,
            mailbox,
            publisher: Publisher::new(number, events),
            logic,
            phase: Phase::Waiting { suspension: None },
            awaited: AwaitedTasks::default(),
            tasks: ActiveTasks::default(),
            transactions: WorkerTransactions::new(),
            unreadable: UnreadableInputs::default(),
            isolated: IsolatedTasks::default(),
            paces: Paces::new(),
            buffer: BytesMut::new(),
            failures: 0,
            plugins,
            version,
            swapping: false,
            rewriting: Rewriting::default(),
        }
    }

    /// Works until the process stops, or the worker can't go on.
    pub(crate) fn run(mut self) -> Result<(), Reaction> {
        while !self.shared.stopping.load(Ordering::Relaxed) {
            match self.run_once() {
                Ok(()) => {}
                Err(reaction) => self.recover(reaction)?,
            }
        }
        let finished = self.finish();
        if let Err(Reaction::Abort(_) | Reaction::CutOff(_)) = finished {
            // Readers needn't wait until the broker ends the transaction.
            drop(self.abort());
        }
        let reason = match finished {
            Ok(()) => {
                self.publish_open_windows();
                return Ok(());
            }
            Err(Reaction::Abort(reason) | Reaction::Unwritten(reason) | Reaction::Rebuild(reason)) => reason,
            Err(Reaction::CutOff(step)) => format!("step `{step}` takes too long"),
            Err(Reaction::Refused(refused)) => self.learn(&refused)?,
            Err(reaction) => return Err(reaction),
        };
        // The next owner of the tasks processes the uncommitted records again.
        tracing::warn!(reason, "the last transaction was not committed");
        Ok(())
    }

    fn run_once(&mut self) -> Result<(), Reaction> {
        let wait = match &self.phase {
            Phase::Waiting { .. } => IDLE_WAIT,
            // Without an open task there is no fetch that waits.
            Phase::Running(..) if self.tasks.is_empty() => IDLE_WAIT,
            Phase::Opening(_) | Phase::Running(..) => Duration::ZERO,
        };
        while let Some(command) = self.mailbox.receive(wait) {
            self.handle_command(command)?;
        }
        if self.swapping || self.has_next_plugins() {
            self.swap_plugins()?;
        }
        match self.phase {
            Phase::Waiting { .. } => Ok(()),
            Phase::Opening(_) => self.open(),
            Phase::Running(..) => {
                self.admit()?;
                if self.phase.is_running() { self.process_round() } else { Ok(()) }
            }
        }
    }

    fn handle_command(&mut self, command: Command) -> Result<(), Reaction> {
        match command {
            Command::Assign(tasks, generation) => {
                self.assign(Assignment { tasks, generation });
                Ok(())
            }
            Command::Suspend(done) => {
                let result = self.suspend();
                let _ = done.send(());
                result
            }
            Command::Drop(done) => {
                self.wait_for_assignment();
                self.awaited = AwaitedTasks::default();
                let result = self.abort();
                let _ = done.send(());
                result
            }
        }
    }

    /// Tasks that have waited for this assignment stay open, if no other member can have had them.
    fn assign(&mut self, assignment: Assignment) {
        let number = assignment.generation.as_ref().map(|generation| generation.number);
        let suspension = match &self.phase {
            Phase::Waiting { suspension } => *suspension,
            Phase::Opening(_) | Phase::Running(..) => None,
        };
        let stay = suspension.is_some_and(|suspension| suspension.may_go_on(number, Instant::now()));
        let tasks = &assignment.tasks;
        self.awaited.expect_nothing();
        self.awaited.stayed.append(&mut self.tasks.take());
        self.awaited.stayed.retain(|active| stay && tasks.contains(&active.id));
        self.release_if_clean();
        let shared = &self.shared;
        self.unreadable.retain(|topic, partition| tasks.iter().any(|task| shared.reads(*task, topic, partition)));
        self.transactions.unclear.clear();
        self.isolated.clear();
        self.rewriting.forget_walks();
        self.phase = Phase::Opening(assignment);
    }

    /// Commits, and keeps the tasks open until the next assignment. A failure drops them: they are opened anew by the
    /// worker that they are assigned to.
    fn suspend(&mut self) -> Result<(), Reaction> {
        let now = Instant::now();
        self.awaited.expect_nothing();
        self.tasks.add(std::mem::take(&mut self.awaited.stayed));
        // Under the generation that ends.
        let result = self.finish();
        self.phase.suspend(now);
        self.unreadable.retry_all();
        result.or_else(|reaction| self.recover(reaction))
    }

    /// The worker has no assignment any more, and no tasks that could stay.
    fn wait_for_assignment(&mut self) {
        self.phase = Phase::Waiting { suspension: None };
        self.unreadable.retry_all();
    }

    /// One round: read, process, send, and commit if it is time.
    fn process_round(&mut self) -> Result<(), Reaction> {
        let fetched = self.fetch_records()?;
        self.publish_lag();
        if fetched > 0 {
            // Before the records are processed, which may take long.
            self.publisher.publish_idle(false);
        }
        if self.pause().is_some() || self.is_held()? {
            return Ok(());
        }
        let mut processed = self.fire_timers()?;
        for number in 0..self.tasks.len() {
            let began = Instant::now();
            while self.process_records(number)? {
                processed = true;
                // A worker without a backlog commits after its last task, and pauses then.
                if self.must_commit() || self.is_on_trial(number) || (self.is_commit_due() && !self.is_caught_up()) {
                    self.commit(CommitScope::All)?;
                }
                // Slow rules hold up no command and no swap: the records that are left wait in the queues.
                if !self.may_go_on() || self.has_next_plugins() {
                    return Ok(());
                }
                if began.elapsed() > TASK_SLICE {
                    break;
                }
            }
        }
        self.rewrite_state()?;
        if let Some(producer) = &mut self.transactions.producer {
            producer.serve()?;
        }
        let dirty = self.tasks.is_any_dirty();
        // A worker without a backlog commits at once: records that come meanwhile go together into the next
        // transaction.
        let early = self.is_caught_up();
        if dirty && (self.is_commit_due() || self.is_transaction_full()) {
            self.commit(CommitScope::All)?;
        } else if early && self.tasks.has_results() {
            self.commit(CommitScope::Results)?;
        }
        let quiet = fetched == 0 && !processed && !dirty;
        let is_done = |active: &ActiveTask| active.is_at_end() && !self.isolated.is_waiting(active.id);
        let idle = quiet && self.tasks.iter().all(is_done) && self.awaited.are_all_here();
        // The app has yet to note that it has rewritten its state.
        let idle = idle && self.plugins.rewriting().next().is_none();
        if quiet {
            self.commit_ends()?;
        }
        self.write_old_postponed()?;
        if idle {
            self.transactions.unclear.clear();
        }
        self.publisher.publish_idle(idle);
        Ok(())
    }

    /// Publishes how many windows will have a final result, where the instance runs until nothing is left to do. All
    /// work is committed by then, so that a failure changes nothing.
    fn publish_open_windows(&self) {
        if !self.shared.until_idle {
            return;
        }
        match self.tasks.iter().map(|active| active.task.open_windows()).sum::<Result<u64, _>>() {
            Ok(windows) => self.publisher.publish(Event::OpenWindows(windows)),
            Err(error) => tracing::warn!(%error, "open windows can't be counted"),
        }
    }

    /// Whether no command waits, and the process doesn't stop.
    fn may_go_on(&self) -> bool {
        may_go_on(&self.mailbox, &self.shared)
    }
}

/// Whether no command waits, and the process doesn't stop: long work asks it now and then.
fn may_go_on(mailbox: &Mailbox, shared: &Shared) -> bool {
    !mailbox.has_commands() && !shared.stopping.load(Ordering::Relaxed)
}

/// A record as Kafka takes it. For librdkafka, timestamp 0 is none, and it would set its own; Kafka has no earlier
/// ones.
fn sendable(record: &millrace_engine::task::Produced) -> OutgoingRecord<'_> {
    let timestamp = record.timestamp.max(1);
    OutgoingRecord {
        timestamp,
        partition: record.partition,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: &record.headers,
    }
}

/// A changelog record: an entry of a store as it is now. Its time is that of writing.
fn entry<'a>(partition: u32, key: &'a [u8], value: Option<&'a [u8]>, now: i64) -> OutgoingRecord<'a> {
    OutgoingRecord { partition, key: Some(key), value, timestamp: now, headers: &Headers::EMPTY }
}

fn task_error(error: millrace_engine::task::TaskError) -> Reaction {
    use millrace_engine::task::TaskError;
    let text = Error::Task(error.to_string());
    match error {
        TaskError::State(_) | TaskError::Host { .. } => Reaction::Fail(text),
        TaskError::Overrun { step } => Reaction::CutOff(step),
        TaskError::Stopped { .. } | TaskError::OldDeployment { .. } | TaskError::UnfinishedRun { .. } => {
            Reaction::Stop(text)
        }
    }
}
