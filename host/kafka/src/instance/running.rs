//! The running instance: it follows the group, and looks after its workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use millrace_engine::deployment::{AppDeployments, Flooded, PluginLoader};
use millrace_store::Database;
use rdkafka::consumer::Consumer;

use super::Report;
use super::followers::{FOLLOWER_TIMEOUT, Followers};
use super::idle::Idle;
use super::lifecycle::State;
use super::pool::{Guests, WorkerPool};
use super::purge::Purge;
use crate::client::settings::wrong_settings;
use crate::error::codes::{Class, class};
use crate::error::{Error, code};
use crate::group::{JoinRefusal, Member, Membership};
use crate::state::globals::Globals;
use crate::worker::{Event, Lag, Shared};

/// How long workers may take to finish when the process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait until the member has left the group.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(4);

/// How long supervisors such as Kubernetes wait before they kill a process. Some of it is left for closing files and
/// connections.
const TERMINATION_GRACE: Duration = Duration::from_secs(30);

const _: () = assert!(
    DRAIN_TIMEOUT.as_secs() + LEAVE_TIMEOUT.as_secs() + FOLLOWER_TIMEOUT.as_secs() + 4 <= TERMINATION_GRACE.as_secs(),
    "a stop is over before it is cut off"
);
const _: () = assert!(
    crate::client::calls::CALL_TIMEOUT_AT_STOP.as_secs() < DRAIN_TIMEOUT.as_secs(),
    "a worker that hangs is given up before"
);

/// How often it is logged that the instance waits outside of the group.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// How often the lag is reported.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait for events of the group at a time.
const GROUP_POLL_WAIT: Duration = Duration::from_millis(20);

/// The longest that changes of windows are on no disk: they have no write-ahead log, and their changelogs don't keep
/// them for ever.
const UNFLUSHED_TTL: Duration = Duration::from_secs(30);

/// Flushes the windows that were written to the local state and have been in memory only for long enough, also when
/// nothing more comes.
fn flush_old(database: &Database) {
    // The workers' next writes fail with the same error, and they handle it.
    if let Err(error) = database.flush_older_than(UNFLUSHED_TTL) {
        tracing::warn!(%error, "the local state can't be flushed");
    }
}

/// A running instance.
pub(super) struct Instance<'t> {
    shared: Arc<Shared>,
    pool: WorkerPool,
    events: Receiver<Event>,
    state: State,
    /// Workers whose tasks are all open.
    ready: BTreeSet<usize>,
    idle: Idle,
    /// The lag of each worker, and when their sum was reported last.
    lags: BTreeMap<usize, Lag>,
    lag_reported: Instant,
    /// The threads that follow deployments and the topics of global tables.
    followers: Followers,
    rebalances: u64,
    /// Why the group refuses the member.
    refusal: JoinRefusal,
    /// Why the instance has left the group, and when that was logged last.
    held: Option<(String, Instant)>,
    /// Whether it may join the group again.
    joins_again: bool,
    until_idle: bool,
    purge: Purge,
    report: &'t mut dyn FnMut(Report<'_>),
}

