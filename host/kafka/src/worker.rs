//! A worker: a thread with its tasks, its consumer, its producer and its guests. Nothing of it is shared on the way of
//! a record.
//!
//! ```text
//!              Assign                    has a producer
//!   waiting ───────────▶ opening ─────────────────────────▶ running ◀── tasks come as they are opened (`opener.rs`)
//!      ▲                    │ Suspend, Drop     Suspend, Drop  │
//!      └────────────────────┴──────────────────────────────────┘
//! ```
//!
//! When a transaction fails, its tasks are dropped with all that it changed in them, and opened anew from what is
//! committed: that is `opening` again. A task that can't be opened yet holds no other one.

mod apart;
mod ask;
mod barred;
mod catch_up;
mod commit;
mod events;
mod feed;
mod lag;
mod missing;
mod older;
mod open;
mod opener;
mod pace;
mod plan;
mod recover;
mod run;
mod seat;
mod shared;
mod silent;
mod spread;
mod starts;
mod suspension;
mod turns;
mod when;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use millrace_engine::ports::Logic;
use millrace_engine::record::Headers;

use crate::client::native::{Fetcher, OutgoingRecord};
use crate::client::producer::Transactions;
use crate::cluster::limits::Limits;
use crate::cluster::unclear::UnclearRefusals;
use crate::error::{Error, Reaction};
use crate::group::{Command, Generation, Mailbox};
use crate::state::barrier::TransactionPermit;
use crate::tasks::TaskId;
use apart::IsolatedTasks;
use barred::UnreadableInputs;
use commit::CommitScope;
pub(crate) use events::{Commit, Event};
pub use lag::Lag;
pub(crate) use missing::MissingTopics;
use open::AwaitedTasks;
use pace::Paces;
use seat::ActiveTask;
pub(crate) use shared::Shared;
pub use shared::WorkerOptions;
use suspension::Suspension;

/// How long a worker without anything to do waits for something to come.
const IDLE_WAIT: Duration = Duration::from_millis(20);

/// How long a task goes on while others wait for their turn.
const TASK_SLICE: Duration = Duration::from_millis(100);

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Opening,
    Running,
}

/// A worker, on its thread.
pub(crate) struct Worker {
    number: usize,
    shared: Arc<Shared>,
    ear: Mailbox,
    events: Sender<Event>,
    logic: Box<dyn Logic>,
    phase: Phase,
    /// The group's generation that its tasks were assigned in.
    generation: Option<Generation>,
    /// The tasks it is to have.
    wanted: Vec<TaskId>,
    /// Those of them that are on their way.
    arrivals: AwaitedTasks,
    seats: Vec<ActiveTask>,
    /// Who reads a partition of a topic: seat and input. By handle of the topic.
    readers: HashMap<(usize, i32), Option<(usize, usize)>>,
    fetcher: Option<Fetcher>,
    /// Inputs that may not be read, or aren't there.
    barred: UnreadableInputs,
    /// Where records are copied to.
    buffer: BytesMut,
    producer: Option<Transactions>,
    /// While a transaction is open: global tables stay as they are.
    pass: Option<TransactionPermit>,
    /// What topics take, as was known when the producer was made.
    limits: Limits,
    /// For which partitions each record is sent for itself.
    unclear: UnclearRefusals,
    /// Since when there is something to commit.
    begun: Option<Instant>,
    /// When everything was committed last.
    last_commit: Instant,
    /// Tasks that can't write, perhaps.
    apart: IsolatedTasks,
    /// When the last transaction ended.
    ended: Instant,
    /// How quickly its tasks work. Kept when they are opened anew.
    paces: Paces,
    failures: u32,
    told_idle: bool,
    /// When it was told last how far it is behind.
    lag_told: Instant,
    /// Whether its tasks wait for an assignment.
    suspended: Option<Suspension>,
}

impl Worker {
    pub(crate) fn new(
        number: usize,
        shared: Arc<Shared>,
        ear: Mailbox,
        events: Sender<Event>,
        logic: Box<dyn Logic>,
    ) -> Self {
        Self {
            number,
            shared,
            ear,
            events,
            logic,
            phase: Phase::Waiting,
            generation: None,
            wanted: Vec::new(),
            arrivals: AwaitedTasks::default(),
            seats: Vec::new(),
            readers: HashMap::new(),
            fetcher: None,
            barred: UnreadableInputs::default(),
            buffer: BytesMut::new(),
            producer: None,
            pass: None,
            begun: None,
            limits: Limits::default(),
            unclear: UnclearRefusals::default(),
            apart: IsolatedTasks::default(),
            last_commit: Instant::now(),
            ended: Instant::now(),
            paces: Paces::new(),
            failures: 0,
            told_idle: false,
            lag_told: Instant::now(),
            suspended: None,
        }
    }

    /// Works until it is told to stop, or can't go on.
    pub(crate) fn run(mut self) -> Result<(), Reaction> {
        while !self.shared.stopping.load(Ordering::Relaxed) {
            match self.turn() {
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
                self.tell_open_windows();
                return Ok(());
            }
            Err(Reaction::Abort(reason) | Reaction::Unwritten(reason) | Reaction::Rebuild(reason)) => reason,
            Err(Reaction::CutOff(step)) => format!("step `{step}` takes too long"),
            Err(Reaction::Refused(refused)) => self.learn(&refused)?,
            Err(reaction) => return Err(reaction),
        };
        // What isn't committed is done again by the next owner of its tasks.
        tracing::warn!(reason, "the last transaction was not committed");
        Ok(())
    }

