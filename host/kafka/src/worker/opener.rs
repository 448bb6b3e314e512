//! Opening tasks, on a thread beside their worker's: a task that can't be opened yet holds no other one.
//!
//! ```text
//!               offsets are stable, partitions have leaders
//!   waiting ──────────────────────────────────────────────────▶ restoring ─────▶ handed over to the worker
//!      ▲  └─ not yet: asked again, later each time                  │
//!      └────────────────────────────────── its changelog is cut off ┘
//! ```
//!
//! A task that waits for long is logged, with the partition that it waits for and the reason. The wait may end at any
//! time, so neither the task nor its worker gives up.

mod answers;
mod ask_schedule;
mod missing_topics;
mod pending;
mod silent_brokers;
mod starts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use self::answers::{Answer, Answers, first_trouble};
use self::ask_schedule::{AskAbout, AskSchedule};
use self::pending::{OpeningStep, Pending};
use self::silent_brokers::SilentBrokers;
use super::{Event, Shared};
use crate::cluster::contradictions;
use crate::error::{Error, Reaction};
use crate::state::restore::{ChangelogGap, PartitionTrouble, Restore, fatal};
use crate::tasks::TaskId;
pub(super) use answers::{StartingPoint, TaskOffsets, stores};
pub(crate) use missing_topics::MissingTopics;
pub(super) use starts::check_state_has_offsets;

/// How long to wait for changelog records at a time.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// A worker takes tasks between two transactions, and begins to fetch anew: while tasks are restored, the ready ones
/// are handed over together.
const HANDOVER_INTERVAL: Duration = Duration::from_secs(1);

/// A changelog that was too short in every answer for so long has lost records.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// How long to ask about tasks before the ready ones are handed over.
const ASK_TIME_LIMIT: Duration = Duration::from_secs(1);

/// A task that is to be opened.
pub(super) struct OpenRequest {
    pub(super) task: TaskId,
    /// Its offsets, if it has stayed open.
    pub(super) stayed: Option<TaskOffsets>,
}

/// A task that is ready for its worker.
pub(super) enum Opened {
    /// It has stayed open, and its offsets are those committed.
    Stayed(TaskId),
    /// Its state is restored to the offsets at which it begins.
    Restored(TaskId, StartingPoint),
}

impl Opened {
    pub(super) fn task(&self) -> TaskId {
        match self {
            Self::Stayed(task) | Self::Restored(task, _) => *task,
        }
    }
}

