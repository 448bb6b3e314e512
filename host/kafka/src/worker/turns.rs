//! Asking and restoring on one thread: an ask blocks for seconds where a broker doesn't answer, again and again, and what is
//! being restored meanwhile must not stand still for that. So behind each ask, restoring has at least as much time.

use std::time::{Duration, Instant};

/// Whose turn it is.
pub(super) struct Turns {
    /// Until then, restoring goes on.
    until: Instant,
}

impl Turns {
    pub(super) fn new(now: Instant) -> Self {
        Self { until: now }
    }

    /// Whether to ask. Where nothing is being restored, nobody waits for an ask to end.
    pub(super) fn may_ask(&self, restores: bool, now: Instant) -> bool {
        !restores || now >= self.until
    }

    /// An ask has taken so long.
    pub(super) fn asked(&mut self, took: Duration, now: Instant) {
        self.until = now + took;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a minute in which each ask takes so long and each round of restoring 50 ms: how much of it is for
    /// restoring, in milliseconds.
    fn restoring(ask: Duration) -> u128 {
        let (began, round) = (Instant::now(), Duration::from_millis(50));
        let (mut turns, mut now, mut restored) = (Turns::new(began), began, Duration::ZERO);
        while now < began + Duration::from_secs(60) {
            if turns.may_ask(true, now) {
                now += ask;
                turns.asked(ask, now);
            }
            (now, restored) = (now + round, restored + round);
        }
        restored.as_millis()
    }

    #[test]
    fn restoring_has_half_of_the_time_however_long_an_ask_takes() {
        for ask in [0, 10, 50, 1_000, 5_000, 10_000] {
            let restored = restoring(Duration::from_millis(ask));
            assert!(restored >= 30_000, "{restored} ms with asks of {ask} ms");
        }
    }

    #[test]
    fn where_nothing_is_restored_the_next_ask_does_not_wait() {
        let now = Instant::now();
        let mut turns = Turns::new(now);
        turns.asked(Duration::from_secs(5), now);
        assert!(turns.may_ask(false, now));
        assert!(!turns.may_ask(true, now));
    }
}