    fn turn(&mut self) -> Result<(), Reaction> {
        // Where there is nothing to read, nothing else keeps it from turning in place.
        let nothing = self.phase == Phase::Waiting || (self.phase == Phase::Running && self.seats.is_empty());
        let patience = if nothing { IDLE_WAIT } else { Duration::ZERO };
        while let Some(command) = self.ear.hear(patience) {
            self.obey(command)?;
        }
        match self.phase {
            Phase::Waiting => Ok(()),
            Phase::Opening => self.open(),
            Phase::Running => {
                self.admit()?;
                if self.phase == Phase::Running { self.work() } else { Ok(()) }
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), Reaction> {
        match command {
            Command::Assign(tasks, generation) => {
                let (number, suspended) = (generation.as_ref().map(|own| own.number), self.suspended.take());
                let stay = suspended.is_some_and(|since| since.may_go_on(number, Instant::now()));
                self.generation = generation;
                self.arrivals.expect_nothing();
                self.arrivals.stayed.append(&mut self.seats);
                self.arrivals.stayed.retain(|seat| stay && tasks.contains(&seat.id));
                self.leave();
                self.barred
                    .keep(|topic, partition| tasks.iter().any(|task| self.shared.reads(*task, topic, partition)));
                self.wanted = tasks;
                self.unclear.clear();
                self.apart.forget();
                self.phase = Phase::Opening;
                Ok(())
            }
            Command::Suspend(done) => {
                self.phase = Phase::Waiting;
                // A second time without an assignment in between: it was another generation that ended, and the tasks
                // have waited since the first time.
                let number = self.generation.as_ref().map(|own| own.number);
                self.suspended.get_or_insert_with(|| Suspension::new(number, Instant::now()));
                self.arrivals.expect_nothing();
                self.seats.append(&mut self.arrivals.stayed);
                let result = self.finish();
                self.generation = None;
                self.wanted.clear();
                self.stop_fetching();
                // A failure drops the tasks: they are opened anew wherever they come.
                let result = result.or_else(|reaction| self.recover(reaction));
                let _ = done.send(());
                result
            }
            Command::Drop(done) => {
                self.phase = Phase::Waiting;
                self.generation = None;
                self.wanted.clear();
                self.arrivals = AwaitedTasks::default();
                self.stop_fetching();
                let result = self.abort();
                let _ = done.send(());
                result
            }
        }
    }

    /// One round: read, process, send, and commit if it is time.
    fn work(&mut self) -> Result<(), Reaction> {
        let fetched = self.feed()?;
        self.tell_lag();
        if fetched > 0 {
            // Before, and not after: to process it may take long.
            self.tell_idle(false);
        }
        if self.rest().is_some() {
            return Ok(());
        }
        let mut processed = self.tick()?;
        for seat in 0..self.seats.len() {
            let began = Instant::now();
            while self.step(seat)? {
                processed = true;
                // A worker without a backlog commits behind its last task, and rests then.
                if self.must_commit() || self.is_on_trial(seat) || (self.is_due() && !self.is_caught_up()) {
                    self.commit(CommitScope::All)?;
                }
                // Slow rules don't keep anybody waiting: what is left waits in the queues.
                if !self.may_go_on() {
                    return Ok(());
                }
                if began.elapsed() > TASK_SLICE {
                    break;
                }
            }
        }
        if let Some(producer) = &mut self.producer {
            producer.serve()?;
        }
        let dirty = self.seats.iter().any(|seat| seat.dirty);
        // Whoever is caught up commits at once: what comes meanwhile goes together into the next transaction.
        let early = self.is_caught_up();
        if dirty && (self.is_due() || self.is_full()) {
            self.commit(CommitScope::All)?;
        } else if early && self.has_results() {
            self.commit(CommitScope::Results)?;
        }
        let quiet = fetched == 0 && !processed && !dirty;
        let is_done = |seat: &ActiveTask| seat.is_at_end() && !self.apart.is_waiting(seat.id);
        let idle = quiet && self.seats.iter().all(is_done) && self.arrivals.are_all_here();
        if quiet {
            self.commit_ends()?;
        }
        self.write_old_postponed()?;
        if idle {
            self.unclear.clear();
        }
        self.tell_idle(idle);
        Ok(())
    }

    /// Says how many final results are still to come, where the instance runs until nothing is left to do. All is committed by
    /// then, so that a failure changes nothing.
    fn tell_open_windows(&self) {
        if !self.shared.until_idle {
            return;
        }
        match self.seats.iter().map(|seat| seat.task.open_windows()).sum::<Result<u64, _>>() {
            Ok(windows) => self.tell(Event::OpenWindows(windows)),
            Err(error) => tracing::warn!(%error, "open windows can't be counted"),
        }
    }

    fn tell_idle(&mut self, idle: bool) {
        if idle != self.told_idle {
            self.told_idle = idle;
            self.tell(Event::Idle { worker: self.number, idle });
        }
    }

    /// Nobody listens any more when the instance stops.
    fn tell(&self, event: Event) {
        drop(self.events.send(event));
    }

    /// Whether nobody wants anything from it.
    fn may_go_on(&self) -> bool {
        !self.ear.is_called() && !self.shared.stopping.load(Ordering::Relaxed)
    }

    fn stop_fetching(&mut self) {
        self.readers.clear();
        self.barred.try_all();
        self.fetcher = None;
    }
}

/// A record as Kafka takes it. To librdkafka, time 0 is none, and it would set its own; before that Kafka has no time.
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
        TaskError::Stopped { .. } | TaskError::OldDeployment { .. } | TaskError::Rest { .. } => Reaction::Stop(text),
    }
}
