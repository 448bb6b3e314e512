//! Slow rules: named in the log, with the time that they take for a record.
//!
//! Records wait for such a rule, and from outside a worker that does little looks as one that hangs.

use std::sync::atomic::{AtomicU64, Ordering};

use millrace_engine::ports::Group;

/// A rule that takes so many ticks for a record is slow.
const SLOW: u64 = 10;

/// Ticks in a function after which it is judged: many records, or some that take very long. A pause of the machine
/// doesn't make a rule slow.
const SAMPLE: u64 = 1_000;

/// Ticks until a function is named again.
const EVERY: u64 = 60_000;

/// When each function of a plugin was last named, by any worker; 0: never.
#[derive(Debug)]
pub(crate) struct Said(Vec<AtomicU64>);

impl Said {
    pub(crate) fn new(functions: usize) -> Self {
        Self(std::iter::repeat_with(AtomicU64::default).take(functions).collect())
    }

    /// Whether it is time to name a function. Of several workers one is told so.
    fn may_say(&self, function: usize, now: u64) -> bool {
        let Some(last) = self.0.get(function) else { return false };
        let before = last.load(Ordering::Relaxed);
        let due = before == 0 || now.saturating_sub(before) >= EVERY;
        due && last.compare_exchange(before, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// How much a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Records that the guest announces.
    pub(crate) records: u32,
    /// What it is judged by: one for each record, and one for each state of which only the value is asked.
    pub(crate) results: u32,
}

impl Size {
    /// Of a call that has nothing but records.
    pub(crate) fn of(records: u32) -> Self {
        Self { records, results: records }
    }

    /// Of a call of an aggregate, with so many records in all groups.
    pub(crate) fn of_groups(records: u32, groups: &[Group<'_>]) -> Self {
        let values = groups.iter().filter(|group| group.entries.is_empty()).count();
        Self { records, results: records.saturating_add(u32::try_from(values).unwrap_or(u32::MAX)) }
    }

    /// What the guest has worked at before it broke a rule: what came before the first record belongs to that one.
    /// Values aren't announced, so without records that isn't known.
    pub(crate) fn begun(self, records: u32) -> u32 {
        records.max(u32::from(self.records > 0))
    }
}

/// What a worker has measured of a function since it was last judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    ticks: u64,
    results: u64,
}

impl Sample {
    /// Adds a call. Gives the ticks for a result when the function is to be named: it is slow, and that wasn't said for a
    /// while. Of a call without results nothing can be said.
    pub(crate) fn add(&mut self, ticks: u64, results: u64, said: (&Said, usize), now: u64) -> Option<u64> {
        if results == 0 {
            return None;
        }
        self.ticks += ticks;
        self.results += results;
        if self.ticks < SAMPLE {
            return None;
        }
        let each = self.ticks / self.results.max(1);
        *self = Self::default();
        (each >= SLOW && said.0.may_say(said.1, now)).then_some(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_engine::ports::{Change, Message};

    #[test]
    fn a_slow_rule_is_named_with_its_time_for_a_record_once_a_minute_by_one_worker() {
        let said = Said::new(2);
        let (mut one, mut other) = (Sample::default(), Sample::default());
        assert_eq!(one.add(600, 4, (&said, 1), 10_000), None, "too little is known");
        assert_eq!(one.add(600, 4, (&said, 1), 10_600), Some(150));
        assert_eq!(other.add(2_000, 1, (&said, 1), 11_000), None, "the other one has said it");
        assert_eq!(other.add(2_000, 1, (&said, 0), 11_000), Some(2_000), "but not of this function");
        assert_eq!(one.add(2_000, 1, (&said, 1), 70_599), None);
        assert_eq!(one.add(2_000, 1, (&said, 1), 70_600), Some(2_000));
    }

    #[test]
    fn a_quick_rule_is_never_named_however_much_it_does() {
        let (said, mut sample) = (Said::new(1), Sample::default());
        assert!((0..100).all(|call| sample.add(1_000, 500, (&said, 0), call * 1_000).is_none()));
    }

    #[test]
    fn a_call_of_which_nothing_was_done_says_nothing_of_the_rule() {
        let (said, mut sample) = (Said::new(1), Sample::default());
        assert_eq!(sample.add(2_000, 0, (&said, 0), 10_000), None);
        assert_eq!(sample.add(1, 1, (&said, 0), 12_000), None, "its time isn't that of the next call");
    }

    #[test]
    fn windows_that_close_are_judged_like_records_and_are_none() {
        let value = || Group { key: b"k", window: None, state: None, absorbed: Vec::new(), entries: Vec::new() };
        let message = Message { input: "in", key: None, value: None, timestamp: 0, headers: &[], window: None };
        let full = Group { entries: vec![(Change::Add, message); 3], ..value() };
        let values: Vec<_> = (0..1_000).map(|_| value()).collect();
        assert_eq!(Size::of_groups(0, &values), Size { records: 0, results: 1_000 });
        assert_eq!(Size::of_groups(0, &values).begun(0), 0);
        let mixed = Size::of_groups(3, &[value(), full]);
        assert_eq!((mixed, mixed.begun(0), mixed.begun(2)), (Size { records: 3, results: 4 }, 1, 2));
    }
}
