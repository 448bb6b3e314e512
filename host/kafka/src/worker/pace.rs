//! How much of a task's work goes into a run, so that transactions end in time whatever its rules take.
//!
//! How long a rule takes for a record is unknown before it has run. So a task begins with one record and doubles that
//! while runs are short. A run that takes too long all the same is cut off: the changes of its transaction are dropped,
//! and its records come one by one. One record alone can't be cut; if it may take longer than the open transaction has
//! time, the records before it are committed first. Batches can't be seen, so none of this changes a result.
//!
//! A record with many results is processed in passes, whose time is bounded like that of runs: a pass that has taken
//! too long is followed by a smaller one.
//!
//! The same goes for results that wait for a commit: rules of later steps run at the commit, for all tasks of the
//! worker together. Where a single record takes too long there, its results come after the commit, in runs like any
//! other, and alone like a slow record.
//!
//! ```text
//!              ran quickly: twice as many
//!              ┌──────┐
//!              ▼      │   cut off                     cut off
//!   one ────▶ many ───┴─────────────▶ one by one ──────────────▶ those before it, commit, alone
//!              ▲   as many done           │                             │
//!              └──────────────────────────┴─────────────────────────────┘
//! ```

use std::collections::HashMap;
use std::time::Duration;

use millrace_engine::task::PASS_BYTES;

use super::processing::WorkKind;
use crate::tasks::TaskId;

/// How long a run is meant to take: commits and rebalances wait for its end.
const RUN_TARGET: Duration = Duration::from_millis(100);

/// The smallest pass: one that holds a single result for certain.
const MIN_PASS_BYTES: usize = 512;

/// How long the results that wait for a commit may take in later steps at that commit: those of all its tasks together.
const FLUSH_TARGET: Duration = Duration::from_millis(500);

/// For so many commits, results that took too long at a commit come after it, where each may take as long as it needs.
const COMMITS_FLUSHED_BEHIND: u32 = 16;

/// How quickly each task works: on records, and on timers.
pub(super) type Paces = HashMap<(TaskId, WorkKind), Pace>;

/// How quickly a task works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// How many records the next run has.
    limit: usize,
    /// How many records come again before those that come one by one. They were quick.
    quick: usize,
    /// How many records come one by one behind them: one of these takes long.
    one_by_one: usize,
    /// After how many records comes one that has to be alone in its transaction.
    alone_after: Option<usize>,
    /// How many records a transaction may have.
    in_transaction: usize,
    /// For how many commits the results that wait for them come after them.
    behind: u32,
    /// About how many bytes the next pass of a run puts out.
    pass: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            limit: 1,
            quick: 0,
            one_by_one: 0,
            alone_after: None,
            in_transaction: usize::MAX,
            behind: 0,
            pass: PASS_BYTES,
        }
    }
}

impl Pace {
    /// How many records the next run may have.
    pub(super) fn limit(&self) -> usize {
        let limit = match self.quick {
            0 if self.one_by_one > 0 => 1,
            0 => self.limit.min(self.in_transaction),
            quick => self.limit.min(self.in_transaction).min(quick),
        };
        match self.alone_after {
            Some(0) => 1,
            Some(before) => limit.min(before),
            None => limit,
        }
    }

    /// Whether the next record has to be alone in its transaction: it may take long itself, or at the commit.
    pub(super) fn is_alone(&self) -> bool {
        self.alone_after == Some(0) || self.is_slow_at_commits()
    }

    /// Whether the results that a single record leaves for a commit may take so long that nothing else fits into the
    /// transaction.
    fn is_slow_at_commits(&self) -> bool {
        self.in_transaction == 1
    }

    /// Which part of the time at a commit so many records take. A transaction with 1 has enough.
    pub(super) fn share(&self, records: usize) -> f32 {
        records as f32 / self.in_transaction as f32
    }

    /// About how many bytes the next pass may put out.
    pub(super) fn pass(&self) -> usize {
        self.pass
    }

    /// A run over so many records has taken so long. No run has more than `most`; one that is `long` has hardly any
    /// time left in an open transaction.
    pub(super) fn ran(&mut self, records: usize, took: Duration, most: usize, long: Duration) {
        let records = records.max(1);
        self.alone_after = match self.alone_after {
            // The next one may be no quicker. If it is, this is over.
            _ if records == 1 && took >= long => Some(0),
            None | Some(0) => None,
            Some(before) => Some(before.saturating_sub(records)),
        };
        let again = records.min(self.quick);
        self.quick -= again;
        self.one_by_one = self.one_by_one.saturating_sub(records - again);
        let grown = self.limit.max(records.saturating_mul(2));
        self.limit = grown.min(fitting(records, took, RUN_TARGET)).clamp(1, most.max(1));
    }