impl<'t> Instance<'t> {
    /// Starts the workers, and joins the group.
    pub(super) fn join(
        shared: Arc<Shared>,
        guests: Arc<Guests>,
        until_idle: bool,
        report: &'t mut dyn FnMut(Report<'_>),
    ) -> Result<Self, Error> {
        let membership = Membership::new(Arc::clone(&shared.topology), Arc::clone(&shared.partitions));
        let config = shared.settings.member(membership.cut());
        let member: Member = config.create_with_context(membership).map_err(wrong_settings)?;
        let member = shared.member.get_or_init(|| member);
        let (sender, events) = channel();
        let pool = WorkerPool::start(Arc::clone(&shared), guests, sender, member)?;
        member.subscribe(&member.context().inputs())?;
        let mut instance = Self {
            pool,
            events,
            state: State::Created,
            ready: BTreeSet::new(),
            idle: Idle::new(),
            lags: BTreeMap::new(),
            lag_reported: Instant::now(),
            followers: Followers::default(),
            rebalances: 0,
            refusal: JoinRefusal::default(),
            held: None,
            joins_again: false,
            until_idle,
            purge: Purge::new(),
            report,
            shared: Arc::clone(&shared),
        };
        instance.transition(State::Rebalancing);
        Ok(instance)
    }

    /// Starts to follow the app's deployments, and the topics of its global tables.
    pub(super) fn follow(
        &mut self,
        globals: Option<Globals>,
        deployments: AppDeployments,
        loader: Arc<dyn PluginLoader>,
    ) -> Result<(), Error> {
        let (shared, events) = (Arc::clone(&self.shared), self.pool.events());
        self.followers.follow_globals(Arc::clone(&shared), globals)?;
        self.followers.follow_deployments(shared, events, deployments, loader)
    }

    pub(super) fn run(&mut self, stop: &AtomicBool) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let Some(member) = shared.member.get() else { return Ok(()) };
        while !stop.load(Ordering::Relaxed) && !self.is_all_done(member) {
            self.followers.check()?;
            if self.until_idle && shared.trials.waits_for_a_user() {
                return Err(Error::Setup(Flooded::HELD.into()));
            }
            self.run_once(member)?;
            self.pool.replace_ended(member)?;
            self.purge.run(&shared);
            flush_old(&shared.database);
        }
        Ok(())
    }

    /// One round: events of the group, then events of the workers.
    fn run_once(&mut self, member: &Member) -> Result<(), Error> {
        if let Some(Err(error)) = member.poll(GROUP_POLL_WAIT) {
            tracing::debug!(%error, "the group says");
            self.refusal.note_error(&error, Instant::now())?;
            if code(&error).is_some_and(|code| class(code) == Class::Topic) {
                member.context().suspect_unread();
            }
        }
        if let Some((code, text)) = member.client().fatal_error() {
            return Err(Error::Setup(format!("the group refuses this instance: {text} ({code})")));
        }
        self.note_rebalance(member);
        member.context().settle(&self.shared.cluster)?;
        if self.held.is_none() {
            member.context().look_after_unread(member, &self.shared.cluster);
        }
        self.log_refusal(member);
        self.handle_events();
        self.report_lag();
        self.stay_out(member);
        if std::mem::take(&mut self.joins_again) {
            member.subscribe(&member.context().inputs())?;
        }
        let all = self.ready.len() >= self.shared.topology.settings.threads.max(1);
        self.transition(match (member.context().assigned(), all) {
            (None, _) => State::Rebalancing,
            (Some(_), false) => State::Restoring,
            (Some(_), true) if self.is_degraded(member) => State::Degraded,
            (Some(_), true) => State::Running,
        });
        Ok(())
    }

    fn handle_events(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.handle_event(event);
        }
    }

    /// Forgets the state of the last assignment, before the workers get the new one. Their events until then belong to
    /// the last one too.
    fn note_rebalance(&mut self, member: &Member) {
        let rebalances = member.context().rebalances();
        if rebalances != self.rebalances {
            self.handle_events();
            self.rebalances = rebalances;
            self.purge.forget();
            self.ready.clear();
            self.lags.clear();
            self.idle.forget();
            self.refusal.clear();
        }
    }

    /// Whether there is an input that it can't read.
    fn is_degraded(&self, member: &Member) -> bool {
        self.lags.values().any(|lag| lag.unread > 0) || member.context().misses_an_input()
    }

    fn report_lag(&mut self) {
        // A worker that hasn't published its lag since the last rebalance may have any backlog.
        let all = self.lags.len() >= self.shared.topology.settings.threads.max(1);
        if self.lag_reported.elapsed() < LAG_INTERVAL || !all {
            return;
        }
        self.lag_reported = Instant::now();
        let mut sum = Lag::default();
        self.lags.values().for_each(|lag| sum += *lag);
        (self.report)(Report::Lag(sum));
    }

    /// Logs why it isn't in the group, while it isn't.
    fn log_refusal(&mut self, member: &Member) {
        if member.context().assigned().is_none()
            && let Some(reason) = self.refusal.take_due(Instant::now())
        {
            tracing::warn!(reason, "the group doesn't take this process, which tries again");
        }
    }

    /// Stays out of the group if there is a task that it can't run: the group would assign it the task again and again.
    fn stay_out(&mut self, member: &Member) {
        let Some((reason, logged)) = &mut self.held else { return };
        if member.context().assigned().is_some() {
            member.unsubscribe();
        }
        if logged.elapsed() >= LOG_INTERVAL {
            *logged = Instant::now();
            tracing::warn!(reason, "waiting outside of the group");
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Held { reason } => {
                tracing::error!(reason, "this process can't run the active version of a plugin, and leaves the group");
                self.held = Some((reason, Instant::now()));
            }
            Event::Released => {
                tracing::info!("this process can run the active versions of its plugins, and joins the group again");
                self.held = None;
                self.joins_again = true;
            }
            Event::Restoring { worker, records } => {
                self.ready.remove(&worker);
                (self.report)(Report::Restoring(records));
            }
            Event::Restored { records } => (self.report)(Report::Restored(records)),
            Event::Running { worker } => drop(self.ready.insert(worker)),
            Event::Committed(commit) => {
                self.idle.committed();
                self.purge.note(&commit.purgeable);
                (self.report)(Report::Committed(&commit.ledger, commit.took));
            }
            Event::Lag { worker, lag } => drop(self.lags.insert(worker, lag)),
            Event::OpenWindows(windows) => (self.report)(Report::OpenWindows(windows)),
            Event::Idle { worker, idle } => self.idle.set_idle(worker, idle),
            Event::Recovering { worker, reason } => {
                self.ready.remove(&worker);
                self.idle.set_idle(worker, false);
                (self.report)(Report::Recovering(&reason));
            }
        }
    }

    /// Whether there is nothing left to do, and the instance stops then.
    fn is_all_done(&mut self, member: &Member) -> bool {
        match (self.until_idle, self.held.is_some()) {
            (false, _) => false,
            // Other processes do the rest.
            (true, true) => self.idle.is_all_read(&self.shared, member),
            (true, false) => self.state == State::Running && self.idle.is_all_done(&self.shared, member),
        }
    }

    /// Tells the workers to stop, and waits until they have committed and ended.
    pub(super) fn drain(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        self.transition(State::Draining);
        self.followers.stop();
        self.shared.stopping.store(true, Ordering::SeqCst);
        let limit = Instant::now() + DRAIN_TIMEOUT;
        let shared = Arc::clone(&self.shared);
        let Some(member) = shared.member.get() else { return result };
        member.context().stop_by(limit);
        let mut result = result;
        while !self.pool.have_all_ended() {
            drop(member.poll(GROUP_POLL_WAIT));
            result = result.and(self.pool.replace_ended(member));
            self.handle_events();
            if Instant::now() > limit {
                let (workers, seconds) = (self.pool.running(), DRAIN_TIMEOUT.as_secs());
                result = result.and(Err(Error::Thread(format!(
                    "workers {workers:?} didn't finish within {seconds} s: what they had open isn't committed, and is \
                     processed again at the next start"
                ))));
                break;
            }
        }
        self.leave(member);
        // Windows have no write-ahead log.
        let result = result.and(shared.database.flush().map_err(Error::from));
        self.followers.join();
        result
    }

    /// Leaves the group, so that its partitions needn't wait for the session timeout.
    fn leave(&self, member: &Member) {
        member.unsubscribe();
        let limit = Instant::now() + LEAVE_TIMEOUT;
        while member.context().assigned().is_some() && Instant::now() < limit {
            drop(member.poll(GROUP_POLL_WAIT));
        }
    }

    pub(super) fn transition(&mut self, wanted: State) {
        let next = self.state.towards(wanted);
        if next != self.state {
            tracing::info!(from = %self.state, to = %next, "state");
            self.state = next;
            (self.report)(Report::State(next));
        }
    }
}
