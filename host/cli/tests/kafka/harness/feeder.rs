//! Sends the input: at once, or at a rate while a scenario goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::input::{Answer, Side};
use super::sender::{Parcel, Sender};

/// Records a second for the rest of the input. Without a limit, one topic would run ahead of the other by more than the
/// window of their join.
const HURRY: u32 = 4_000;

/// A delay is not made up for by a burst, for the same reason.
const BEHIND: Duration = Duration::from_millis(100);

/// A thread that sends.
pub struct Feeder {
    thread: Option<JoinHandle<()>>,
    pace: Arc<Pace>,
}

/// How it is told to be quicker, or to wait.
#[derive(Default)]
struct Pace {
    hurry: AtomicBool,
    hold: AtomicBool,
    stop: AtomicBool,
}

impl Feeder {
    /// Sends this input to the topics of an app, at this number of records a second; without a rate, as fast as
    /// possible.
    pub fn start(bootstrap: &str, app: &str, input: Arc<Vec<Answer>>, rate: Option<u32>) -> Self {
        let pace = Arc::new(Pace::default());
        let told = Arc::clone(&pace);
        let sender = Sender::new(bootstrap);
        let topics = [format!("{app}-payments"), format!("{app}-stock")];
        let thread = std::thread::spawn(move || feed(sender, &topics, &input, rate, &told));
        Self { thread: Some(thread), pace }
    }

    /// Whether it has ended, with or without success.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Pauses, or goes on.
    pub fn hold(&self, hold: bool) {
        self.pace.hold.store(hold, Ordering::Relaxed);
    }

    /// Sends the rest quickly, and waits until all records are acknowledged.
    pub fn finish(mut self) {
        self.pace.hurry.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the input could not be sent");
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.pace.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn feed(sender: Sender, topics: &[String; 2], input: &[Answer], rate: Option<u32>, pace: &Pace) {
    let mut due = Instant::now();
    for answer in input {
        let hurry = pace.hurry.load(Ordering::Relaxed);
        if let Some(rate) = rate.map(|rate| if hurry { HURRY.max(rate) } else { rate }) {
            due = due.max(Instant::now() - BEHIND) + Duration::from_secs(1) / rate;
        }
        // Between two records, reports of others are served: that is what it waits with.
        let waits = || Instant::now() < due || pace.hold.load(Ordering::Relaxed);
        while waits() && !pace.stop.load(Ordering::Relaxed) {
            sender.serve(Duration::from_millis(2));
        }
        if pace.stop.load(Ordering::Relaxed) {
            return;
        }
        sender.send(&Parcel {
            topic: &topics[usize::from(answer.side == Side::Stock)],
            partition: answer.partition,
            key: answer.key.as_deref(),
            value: answer.value.as_deref(),
            timestamp: answer.timestamp,
            headers: &[],
        });
    }
    assert_eq!(sender.finish(), input.len(), "input got lost on its way to the broker");
}
