use super::*;
use crate::ledger::VersionCounts;

/// The verdict on a canary with these results and failures, after its time.
fn judged(canary: (u64, &[(&str, u64)]), active: (u64, &[(&str, u64)])) -> Verdict {
    let results = |(records, failures): (u64, &[(&str, u64)])| VersionResults {
        counts: VersionCounts {
            records,
            failures: failures.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect(),
        },
        time: GuestTime { records, nanos: records * 2_000, ..GuestTime::default() },
    };
    let counts = TrialCounts { reached: 2, active: results(active), canary: results(canary) };
    plan().judge(&counts, 10_000)
}

fn plan() -> CanaryPlan {
    CanaryPlan::new(vec![500, 10_000], 5_000, 1_000).unwrap()
}

#[test]
fn with_too_few_results_there_is_no_verdict_however_many_fail() {
    let verdict = judged((999, &[("bad", 999)]), (50_000, &[]));
    assert_eq!(
        verdict,
        Verdict::Inconclusive("999 results of the canary and 50000 of the active version: both need 1000".into())
    );
    assert_eq!(judged((50_000, &[]), (10, &[])).name(), "inconclusive", "there is nothing to compare with");
}

#[test]
fn a_canary_that_fails_more_often_than_by_chance_is_bad() {
    let verdict = judged((1_000, &[("bad", 30)]), (19_000, &[("bad", 19)]));
    assert_eq!(
        verdict,
        Verdict::Bad("30 of 1000 (3.0%) of its results failed, and 19 of 19000 (0.1%) of the active version's".into())
    );
    assert_eq!(judged((1_000, &[("bad", 12)]), (19_000, &[("bad", 190)])).name(), "good", "1.2% and 1% are alike");
    assert_eq!(judged((1_000, &[]), (19_000, &[("bad", 1_900)])).name(), "good", "it fails less often");
    // A single failure among the first thousand records isn't a verdict.
    assert_eq!(judged((1_000, &[("bad", 1)]), (19_000, &[])).name(), "good");
}

#[test]
fn a_code_of_its_own_is_bad_even_if_another_is_gone() {
    let verdict = judged((2_000, &[("late", 100)]), (38_000, &[("early", 1_900)]));
    assert_eq!(
        verdict,
        Verdict::Bad(
            "100 of 2000 (5.0%) of its results failed with `late`, and 0 of 38000 (0.0%) of the active version's"
                .into()
        )
    );
}

#[test]
fn a_canary_whose_calls_take_much_longer_is_bad() {
    let results = |calls, records, nanos| VersionResults {
        counts: VersionCounts { records, failures: BTreeMap::new() },
        time: GuestTime { calls, records, nanos: nanos * records, squares: 0 },
    };
    let judged_in = |calls, canary, active| {
        let (active, canary) = (results(20, 9_000, active), results(calls, 1_000, canary));
        plan().judge(&TrialCounts { reached: 2, active, canary }, 10_000)
    };
    let judged = |canary, active| judged_in(20, canary, active);
    assert_eq!(
        judged(45_000, 20_000),
        Verdict::Bad("its calls take 45 us for each record, and those of the active version 20 us".into())
    );
    assert_eq!(judged(9_000, 2_000).name(), "good", "a few microseconds are noise");
    assert_eq!(judged(39_000, 20_000).name(), "good");
    assert_eq!(judged_in(1_000, 59_000, 16_000).name(), "good", "a call has a price, and each has one record");
    assert_eq!(judged_in(1_000, 259_000, 16_000).name(), "bad");
}

#[test]
fn a_few_calls_that_were_held_up_are_no_sign_of_slow_rules() {
    let judged = |others: u64, three: u64| {
        let results = |nanos: &mut dyn Iterator<Item = u64>| {
            let mut results = VersionResults::default();
            nanos.for_each(|nanos| results.time.add(GuestTime::of_call(10, nanos)));
            results.counts.records = 1_000;
            results
        };
        let mut calls = (0..100).map(|call| if call < 3 { three } else { others });
        let (canary, active) = (results(&mut calls), results(&mut (0..100).map(|_| 100_000)));
        plan().judge(&TrialCounts { reached: 2, active, canary }, 10_000).name()
    };
    assert_eq!(judged(100_000, 80_000_000), "good", "three calls took 80 ms each");
    assert_eq!(judged(800_000, 800_000), "bad", "each took eight times as long");
}

#[test]
fn a_good_canary_stays_in_its_step_until_its_time_is_over_and_while_it_is_paused() {
    let counts = VersionResults {
        counts: VersionCounts { records: 1_000, failures: BTreeMap::new() },
        time: GuestTime::default(),
    };
    let counts = TrialCounts { reached: 2, active: counts.clone(), canary: counts };
    let at = |now, paused| CanaryPlan { since: 100, paused, ..plan() }.judge(&counts, now);
    assert_eq!(at(5_099, false).name(), "inconclusive");
    assert!(at(5_099, false).reason().ends_with("the step lasts 1 s longer"), "{}", at(5_099, false).reason());
    assert_eq!(at(5_100, false).name(), "good");
    assert_eq!(at(9_999, true).name(), "inconclusive");
}

#[test]
fn results_of_several_processes_are_added_if_they_are_of_the_same_step() {
    let counts = |reached, records| TrialCounts {
        reached,
        canary: VersionResults {
            counts: VersionCounts { records, failures: BTreeMap::from([("bad".into(), 1)]) },
            time: GuestTime { calls: 1, records, nanos: 7, squares: 1 },
        },
        active: VersionResults::default(),
    };
    let mut all = counts(3, 10);
    all.add(&counts(3, 5));
    all.add(&counts(2, 1_000));
    assert_eq!((all.canary.counts.records, all.canary.counts.failed(), all.canary.time.nanos), (15, 2, 14));
    all.add(&counts(4, 1));
    assert_eq!(all, counts(4, 1));
}
