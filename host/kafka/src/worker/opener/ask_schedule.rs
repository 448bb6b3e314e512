//! When the opener asks about tasks, and when it restores, on one thread. A request blocks for seconds where a broker
//! doesn't answer, again and again, and restoring must not stand still for that. So after each request, restoring has
//! at least as much time. New tasks needn't wait so long: they are asked about meanwhile, unless their brokers are
//! silent.

use std::time::{Duration, Instant};

/// How long to restore at least between two asks for tasks that have just come.
const NEW_TASK_WAIT: Duration = Duration::from_millis(500);

/// When the opener may ask next.
pub(super) struct AskSchedule {
    /// When the last ask ended.
    asked: Instant,
    /// Until then, restoring goes on.
    until: Instant,
}

/// The tasks that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskAbout {
    /// All that are due.
    All,
    /// Those that no request was about yet.
    New,
    None,
}

impl AskSchedule {
    pub(super) fn new(now: Instant) -> Self {
        Self { asked: now, until: now }
    }

    /// Which tasks to ask about now.
    pub(super) fn next(&self, restores: bool, now: Instant) -> AskAbout {
        match restores {
            true if now < self.until && now < self.asked + NEW_TASK_WAIT => AskAbout::None,
            true if now < self.until => AskAbout::New,
            _ => AskAbout::All,
        }
    }

    /// A request has taken so long. The time for new tasks comes on top of that for others.
    pub(super) fn asked(&mut self, took: Duration, now: Instant) {
        self.asked = now;
        self.until = self.until.max(now) + took;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many milliseconds of a minute are for restoring, if each request takes so long and each round of restoring
    /// 50 ms.
    fn restoring(ask: Duration) -> u128 {
        let (began, round) = (Instant::now(), Duration::from_millis(50));
        let (mut schedule, mut now, mut restored) = (AskSchedule::new(began), began, Duration::ZERO);
        while now < began + Duration::from_secs(60) {
            if schedule.next(true, now) == AskAbout::All {
                now += ask;
                schedule.asked(ask, now);
            }
            (now, restored) = (now + round, restored + round);
        }
        restored.as_millis()
    }

    #[test]
    fn restoring_has_half_of_the_time_however_long_a_request_takes() {
        for ask in [0, 10, 50, 1_000, 5_000, 10_000] {
            let restored = restoring(Duration::from_millis(ask));
            assert!(restored >= 30_000, "{restored} ms with asks of {ask} ms");
        }
    }

    #[test]
    fn the_next_request_does_not_wait_while_no_task_is_restored() {
        let now = Instant::now();
        let mut schedule = AskSchedule::new(now);
        schedule.asked(Duration::from_secs(5), now);
        assert_eq!(schedule.next(false, now), AskAbout::All);
        assert_eq!(schedule.next(true, now), AskAbout::None);
    }

    #[test]
    fn new_tasks_do_not_wait_as_long_as_the_last_request_took() {
        let now = Instant::now();
        let mut schedule = AskSchedule::new(now);
        schedule.asked(Duration::from_secs(5), now);
        assert_eq!(schedule.next(true, now + NEW_TASK_WAIT), AskAbout::New);
        schedule.asked(Duration::from_millis(5), now + NEW_TASK_WAIT);
        assert_eq!(
            schedule.next(true, now + NEW_TASK_WAIT + Duration::from_millis(10)),
            AskAbout::None,
            "restoring has its time"
        );
        assert_eq!(schedule.next(true, now + Duration::from_secs(6)), AskAbout::All);
    }
}
