//! The threads of an instance that follow topics: that of its deployments, and those of global tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use millrace_engine::deployment::{AppDeployments, PluginLoader};

use crate::control::follow::{FollowContext, follow};
use crate::error::Error;
use crate::state::globals::Globals;
use crate::worker::{Event, Shared};

/// How long to wait for the threads when the process stops.
pub(super) const FOLLOWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How often to look whether they have ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The threads that follow topics.
#[derive(Default)]
pub(super) struct Followers {
    threads: Vec<JoinHandle<Result<(), Error>>>,
    /// Tells the one that follows deployments to end.
    stop: Arc<AtomicBool>,
}

impl Followers {
    /// Starts to follow the app's deployments.
    pub(super) fn follow_deployments(
        &mut self,
        shared: Arc<Shared>,
        events: Sender<Event>,
        deployments: AppDeployments,
        loader: Arc<dyn PluginLoader>,
    ) -> Result<(), Error> {
        let stop = Arc::clone(&self.stop);
        let follow = move || {
            let held = |reason: Option<String>| {
                drop(events.send(reason.map_or(Event::Released, |reason| Event::Held { reason })));
            };
            let Shared { settings, cluster, topology, plugins, trials, rewrites, shadows, .. } = &*shared;
            let Shared { partitions, instance, host, .. } = &*shared;
            let context = FollowContext {
                settings,
                cluster,
                topology,
                loader: loader.as_ref(),
                current: plugins,
                trials,
                rewrites,
                partitions,
                shadows,
                instance,
                host,
                held: &held,
                stop: &stop,
            };
            follow(&context, deployments)
        };
        self.spawn("deployments", follow)
    }

    /// Starts to follow the topics of global tables.
    pub(super) fn follow_globals(&mut self, shared: Arc<Shared>, globals: Option<Globals>) -> Result<(), Error> {
        let (Some(globals), Some(barrier)) = (globals, shared.barrier.clone()) else { return Ok(()) };
        self.spawn("global-tables", move || globals.follow(&barrier, &shared.cluster, &shared.stopping))
    }

    fn spawn(&mut self, name: &str, follow: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Result<(), Error> {
        let thread = Builder::new().name(name.into()).spawn(follow);
        self.threads.push(thread.map_err(|error| Error::Thread(format!("no thread can be started: {error}")))?);
        Ok(())
    }

    /// A thread that follows topics ends by itself only with an error.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        let Some(ended) = self.threads.iter().position(JoinHandle::is_finished) else { return Ok(()) };
        match self.threads.swap_remove(ended).join() {
            Ok(result) => result,
            Err(_) => Err(Error::Thread("a thread that follows topics has panicked: a bug".into())),
        }
    }

    /// Tells the thread that follows deployments to end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the threads, but not for one that compiles a plugin or waits for a broker: the end of the process ends it,
    /// too.
    pub(super) fn join(&mut self) {
        let limit = Instant::now() + FOLLOWER_TIMEOUT;
        while self.threads.iter().any(|follower| !follower.is_finished()) && Instant::now() < limit {
            std::thread::park_timeout(LOOK_INTERVAL);
        }
        for follower in self.threads.drain(..).filter(JoinHandle::is_finished) {
            drop(follower.join());
        }
    }
}
