//! The workers of an instance: started, watched, and replaced when they fail.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use millrace_engine::ports::Logic;
use millrace_engine::topology::OnWorkerFailure;

use crate::error::{Error, Reaction};
use crate::group::Member;
use crate::pulse::Pulse;
use crate::worker::{Event, Line, Shared, Worker};

/// So many replacements within [`WITHIN`] are enough: what fails again and again isn't mended by another thread.
const REPLACEMENTS: usize = 5;

const WITHIN: Duration = Duration::from_secs(600);

/// Makes the guest calls of a worker, on its thread.
pub type Guests = dyn Fn() -> Box<dyn Logic> + Send + Sync;

/// The workers.
pub(crate) struct Crew {
    shared: Arc<Shared>,
    guests: Arc<Guests>,
    events: Sender<Event>,
    /// By number; none where a worker has ended well.
    threads: Vec<Option<Thread>>,
    replaced: VecDeque<Instant>,
}

/// A worker at work.
struct Thread {
    handle: JoinHandle<Result<(), Reaction>>,
    pulse: Arc<Pulse>,
}

impl Crew {
    /// Starts them all, and connects them to the member.
    pub(crate) fn start(
        shared: Arc<Shared>,
        guests: Arc<Guests>,
        events: Sender<Event>,
        member: &Member,
    ) -> Result<Self, Error> {
        let count = shared.topology.settings.threads.max(1);
        let mut crew = Self { shared, guests, events, threads: Vec::new(), replaced: VecDeque::new() };
        for number in 0..count {
            let thread = crew.spawn(number, member)?;
            crew.threads.push(Some(thread));
        }
        Ok(crew)
    }

    fn spawn(&self, number: usize, member: &Member) -> Result<Thread, Error> {
        let (line, ear) = Line::new();
        let (shared, guests, events) = (Arc::clone(&self.shared), Arc::clone(&self.guests), self.events.clone());
        let pulse = Arc::new(Pulse::default());
        let own = Arc::clone(&pulse);
        let run = move || Worker::new(number, shared, own, ear, events, guests()).run();
        let handle = thread::Builder::new().name(format!("worker-{number}")).spawn(run);
        let handle = handle.map_err(|error| Error::Task(format!("a worker thread can't be started: {error}")))?;
        rdkafka::consumer::Consumer::context(member).connect(number, line);
        Ok(Thread { handle, pulse })
    }

    /// Looks after those that have ended.
    ///
    /// # Errors
    /// One can't go on, and isn't to be replaced.
    pub(crate) fn tend(&mut self, member: &Member) -> Result<(), Error> {
        for number in 0..self.threads.len() {
            let Some(slot) = self.threads.get_mut(number) else { continue };
            if slot.take_if(|thread| !thread.handle.is_finished() && thread.pulse.give_up()).is_some() {
                self.succeed(number, member)?;
                continue;
            }
            let Some(thread) = slot.take_if(|thread| thread.handle.is_finished()) else { continue };
            match thread.handle.join() {
                Ok(Ok(())) => {}
                Ok(Err(Reaction::Stop(error))) => return Err(error),
                Ok(Err(Reaction::Fail(error))) => self.replace(number, error, member)?,
                Ok(Err(Reaction::Abort(reason) | Reaction::Rebuild(reason))) => {
                    self.replace(number, Error::Task(reason), member)?;
                }
                Ok(Err(Reaction::Refused(_))) => {
                    self.replace(number, Error::Task("brokers refuse records".into()), member)?;
                }
                Err(panic) => self.replace(number, Error::Task(panic_text(panic.as_ref())), member)?,
            }
        }
        Ok(())
    }

    /// A worker doesn't come back from a call into librdkafka. Whatever the call was to do, the successor fences it.
    fn succeed(&mut self, number: usize, member: &Member) -> Result<(), Error> {
        tracing::error!(
            worker = number,
            "a worker hangs in a call to Kafka: another one takes over from what is committed"
        );
        if let Some(gate) = &self.shared.gate {
            gate.evict(number);
        }
        if self.shared.stopping.load(Ordering::SeqCst) {
            return Err(Error::Task(
                "a worker hangs in a call to Kafka, and its last transaction was not committed".into(),
            ));
        }
        let thread = self.spawn(number, member)?;
        if let Some(slot) = self.threads.get_mut(number) {
            *slot = Some(thread);
        }
        Ok(())
    }

    fn replace(&mut self, number: usize, error: Error, member: &Member) -> Result<(), Error> {
        self.replaced.retain(|at| at.elapsed() < WITHIN);
        let stop = self.shared.topology.settings.on_worker_failure == OnWorkerFailure::Stop;
        if stop || self.replaced.len() >= REPLACEMENTS {
            return Err(error);
        }
        tracing::error!(worker = number, %error, "a worker failed: another one takes over from what is committed");
        self.replaced.push_back(Instant::now());
        let thread = self.spawn(number, member)?;
        if let Some(slot) = self.threads.get_mut(number) {
            *slot = Some(thread);
        }
        Ok(())
    }

    /// Whether all have ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.threads.iter().flatten().next().is_none()
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a worker panicked: {}", text.unwrap_or("without a word"))
}