    /// A pass has taken so long, and its run isn't done.
    pub(super) fn passed(&mut self, took: Duration) {
        let fits = fitting(self.pass, took, RUN_TARGET);
        self.pass = fits.min(self.pass.saturating_mul(2)).clamp(MIN_PASS_BYTES, PASS_BYTES);
    }

    /// A run that was to have so many records was cut off. `before` of the task were in the transaction already, and
    /// come again first; if it comes before it was to be alone, that was wrong, and the next one is alone.
    pub(super) fn cut_off(&mut self, records: usize, before: usize) {
        self.limit = 1;
        // It may have been one record, for which much comes out.
        self.pass = (self.pass / 16).max(MIN_PASS_BYTES);
        match records {
            0 | 1 => self.alone_after = Some(if self.alone_after.is_some() { 0 } else { before }),
            _ => (self.quick, self.one_by_one) = (before, records),
        }
    }

    /// At a commit, the results that so many records have left for it have taken so long. Records that have left none
    /// say nothing about others.
    pub(super) fn flushed(&mut self, records: usize, took: Option<Duration>) {
        let Some(took) = took else { return };
        let records = records.max(1);
        let fits = fitting(records, took, FLUSH_TARGET);
        self.in_transaction = if fits >= records.saturating_mul(16) { usize::MAX } else { fits };
    }

    /// The results have taken too long, and the commit was given up.
    pub(super) fn flush_cut_off(&mut self, records: usize) {
        self.in_transaction = (records / 16).max(1);
        if records <= 1 {
            self.behind = COMMITS_FLUSHED_BEHIND;
        }
    }

    /// Whether the results that wait for a commit come after it, in runs like any other, since no smaller transaction
    /// is possible.
    pub(super) fn flushes_behind(&mut self) -> bool {
        let behind = self.behind > 0;
        self.behind = self.behind.saturating_sub(1);
        behind
    }
}

