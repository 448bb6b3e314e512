//! The workers of an instance: started, watched, and replaced when they fail.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use millrace_engine::logic::Logic;
use millrace_engine::topology::OnWorkerFailure;

use crate::error::{Error, Reaction};
use crate::group::{MailboxSender, Member};
use crate::worker::{Event, Shared, Worker};

/// The most replacements within [`REPLACEMENTS_PERIOD`]: an error that comes again and again isn't mended by another
/// thread.
const REPLACEMENTS_LIMIT: usize = 5;

const REPLACEMENTS_PERIOD: Duration = Duration::from_secs(600);

/// How long to wait before a worker is replaced: at first, and at most; each time twice as long.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Makes the guest calls of a worker, on its thread.
pub type Guests = dyn Fn() -> Box<dyn Logic> + Send + Sync;

/// The workers.
pub(crate) struct WorkerPool {
    shared: Arc<Shared>,
    guests: Arc<Guests>,
    events: Sender<Event>,
    /// By number; none where a worker has ended without an error.
    threads: Vec<Option<Thread>>,
    replacements: Replacements,
}

/// Workers that are to be replaced, and those that were.
#[derive(Default)]
struct Replacements {
    /// Numbers of workers, and when another one takes over.
    due: BTreeMap<usize, Instant>,
    /// When workers failed lately.
    failed: VecDeque<Instant>,
    /// When workers failed lately because the disk was full.
    waited: VecDeque<Instant>,
}

impl Replacements {
    /// Notes that a worker has failed. Gives how long to wait before it is replaced; none if it isn't replaced any
    /// more.
    fn plan(&mut self, number: usize, error: &Error, now: Instant) -> Option<Duration> {
        // As often as it takes: a person has to free room on the disk.
        let (before, most) = match is_waited_for(error) {
            true => (&mut self.waited, usize::MAX),
            false => (&mut self.failed, REPLACEMENTS_LIMIT),
        };
        before.retain(|at| now.saturating_duration_since(*at) < REPLACEMENTS_PERIOD);
        let times = before.len();
        if times >= most {
            return None;
        }
        before.push_back(now);
        let wait = BACKOFF.0.saturating_mul(1 << times.min(16)).min(BACKOFF.1);
        self.due.insert(number, now + wait);
        Some(wait)
    }

    /// The workers to be replaced now.
    fn take_due(&mut self, now: Instant) -> Vec<usize> {
        let due: Vec<_> = self.due.iter().filter(|(_, at)| **at <= now).map(|(number, _)| *number).collect();
        self.due.retain(|number, _| !due.contains(number));
        due
    }
}

/// Whether the app waits until a person has mended it.
fn is_waited_for(error: &Error) -> bool {
    matches!(error, Error::Store(millrace_store::Error::Full { .. }))
}

/// A worker at work.
type Thread = JoinHandle<Result<(), Reaction>>;

impl WorkerPool {
    /// Starts them all, and connects them to the member.
    pub(crate) fn start(
        shared: Arc<Shared>,
        guests: Arc<Guests>,
        events: Sender<Event>,
        member: &Member,
    ) -> Result<Self, Error> {
        let count = shared.topology.settings.threads.max(1);
        let mut pool = Self { shared, guests, events, threads: Vec::new(), replacements: Replacements::default() };
        for number in 0..count {
            let thread = pool.spawn(number, member)?;
            pool.threads.push(Some(thread));
        }
        Ok(pool)
    }

    fn spawn(&self, number: usize, member: &Member) -> Result<Thread, Error> {
        let (sender, mailbox) = MailboxSender::new();
        let (shared, guests, events) = (Arc::clone(&self.shared), Arc::clone(&self.guests), self.events.clone());
        let run = move || Worker::new(number, shared, mailbox, events, guests()).run();
        let handle = thread::Builder::new().name(format!("worker-{number}")).spawn(run);
        let handle = handle.map_err(|error| Error::Thread(format!("a worker thread can't be started: {error}")))?;
        rdkafka::consumer::Consumer::context(member).connect(number, sender);
        Ok(handle)
    }

