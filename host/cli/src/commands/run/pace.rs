//! The pace of an instance, logged soon after the start and then once a minute.

use std::time::{Duration, Instant};

use anyhow::Result;
use millrace_engine::ledger::{CounterKind, Ledger};
use millrace_kafka::Lag;

use super::losses::LOG_INTERVAL;
use super::summary::Commits;

/// Time to the first log line, so that a short run has one, too.
const FIRST_LOG: Duration = Duration::from_secs(10);

/// The pace since it was last logged.
pub(super) struct Pace {
    since: Instant,
    until: Duration,
    /// Counts when it was last logged.
    before: Counts,
    commits: Commits,
}

/// Numbers of records, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    consumed: u64,
    produced: u64,
    dropped: u64,
    dead_lettered: u64,
}

/// What is logged.
#[derive(Debug, PartialEq)]
struct PaceLine {
    seconds: u64,
    in_per_s: u64,
    out_per_s: u64,
    dropped: u64,
    dead_lettered: u64,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Result<Self> {
        let (before, commits) = (Counts::default(), Commits::new()?);
        Ok(Self { since: now, until: FIRST_LOG, before, commits })
    }

    pub(super) fn committed(&mut self, took: Duration) {
        self.commits.add(took);
    }

    /// Logs the pace if it is time. `total` has the counts since the start.
    pub(super) fn log(&mut self, total: &Ledger, lag: Lag, now: Instant) {
        let Some(PaceLine { seconds, in_per_s, out_per_s, dropped, dead_lettered }) = self.line(total, now) else {
            return;
        };
        tracing::info!(
            seconds,
            in_per_s,
            out_per_s,
            lag = lag.records,
            partitions_of_unknown_lag = lag.unknown,
            partitions_not_read = lag.unread,
            dropped,
            dead_lettered,
            commits = self.commits.count(),
            commit_p50_ms = self.commits.quantile(0.5),
            commit_p99_ms = self.commits.quantile(0.99),
            "pace"
        );
        self.commits.clear();
    }

    fn line(&mut self, total: &Ledger, now: Instant) -> Option<PaceLine> {
        let passed = now.saturating_duration_since(self.since);
        if passed < self.until {
            return None;
        }
        let counts = Counts {
            consumed: total.consumed,
            produced: total.produced,
            dropped: total.total(CounterKind::Dropped),
            dead_lettered: total.total(CounterKind::DeadLettered),
        };
        let before = std::mem::replace(&mut self.before, counts);
        (self.since, self.until) = (now, LOG_INTERVAL);
        let per_second = |records: u64| (records as f64 / passed.as_secs_f64()).round() as u64;
        Some(PaceLine {
            seconds: passed.as_secs(),
            in_per_s: per_second(counts.consumed.saturating_sub(before.consumed)),
            out_per_s: per_second(counts.produced.saturating_sub(before.produced)),
            dropped: counts.dropped.saturating_sub(before.dropped),
            dead_lettered: counts.dead_lettered.saturating_sub(before.dead_lettered),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_logged_after_ten_seconds_and_then_once_a_minute() -> Result<()> {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut pace, mut total) = (Pace::new(start)?, Ledger::default());
        (total.consumed, total.produced) = (1_000, 500);
        total.count("sums", CounterKind::Dropped, "late", 7);
        assert_eq!(pace.line(&total, at(9)), None);
        let line = PaceLine { seconds: 10, in_per_s: 100, out_per_s: 50, dropped: 7, dead_lettered: 0 };
        assert_eq!(pace.line(&total, at(10)), Some(line));
        (total.consumed, total.produced) = (7_000, 560);
        total.count("sums", CounterKind::DeadLettered, "bad-value", 2);
        assert_eq!(pace.line(&total, at(69)), None);
        let line = PaceLine { seconds: 60, in_per_s: 100, out_per_s: 1, dropped: 0, dead_lettered: 2 };
        assert_eq!(pace.line(&total, at(70)), Some(line));
        Ok(())
    }
}