/// How many records fit into a time, if so many have taken so long.
fn fitting(records: usize, took: Duration, time: Duration) -> usize {
    let fits = (records as u128).saturating_mul(time.as_micros()) / took.as_micros().max(1);
    usize::try_from(fits).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 500;
    const LONG: Duration = Duration::from_secs(2);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Runs as many records as it may, each of which takes so long. Gives how many that were.
    fn run(pace: &mut Pace, each: Duration) -> usize {
        let records = pace.limit();
        pace.ran(records, each * records as u32, MOST, LONG);
        records
    }

    #[test]
    fn a_task_begins_with_one_record_and_doubles_while_its_rule_is_quick() {
        let mut pace = Pace::default();
        let runs: Vec<_> = (0..11).map(|_| run(&mut pace, Duration::from_micros(5))).collect();
        assert_eq!(runs, [1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 500]);
    }

    #[test]
    fn as_many_records_go_into_a_run_as_take_a_tenth_of_a_second() {
        for (each, expected) in [(7, 14), (40, 2), (150, 1), (5_000, 1)] {
            let mut pace = Pace::default();
            let runs: Vec<_> = (0..20).map(|_| run(&mut pace, millis(each))).collect();
            assert_eq!(runs.last(), Some(&expected), "{each} ms a record: {runs:?}");
            assert!(runs.iter().all(|run| *run <= expected), "{each} ms a record: {runs:?}");
        }
    }

    #[test]
    fn a_few_quick_records_do_not_raise_the_limit_of_a_run_much() {
        let mut pace = Pace::default();
        (0..20).for_each(|_| pace.ran(1, Duration::ZERO, MOST, LONG));
        assert_eq!(pace.limit(), 2);
    }

    #[test]
    fn after_a_run_that_was_cut_off_its_records_come_one_by_one() {
        let mut pace = Pace { limit: 64, ..Pace::default() };
        pace.cut_off(64, 10);
        let runs: Vec<_> = (0..70).map(|_| run(&mut pace, Duration::ZERO)).collect();
        assert_eq!(runs.iter().take(4).collect::<Vec<_>>(), [&1, &2, &4, &3], "those before it were quick");
        assert!(runs.iter().skip(4).take(64).all(|run| *run == 1), "{runs:?}");
        assert!(runs.iter().skip(68).all(|run| *run > 1), "{runs:?}");
    }

    /// Attempts until the only record that takes long is through, from the last commit each. Nothing is committed by
    /// itself: all others take no time.
    fn attempts(place: usize, records: usize) -> Option<usize> {
        let (mut pace, mut committed) = (Pace::default(), 0);
        for attempt in 1..100 {
            let mut next = committed;
            loop {
                if pace.is_alone() {
                    committed = next;
                }
                let (part, before) = (pace.limit().min(records - next), next - committed);
                if (next..next + part).contains(&place) {
                    if (part, before) == (1, 0) {
                        return Some(attempt);
                    }
                    pace.cut_off(part, before);
                    break;
                }
                pace.ran(part, Duration::ZERO, MOST, LONG);
                next += part;
            }
        }
        None
    }

    #[test]
    fn a_record_that_takes_long_gets_through_wherever_it_is_among_others() {
        for place in [0, 1, 2, 3, 15, 16, 60, 80, 159, 1_000, 5_000, 50_000] {
            let attempts = attempts(place, place + 80);
            assert!(attempts.is_some_and(|attempts| attempts <= 4), "number {place}: {attempts:?}");
        }
    }

    #[test]
    fn a_record_that_was_cut_off_alone_comes_after_a_commit_of_those_before_it() {
        let mut pace = Pace { limit: 4, ..Pace::default() };
        pace.cut_off(1, 3);
        let mut alone = Vec::new();
        for _ in 0..5 {
            let is_alone = pace.is_alone();
            alone.push((run(&mut pace, Duration::ZERO), is_alone));
        }
        // The three before it, in runs that grow; then it.
        assert_eq!(alone, [(1, false), (2, false), (1, true), (4, false), (8, false)]);
    }

    #[test]
    fn a_record_that_is_cut_off_before_its_turn_to_be_alone_is_the_next_to_be() {
        let mut pace = Pace::default();
        pace.cut_off(1, 3);
        run(&mut pace, Duration::ZERO);
        assert!(!pace.is_alone());
        pace.cut_off(1, 3);
        assert!(pace.is_alone(), "or it would go on like that for ever");
    }

    #[test]
    fn a_commit_without_waiting_results_changes_no_pace() {
        let mut pace = Pace::default();
        pace.flush_cut_off(1);
        pace.flushed(1, None);
        assert!(pace.is_alone(), "the next record may leave as much as the last one that left anything");
    }

    #[test]
    fn a_record_that_has_taken_long_is_followed_by_one_that_is_alone_until_one_is_quick() {
        let mut pace = Pace::default();
        for expected in [false, true, true] {
            assert_eq!(pace.is_alone(), expected);
            pace.ran(1, LONG, MOST, LONG);
        }
        pace.ran(1, Duration::ZERO, MOST, LONG);
        assert!(!pace.is_alone());
    }

    #[test]
    fn a_pass_takes_a_tenth_of_a_second_however_long_a_result_takes() {
        for (bytes_in_a_second, longest) in [(100_000_000, 100), (200_000, 2_000), (4_000, 130)] {
            let mut pace = Pace::default();
            let took = |pace: &Pace| Duration::from_secs_f64(pace.pass() as f64 / f64::from(bytes_in_a_second));
            let mut passes = Vec::new();
            for _ in 0..50 {
                let took = took(&pace);
                // No pass is longer than that: it is cut off.
                match took > LONG {
                    true => pace.cut_off(1, 0),
                    false => pace.passed(took),
                }
                passes.push(took.min(LONG));
            }
            let late = passes.iter().skip(4);
            assert!(late.clone().all(|took| *took <= millis(longest)), "{passes:?}");
            assert!(passes.iter().filter(|took| **took == LONG).count() <= 3, "{passes:?}");
        }
    }

    #[test]
    fn results_that_are_slow_at_a_commit_make_transactions_small() {
        let mut pace = Pace::default();
        let is_enough = |pace: &Pace, records| pace.share(records) >= 1.0;
        assert!(!is_enough(&pace, 1_000_000));
        pace.flushed(100, Some(millis(2_000)));
        assert!(is_enough(&pace, 25) && !is_enough(&pace, 24));
        assert!(!pace.is_alone());
        (0..20).for_each(|_| pace.ran(25, Duration::ZERO, MOST, LONG));
        assert_eq!(pace.limit(), 25, "no run has more than a transaction");
        pace.flush_cut_off(25);
        assert!(is_enough(&pace, 1) && pace.is_alone(), "with nothing else in the transaction");
        pace.flushed(1, Some(millis(900)));
        assert!(is_enough(&pace, 1) && pace.is_alone());
        pace.flushed(10, Some(Duration::ZERO));
        assert!(!is_enough(&pace, 1_000_000) && !pace.is_alone(), "quick again");
    }

    #[test]
    fn results_of_one_record_that_are_cut_off_at_the_commit_come_after_it_for_a_while() {
        let mut pace = Pace::default();
        pace.flush_cut_off(25);
        assert!(!pace.flushes_behind(), "a smaller transaction is tried first");
        pace.flush_cut_off(1);
        let behind = (0..100).take_while(|_| pace.flushes_behind()).count();
        assert_eq!(behind, COMMITS_FLUSHED_BEHIND as usize);
    }
}