    /// Replaces workers that have ended with an error.
    ///
    /// # Errors
    /// One can't go on, and isn't to be replaced.
    pub(crate) fn replace_ended(&mut self, member: &Member) -> Result<(), Error> {
        for number in 0..self.threads.len() {
            let Some(slot) = self.threads.get_mut(number) else { continue };
            let Some(thread) = slot.take_if(|thread| thread.is_finished()) else { continue };
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(Reaction::Fail(Error::Hangs))) => self.replace_hanging(number, member)?,
                Ok(Err(Reaction::Stop(error))) => return Err(error),
                Ok(Err(Reaction::Fail(error))) => self.replace(number, error)?,
                Ok(Err(Reaction::Abort(reason) | Reaction::Unwritten(reason) | Reaction::Rebuild(reason))) => {
                    self.replace(number, Error::Thread(reason))?;
                }
                Ok(Err(Reaction::CutOff(step))) => {
                    self.replace(number, Error::Thread(format!("step `{step}` takes too long")))?;
                }
                Ok(Err(Reaction::Refused(_))) => {
                    self.replace(number, Error::Thread("brokers refuse records".into()))?;
                }
                Err(panic) => self.replace(number, Error::Thread(panic_text(panic.as_ref())))?,
            }
        }
        if self.shared.stopping.load(Ordering::SeqCst) {
            return Ok(());
        }
        for number in self.replacements.take_due(Instant::now()) {
            self.start_anew(number, member)?;
        }
        Ok(())
    }

    fn start_anew(&mut self, number: usize, member: &Member) -> Result<(), Error> {
        let thread = self.spawn(number, member)?;
        if let Some(slot) = self.threads.get_mut(number) {
            *slot = Some(thread);
        }
        Ok(())
    }

    /// A worker has waited in vain for a call into librdkafka. Its successor fences the effects of the call.
    fn replace_hanging(&mut self, number: usize, member: &Member) -> Result<(), Error> {
        if self.shared.stopping.load(Ordering::SeqCst) {
            // As where a last transaction can't be committed: the next owner of its tasks processes the records again.
            tracing::warn!(worker = number, "a call to Kafka hangs: the last transaction of a worker is not committed");
            return Ok(());
        }
        drop(self.events.send(Event::Recovering { worker: number, reason: Error::Hangs.to_string() }));
        tracing::error!(worker = number, "a call to Kafka hangs: another worker takes over from what is committed");
        self.start_anew(number, member)
    }

    fn replace(&mut self, number: usize, error: Error) -> Result<(), Error> {
        let stop = self.shared.topology.settings.on_worker_failure == OnWorkerFailure::Stop;
        // A worker that fails while the process stops isn't replaced: its transaction isn't committed.
        if stop || self.shared.stopping.load(Ordering::SeqCst) {
            return Err(error);
        }
        let Some(wait) = self.replacements.plan(number, &error, Instant::now()) else { return Err(error) };
        drop(self.events.send(Event::Recovering { worker: number, reason: error.to_string() }));
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::error!(
            worker = number,
            %error,
            wait_ms,
            "a worker failed: another one takes over from what is committed, after a while"
        );
        Ok(())
    }

    /// The way to the instance.
    pub(crate) fn events(&self) -> Sender<Event> {
        self.events.clone()
    }

    /// The numbers of the workers that haven't ended.
    pub(crate) fn running(&self) -> Vec<usize> {
        let threads = self.threads.iter().enumerate();
        threads.filter_map(|(number, thread)| thread.as_ref().map(|_| number)).collect()
    }

    /// Whether all have ended.
    pub(crate) fn have_all_ended(&self) -> bool {
        self.threads.iter().flatten().next().is_none()
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a worker panicked: {}", text.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Error {
        Error::Store(millrace_store::Error::Full { path: "data".into() })
    }

    fn other() -> Error {
        Error::Task("it fails".into())
    }

    #[test]
    fn a_worker_is_replaced_later_each_time_and_after_too_many_failures_not_at_all() {
        let (mut replacements, now) = (Replacements::default(), Instant::now());
        let waits: Vec<_> = (0..6).map(|_| replacements.plan(0, &other(), now)).collect();
        let seconds: Vec<_> = waits.iter().map(|wait| wait.map(|wait| wait.as_secs_f32())).collect();
        assert_eq!(seconds, [Some(0.5), Some(1.0), Some(2.0), Some(4.0), Some(8.0), None]);
        let later = now + REPLACEMENTS_PERIOD;
        assert_eq!(replacements.plan(0, &other(), later), Some(BACKOFF.0), "ten minutes later it is forgotten");
    }

    #[test]
    fn a_full_disk_is_waited_for_without_an_end() {
        let (mut replacements, now) = (Replacements::default(), Instant::now());
        let last = (0..1_000).map(|_| replacements.plan(0, &full(), now)).last();
        assert_eq!(last, Some(Some(BACKOFF.1)));
        assert_eq!(replacements.plan(0, &other(), now), Some(BACKOFF.0), "which isn't held against other failures");
    }

    #[test]
    fn each_place_is_filled_once_when_its_time_has_come() {
        let (mut replacements, now) = (Replacements::default(), Instant::now());
        replacements.plan(1, &other(), now);
        replacements.plan(0, &other(), now);
        assert_eq!(replacements.take_due(now), [0; 0]);
        assert_eq!(replacements.take_due(now + BACKOFF.0), [1]);
        assert_eq!(replacements.take_due(now + REPLACEMENTS_PERIOD), [0]);
        assert_eq!(replacements.take_due(now + REPLACEMENTS_PERIOD), [0; 0]);
    }
}
