//! Verdicts on canaries: three-valued, and from counts of both versions over the same time.

use std::collections::BTreeMap;

use super::Act;
use super::counts::TrialCounts;
use super::trial::CanaryPlan;
use crate::record::Timestamp;

/// The natural logarithm of the inverse probability, at most, that a canary that is no worse fails so often: one in a
/// million.
const SIGNIFICANT: f64 = 13.8;

/// The same for a single code, of which there may be a hundred.
const SIGNIFICANT_CODE: f64 = 18.4;

/// A share that is higher by less doesn't count, however many records show it.
const LEAST_DIFFERENCE: f64 = 0.001;

/// How many times as long a canary's calls may take.
const MOST_TIME: u64 = 2;

/// A difference of fewer nanoseconds for each record doesn't count.
const LEAST_NANOS: u64 = 10_000;

/// A verdict on a canary, from its counts.
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
    /// The act that follows for a canary in this step, and the reason; none while there is no verdict.
    pub fn act(self, plugin: &str, generation: u32, plan: &CanaryPlan) -> Option<(Act, String)> {
        let plugin = plugin.to_owned();
        match self {
            Self::Inconclusive(_) => None,
            Self::Good(reason) => {
                let step = Some(plan.step);
                Some((Act::Advance { plugin, generation, step, fully: false, judged: true }, reason))
            }
            Self::Bad(reason) => Some((Act::Abort(BTreeMap::from([(plugin, generation)])), reason)),
        }
    }

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
        if let Some(reason) = self.is_slow(counts) {
            return Verdict::Bad(reason);
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
            _ if self.is_last_below_all() => {
                Verdict::Inconclusive(format!("{good}; it stays in its last step until it is promoted"))
            }
            _ if self.paused => Verdict::Inconclusive(format!("{good}; it is paused")),
            _ => Verdict::Good(good),
        }
    }
}

impl CanaryPlan {
    /// The reason, if the calls of the canary take much longer.
    fn is_slow(&self, counts: &TrialCounts) -> Option<String> {
        let (mine, theirs) = counts.canary.time.comparable(&counts.active.time, self.min_records)?;
        let (mine, theirs) = (mine.median(), theirs.median());
        let much = mine > theirs.saturating_mul(MOST_TIME) && mine - theirs > LEAST_NANOS;
        let micros = |nanos: u64| nanos as f64 / 1_000.0;
        let (mine, theirs) = (micros(mine), micros(theirs));
        much.then(|| {
            format!("half of its records take more than {mine:.1} us each, and of the active version's {theirs:.1} us")
        })
    }
}

/// Whether the first share is higher than the second by more than chance. If both versions were alike, each failure would be
/// one of the canary's with the probability of its share of the results: Chernoff's bound for the binomial distribution,
/// which holds for small numbers, too.
fn is_higher([canary, active]: [(u64, u64); 2], significant: f64) -> bool {
    let share = |n: u64, of: u64| n as f64 / (of as f64).max(1.0);
    let failures = canary.0 + active.0;
    let (found, expected) = (share(canary.0, failures), share(canary.1, canary.1 + active.1));
    let part = |found: f64, expected: f64| if found > 0.0 { found * (found / expected).ln() } else { 0.0 };
    let divergence = part(found, expected) + part(1.0 - found, 1.0 - expected);
    found > expected
        && share(canary.0, canary.1) - share(active.0, active.1) >= LEAST_DIFFERENCE
        && failures as f64 * divergence > significant
}

fn said((n, of): (u64, u64)) -> String {
    format!("{n} of {of} ({:.1}%)", 100.0 * n as f64 / (of as f64).max(1.0))
}
