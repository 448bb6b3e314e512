//! Slow rules: named in the log, with the time that they take for a record.
//!
//! Records wait for such a rule, and from outside a worker that does little looks as one that hangs.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// What a worker has measured of a function since it was last judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    ticks: u64,
    records: u64,
}

impl Sample {
    /// Adds a call. Gives the ticks for a record when the function is to be named: it is slow, and that wasn't said for a
    /// while.
    pub(crate) fn add(&mut self, ticks: u64, records: u64, said: (&Said, usize), now: u64) -> Option<u64> {
        self.ticks += ticks;
        self.records += records;
        if self.ticks < SAMPLE {
            return None;
        }
        let each = self.ticks / self.records.max(1);
        *self = Self::default();
        (each >= SLOW && said.0.may_say(said.1, now)).then_some(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