/// The worker's end of the opener. When it is dropped, tasks that aren't handed over are opened no more.
pub(super) struct Opener {
    requests: Sender<Vec<OpenRequest>>,
    opened: Receiver<Result<Vec<Opened>, Reaction>>,
    stop: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Opener {
    pub(super) fn start(worker: usize, shared: Arc<Shared>, events: Sender<Event>) -> Result<Self, Reaction> {
        let (requests, heard) = channel();
        let (opened_sender, opened) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let own = Arc::clone(&shared);
        let opening = Opening {
            worker,
            shared,
            stop: Arc::clone(&stop),
            events,
            requests: heard,
            opened_sender,
            tasks: BTreeMap::new(),
            restores: Vec::new(),
            ready: Vec::new(),
            schedule: AskSchedule::new(Instant::now()),
            silent_brokers: SilentBrokers::default(),
            handed: Instant::now(),
        };
        let thread = thread::Builder::new().name(format!("opener-{worker}"));
        let started = thread.spawn(move || opening.run());
        started.map_err(|error| Reaction::Fail(Error::Thread(format!("a thread can't be started: {error}"))))?;
        Ok(Self { requests, opened, stop, shared: own })
    }

    /// Has tasks opened.
    pub(super) fn open(&self, requests: Vec<OpenRequest>) {
        // A thread that has ended has sent the reason.
        drop(self.requests.send(requests));
    }

    /// Tasks that can go on. Waits for nothing.
    ///
    /// # Errors
    /// The state can't be read or written, or something else that another attempt wouldn't mend.
    pub(super) fn opened(&self) -> Result<Vec<Opened>, Reaction> {
        match self.opened.try_recv() {
            Ok(opened) => opened,
            Err(TryRecvError::Empty) => Ok(Vec::new()),
            // The process stops, and so has the thread.
            Err(TryRecvError::Disconnected) if self.shared.stopping.load(Ordering::Relaxed) => Ok(Vec::new()),
            Err(TryRecvError::Disconnected) => {
                Err(Reaction::Fail(Error::Thread("the thread that opens tasks has panicked: a bug".into())))
            }
        }
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The thread's end.
struct Opening {
    worker: usize,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    events: Sender<Event>,
    requests: Receiver<Vec<OpenRequest>>,
    opened_sender: Sender<Result<Vec<Opened>, Reaction>>,
    tasks: BTreeMap<TaskId, Pending>,
    restores: Vec<Restore>,
    ready: Vec<Opened>,
    schedule: AskSchedule,
    silent_brokers: SilentBrokers,
    /// When tasks were handed over last.
    handed: Instant,
}

impl Opening {
    fn run(mut self) {
        while self.go_on() && self.receive_requests() {
            let round = self.ask_if_due().and_then(|()| self.restore());
            if let Err(reaction) = round {
                drop(self.opened_sender.send(Err(reaction)));
                return;
            }
            self.hand_over();
            let app = self.shared.settings.app();
            let stalled: Vec<_> = self.restores.iter().flat_map(|restore| restore.stalled(app)).collect();
            pending::log_waiting(&mut self.tasks, &stalled);
        }
    }

    fn go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !self.shared.stopping.load(Ordering::Relaxed)
    }

    /// Receives tasks to open, and waits for them where there is nothing else to do. False when the worker has dropped
    /// its end.
    fn receive_requests(&mut self) -> bool {
        let now = Instant::now();
        let due = |pending: &Pending| match pending.step {
            OpeningStep::Waiting { due } => due.saturating_duration_since(now),
            OpeningStep::Restoring { .. } => POLL_WAIT,
        };
        let heard = if self.tasks.is_empty() && self.ready.is_empty() {
            self.handed = now;
            self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            let wait = self.tasks.values().map(due).min().unwrap_or(POLL_WAIT).min(POLL_WAIT);
            self.requests.recv_timeout(if self.restores.is_empty() { wait } else { Duration::ZERO })
        };
        match heard {
            Ok(requests) => {
                let now = Instant::now();
                self.tasks
                    .extend(requests.into_iter().map(|OpenRequest { task, stayed }| (task, Pending::new(stayed, now))));
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Asks, if restoring has had its time.
    fn ask_if_due(&mut self) -> Result<(), Reaction> {
        let began = Instant::now();
        let of = self.schedule.next(!self.restores.is_empty(), began);
        if self.ask(of)? {
            self.schedule.asked(began.elapsed(), Instant::now());
        }
        Ok(())
    }

    /// Asks about the tasks that are due. Whether there are any.
    fn ask(&mut self, of: AskAbout) -> Result<bool, Reaction> {
        let now = Instant::now();
        let is_meant = |pending: &Pending| of == AskAbout::All || (of == AskAbout::New && pending.attempts == 0);
        let is_due =
            |pending: &Pending| matches!(pending.step, OpeningStep::Waiting { due } if due <= now) && is_meant(pending);
        let mut due: Vec<_> = self.tasks.iter().filter(|(_, pending)| is_due(pending)).map(|(task, _)| *task).collect();
        if due.is_empty() {
            return Ok(false);
        }
        let shared = Arc::clone(&self.shared);
        let mut answers = match Answers::ask(&shared, &due) {
            Ok(answers) => answers,
            Err(Error::Kafka(error)) => {
                for task in due {
                    let text = format!("committed offsets and changelogs can't be looked up: {error}");
                    self.put_off(task, first_trouble(&shared, task, text));
                }
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        self.check_missing(&answers)?;
        // A task whose broker doesn't answer takes long each time: it comes after the others.
        due.sort_by_cached_key(|task| {
            let attempts = self.tasks.get(task).map_or(0, |pending| pending.attempts);
            (self.silent_brokers.is_among(answers.leaders(*task), now), attempts)
        });
        let (mut all, asked) = (Vec::new(), Instant::now());
        let stop = Arc::clone(&self.stop);
        let go_on = || !stop.load(Ordering::Relaxed);
        for task in due {
            if !self.go_on() {
                return Ok(true);
            }
            let is_slow = self.silent_brokers.is_among(answers.leaders(task), now);
            // Ready tasks don't wait for it.
            let others = !all.is_empty() || !self.ready.is_empty() || of == AskAbout::New;
            if asked.elapsed() > ASK_TIME_LIMIT || (is_slow && others) {
                break;
            }
            let stayed = self.tasks.get(&task).and_then(|pending| pending.stayed.as_ref());
            let began = Instant::now();
            match answers.about(task, stayed, &go_on)? {
                Answer::NotYet(trouble) => {
                    let leader = answers.leader(&trouble.topic, trouble.partition);
                    if let Some(leader) = leader.filter(|_| began.elapsed() > ASK_TIME_LIMIT) {
                        self.silent_brokers.add(leader, Instant::now());
                    }
                    self.put_off(task, trouble);
                }
                Answer::Lost(trouble) => self.doubt(task, trouble)?,
                answer => all.extend(self.go_on_with(task, answer)),
            }
        }
        if !all.is_empty() && self.go_on() {
            let restore = Restore::start(shared.state(), all).map_err(fatal)?;
            self.publish(Event::Restoring { worker: self.worker, records: restore.left() });
            self.restores.push(restore);
        }
        Ok(true)
    }

    /// Notes that a task can begin. Gives the parts of changelogs that its state lacks.
    fn go_on_with(&mut self, task: TaskId, answer: Answer) -> Vec<ChangelogGap> {
        match answer {
            Answer::Begins { beginning, gaps, lease } if !gaps.is_empty() => {
                if let Some(pending) = self.tasks.get_mut(&task) {
                    pending.step = OpeningStep::Restoring { beginning, _lease: lease };
                    pending.trouble = None;
                }
                return gaps;
            }
            Answer::Begins { beginning, .. } => self.ready.push(Opened::Restored(task, beginning)),
            Answer::Stayed => self.ready.push(Opened::Stayed(task)),
            Answer::NotYet(_) | Answer::Lost(_) => return Vec::new(),
        }
        self.tasks.remove(&task);
        Vec::new()
    }

    /// Checks that no internal topic of the tasks has been deleted.
    fn check_missing(&mut self, answers: &Answers<'_>) -> Result<(), Reaction> {
        let now = Instant::now();
        match answers.internal().find(|(name, there)| self.shared.missing.is_gone(name, *there, now)) {
            None => Ok(()),
            Some((name, _)) => {
                Err(Reaction::Stop(Error::Setup(contradictions::deleted(self.shared.settings.app(), name))))
            }
        }
    }

    /// Restores some more of what is to be restored.
    fn restore(&mut self) -> Result<(), Reaction> {
        if !self.go_on() {
            return Ok(());
        }
        let wait = POLL_WAIT / u32::try_from(self.restores.len()).unwrap_or(1).max(1);
        let mut restores = std::mem::take(&mut self.restores);
        for restore in &mut restores {
            let round = restore.step(self.shared.state(), wait)?;
            if round.records > 0 {
                self.publish(Event::Restored { records: round.records });
            }
            for (task, trouble) in round.failed {
                self.put_off(task, trouble);
            }
            for task in round.done {
                if let Some(Pending { step: OpeningStep::Restoring { beginning, .. }, .. }) = self.tasks.remove(&task) {
                    self.ready.push(Opened::Restored(task, beginning));
                }
            }
        }
        restores.retain(|restore| !restore.is_over());
        self.restores = restores;
        Ok(())
    }

    /// A changelog of a task has lost records. A broker that was halted may believe for a moment that it still leads,
    /// and answer with an old end. So it is asked again until there is no doubt.
    fn doubt(&mut self, task: TaskId, trouble: PartitionTrouble) -> Result<(), Reaction> {
        let lost = self.tasks.get(&task).and_then(|pending| pending.lost);
        if lost.is_some_and(|since| since.elapsed() >= LOST_AFTER) {
            return Err(Reaction::Stop(Error::Setup(trouble.text)));
        }
        self.put_off(task, trouble);
        if let Some(pending) = self.tasks.get_mut(&task) {
            pending.lost = lost.or_else(|| Some(Instant::now()));
        }
        Ok(())
    }

    /// A task can't be opened yet.
    fn put_off(&mut self, task: TaskId, trouble: PartitionTrouble) {
        if let Some(pending) = self.tasks.get_mut(&task) {
            pending.put_off(trouble);
        }
    }

    fn hand_over(&mut self) {
        let is_time = self.restores.is_empty() || self.handed.elapsed() >= HANDOVER_INTERVAL;
        if is_time && !self.ready.is_empty() {
            self.handed = Instant::now();
            // A worker that has ended has no use for tasks.
            drop(self.opened_sender.send(Ok(std::mem::take(&mut self.ready))));
        }
    }

    /// While the instance stops, it has no use for events.
    fn publish(&self, event: Event) {
        drop(self.events.send(event));
    }
}
