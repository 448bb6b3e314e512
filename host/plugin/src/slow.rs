//! Slow rules are logged, with their time per record: records wait for them, and from outside a slow worker looks like
//! one that hangs.

use std::sync::atomic::{AtomicU64, Ordering};

use millrace_engine::ports::Group;

/// A rule is slow from this many ticks per record on.
const SLOW_TICKS: u64 = 10;

/// A function is judged after this many ticks in it: a short pause of the machine must not make it slow.
const SAMPLE_TICKS: u64 = 1_000;

/// Ticks until a function is logged again.
const LOG_INTERVAL_TICKS: u64 = 60_000;

/// The tick at which any worker last logged each function of a plugin; 0: never.
#[derive(Debug)]
pub(crate) struct SlowWarnings(Vec<AtomicU64>);

impl SlowWarnings {
    pub(crate) fn new(functions: usize) -> Self {
        Self(std::iter::repeat_with(AtomicU64::default).take(functions).collect())
    }

    /// Whether it is time to log a function. Only one of several workers gets true.
    fn is_due(&self, function: usize, now: u64) -> bool {
        let Some(last) = self.0.get(function) else { return false };
        let before = last.load(Ordering::Relaxed);
        let due = before == 0 || now.saturating_sub(before) >= LOG_INTERVAL_TICKS;
        due && last.compare_exchange(before, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The work of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallSize {
    /// Number of records that the guest will announce.
    pub(crate) records: u32,
    /// Number of results by which its time is judged: one for each record, and one for each group that asks for a value
    /// only.
    pub(crate) results: u32,
}

impl CallSize {
    /// The size of a call with records only.
    pub(crate) fn of(records: u32) -> Self {
        Self { records, results: records }
    }

    /// The size of a call of an aggregate, with this number of records in all groups.
    pub(crate) fn of_groups(records: u32, groups: &[Group<'_>]) -> Self {
        let values = groups.iter().filter(|group| group.entries.is_empty()).count();
        Self { records, results: records.saturating_add(u32::try_from(values).unwrap_or(u32::MAX)) }
    }

    /// Number of results that the guest had begun when it failed. Work before the first record counts for that record.
    /// It is unknown in a call without records, as values aren't announced.
    pub(crate) fn begun(self, records: u32) -> u32 {
        records.max(u32::from(self.records > 0))
    }
}

/// Ticks and results of a function since it was last judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    ticks: u64,
    results: u64,
}

impl Sample {
    /// Adds a call. Returns the ticks per result if the function is slow and should be logged. A call without results
    /// doesn't count.
    pub(crate) fn add(&mut self, ticks: u64, results: u64, said: (&SlowWarnings, usize), now: u64) -> Option<u64> {
        if results == 0 {
            return None;
        }
        self.ticks += ticks;
        self.results += results;
        if self.ticks < SAMPLE_TICKS {
            return None;
        }
        let each = self.ticks / self.results.max(1);
        *self = Self::default();
        (each >= SLOW_TICKS && said.0.is_due(said.1, now)).then_some(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_engine::ports::{Change, Message};

    #[test]
    fn a_slow_rule_is_logged_with_its_time_per_record_once_a_minute_by_one_worker() {
        let said = SlowWarnings::new(2);
        let (mut one, mut other) = (Sample::default(), Sample::default());
        assert_eq!(one.add(600, 4, (&said, 1), 10_000), None, "too few ticks to judge");
        assert_eq!(one.add(600, 4, (&said, 1), 10_600), Some(150));
        assert_eq!(other.add(2_000, 1, (&said, 1), 11_000), None, "the other worker has logged it");
        assert_eq!(other.add(2_000, 1, (&said, 0), 11_000), Some(2_000), "but not of this function");
        assert_eq!(one.add(2_000, 1, (&said, 1), 70_599), None);
        assert_eq!(one.add(2_000, 1, (&said, 1), 70_600), Some(2_000));
    }

    #[test]
    fn a_fast_rule_is_never_logged_however_many_records_it_processes() {
        let (said, mut sample) = (SlowWarnings::new(1), Sample::default());
        assert!((0..100).all(|call| sample.add(1_000, 500, (&said, 0), call * 1_000).is_none()));
    }

    #[test]
    fn a_call_without_results_does_not_count_as_slow() {
        let (said, mut sample) = (SlowWarnings::new(1), Sample::default());
        assert_eq!(sample.add(2_000, 0, (&said, 0), 10_000), None);
        assert_eq!(sample.add(1, 1, (&said, 0), 12_000), None, "its time isn't that of the next call");
    }

    #[test]
    fn a_window_that_closes_counts_like_a_record_but_is_not_announced() {
        let value = || Group { key: b"k", window: None, state: None, absorbed: Vec::new(), entries: Vec::new() };
        let message = Message { input: "in", key: None, value: None, timestamp: 0, headers: &[], window: None };
        let full = Group { entries: vec![(Change::Add, message); 3], ..value() };
        let values: Vec<_> = (0..1_000).map(|_| value()).collect();
        assert_eq!(CallSize::of_groups(0, &values), CallSize { records: 0, results: 1_000 });
        assert_eq!(CallSize::of_groups(0, &values).begun(0), 0);
        let mixed = CallSize::of_groups(3, &[value(), full]);
        assert_eq!((mixed, mixed.begun(0), mixed.begun(2)), (CallSize { records: 3, results: 4 }, 1, 2));
    }
}
