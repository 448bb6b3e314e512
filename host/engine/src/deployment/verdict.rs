//! Verdicts on canaries: three-valued, and from counts of both versions over the same time.

use super::counts::{GuestTime, TrialCounts};
use super::trial::CanaryPlan;
use crate::record::Timestamp;

/// Standard deviations by which a share of failures must be higher: less than once in two thousand verdicts by chance.
const SIGNIFICANT: f64 = 3.3;

/// The same for a single code, of which there are many.
const SIGNIFICANT_CODE: f64 = 4.0;

/// A share that is higher by less doesn't count, however many records show it.
const LEAST_DIFFERENCE: f64 = 0.001;

/// Fewer failures than this are chance: the test is one of many.
const LEAST_FAILURES: u64 = 5;

/// How many times as long a canary's calls may take.
const MOST_TIME: u64 = 2;

/// A difference of fewer nanoseconds for each record doesn't count.
const LEAST_NANOS: u64 = 10_000;

/// Nanoseconds that a call may take whatever its records need. A canary with a small share has few records in each of its
/// calls, often only one, where the active version has many.
const CALL_NANOS: u64 = 200_000;

/// What the counts say of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on to its next step.
    Good(String),
    /// It must not go on: a criterion is broken.
    Bad(String),
    /// There are too few records, or the step hasn't lasted long enough.
    Inconclusive(String),
}

impl Verdict {
    /// The reason, for people.
    pub fn reason(&self) -> &str {
        match self {
            Self::Good(reason) | Self::Bad(reason) | Self::Inconclusive(reason) => reason,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Good(_) => "good",
            Self::Bad(_) => "bad",
            Self::Inconclusive(_) => "inconclusive",
        }
    }
}

impl CanaryPlan {
    /// Judges a step by the counts of it.
    pub fn judge(&self, counts: &TrialCounts, now: Timestamp) -> Verdict {
        let (active, canary) = (&counts.active.counts, &counts.canary.counts);
        let fewest = active.records.min(canary.records);
        if fewest < self.min_records {
            return Verdict::Inconclusive(format!(
                "{} results of the canary and {} of the active version: both need {}",
                canary.records, active.records, self.min_records
            ));
        }
        let shares = |failed: (u64, u64)| [(failed.0, canary.records), (failed.1, active.records)];
        let failed = shares((canary.failed(), active.failed()));
        if is_higher(failed, SIGNIFICANT) {
            return Verdict::Bad(format!(
                "{} of its results failed, and {} of the active version's",
                said(failed[0]),
                said(failed[1])
            ));
        }
        for (code, n) in &canary.failures {
            let failed = shares((*n, active.failures.get(code).copied().unwrap_or(0)));
            if is_higher(failed, SIGNIFICANT_CODE) {
                return Verdict::Bad(format!(
                    "{} of its results failed with `{code}`, and {} of the active version's",
                    said(failed[0]),
                    said(failed[1])
                ));
            }
        }
        if let (Some(mine), Some(theirs)) = (counts.canary.time.each(), counts.active.time.each())
            && mine > theirs.saturating_mul(MOST_TIME)
            && (mine - theirs) as f64 > least_difference(&counts.canary.time, &counts.active.time)
        {
            let micros = |nanos: u64| nanos / 1_000;
            return Verdict::Bad(format!(
                "its calls take {} us for each record, and those of the active version {} us",
                micros(mine),
                micros(theirs)
            ));
        }
        let good = format!(
            "{} of its {} results failed, and {} of {} of the active version's",
            canary.failed(),
            canary.records,
            active.failed(),
            active.records
        );
        match self.since.saturating_add(self.each_ms).saturating_sub(now) {
            left if left > 0 => {
                Verdict::Inconclusive(format!("{good}; the step lasts {} s longer", (left + 999) / 1_000))
            }
            _ if self.paused => Verdict::Inconclusive(format!("{good}; it is paused")),
            _ => Verdict::Good(good),
        }
    }
}

/// Whether the first share is higher than the second by more than chance: a test of two proportions.
fn is_higher([canary, active]: [(u64, u64); 2], deviations: f64) -> bool {
    let share = |(n, of): (u64, u64)| n as f64 / (of as f64).max(1.0);
    let difference = share(canary) - share(active);
    let both = share((canary.0 + active.0, canary.1 + active.1));
    let spread = (both * (1.0 - both) * (1.0 / (canary.1 as f64).max(1.0) + 1.0 / (active.1 as f64).max(1.0))).sqrt();
    canary.0 >= LEAST_FAILURES && difference >= LEAST_DIFFERENCE && difference > deviations * spread
}

/// The nanoseconds for each record by which the canary's calls must take longer.
fn least_difference(canary: &GuestTime, active: &GuestTime) -> f64 {
    let price = LEAST_NANOS + CALL_NANOS.saturating_mul(canary.calls) / canary.records.max(1);
    SIGNIFICANT * canary.deviation().hypot(active.deviation()) + price as f64
}

fn said((n, of): (u64, u64)) -> String {
    format!("{n} of {of} ({:.1}%)", 100.0 * n as f64 / (of as f64).max(1.0))
}
