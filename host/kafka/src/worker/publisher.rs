//! The worker's end of the channel to the instance, and its last published state.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::Event;

/// How often the lag is published: to find it out takes a look at each input.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// The worker's end of the channel to the instance.
pub(super) struct Publisher {
    worker: usize,
    events: Sender<Event>,
    /// Whether the worker was idle when that was published last.
    idle: bool,
    /// When the lag was published last.
    lag_at: Instant,
}

impl Publisher {
    pub(super) fn new(worker: usize, events: Sender<Event>) -> Self {
        Self { worker, events, idle: false, lag_at: Instant::now() }
    }

    /// The same channel, for a thread beside the worker.
    pub(super) fn sender(&self) -> Sender<Event> {
        self.events.clone()
    }

    /// While the instance stops, it has no use for events.
    pub(super) fn publish(&self, event: Event) {
        drop(self.events.send(event));
    }

    /// Publishes whether the worker has nothing to do, where that has changed.
    pub(super) fn publish_idle(&mut self, idle: bool) {
        if idle != self.idle {
            self.idle = idle;
            self.publish(Event::Idle { worker: self.worker, idle });
        }
    }

    /// The instance takes the worker for busy after an assignment or a failure.
    pub(super) fn forget_idle(&mut self) {
        self.idle = false;
    }

    /// Whether it is time to publish the lag. Once it has said so, not again for a while.
    pub(super) fn take_lag_due(&mut self) -> bool {
        let is_due = self.lag_at.elapsed() >= LAG_INTERVAL;
        if is_due {
            self.lag_at = Instant::now();
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_worker_publishes_that_it_is_idle_only_when_that_changes() {
        let (sender, events) = channel();
        let mut publisher = Publisher::new(3, sender);
        for idle in [false, true, true, false, true] {
            publisher.publish_idle(idle);
        }
        publisher.forget_idle();
        publisher.publish_idle(true);
        let idle = |event| matches!(event, Event::Idle { worker: 3, idle: true });
        assert_eq!(events.try_iter().map(idle).collect::<Vec<_>>(), [true, false, true, true]);
    }
}
