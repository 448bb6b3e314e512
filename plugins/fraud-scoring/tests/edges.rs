//! The rules at their thresholds.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use fraud_scoring::PLUGIN;
use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Record};

const LOCATIONS: [&str; 5] = ["NYC", "LON", "PAR", "BER", "ROM"];

fn payment(amount: &str, location: &str) -> Record {
    Record::new("ann", format!(r#"{{"paymentId":"p","amount":{amount},"location":"{location}"}}"#))
}

/// The number of the payment, from 1, with which each report about a window comes.
fn reports(config: &str, payments: Vec<Record>) -> Vec<(&'static str, usize)> {
    let mut bench = Bench::with_config(&PLUGIN, config).unwrap();
    let group = Group::new("ann", payments).window(300_000, 600_000);
    let outcomes = bench.aggregate("payments", &[group], Mode::Each).remove(0).outcomes;
    let mut reports = Vec::new();
    let results = outcomes.iter().flat_map(Outcome::texts).enumerate();
    for (number, text) in results.filter(|(_, text)| text != "null") {
        let seen = bench.transform("report", &[Record::new("ann", text)]).remove(0);
        reports.extend(seen.ports().into_iter().map(|port| (port, number + 1)));
    }
    reports
}

/// The numbers of the payments of a customer, from 1, that are unusual.
fn unusual(config: &str, amounts: &[&str]) -> Vec<usize> {
    let mut bench = Bench::with_config(&PLUGIN, config).unwrap();
    let group = Group::new("ann", amounts.iter().map(|amount| payment(amount, "NYC")));
    let outcomes = bench.aggregate("mean", &[group], Mode::Each).remove(0).outcomes;
    let alerts = outcomes.iter().flat_map(Outcome::texts).enumerate().filter(|(_, text)| text != "null");
    alerts.map(|(number, _)| number + 1).collect()
}

#[test]
fn the_score_passes_with_whichever_risk_comes_last() {
    let over = |count: usize, amount: &str, places: usize| -> Vec<Record> {
        (0..count).map(|number| payment(amount, LOCATIONS[number % places])).collect()
    };
    assert_eq!(reports("{}", over(14, "2000", 4)), [("alerts", 11), ("high_risk", 11)], "the number comes last");
    assert_eq!(reports("{}", over(14, "800", 4)), [("alerts", 11), ("high_risk", 13)], "the sum comes last");
    let mut far = over(12, "2000", 3);
    far.push(payment("1", "BER"));
    far.extend(over(5, "2000", 5));
    assert_eq!(reports("{}", far), [("alerts", 11), ("high_risk", 13)], "the fourth location comes last");
}

#[test]
fn one_hundred_points_are_reported_and_seventy_or_sixty_are_not() {
    let window = |count: usize, amount: &str, places: usize| {
        (0..count).map(|number| payment(amount, LOCATIONS[number % places])).collect::<Vec<_>>()
    };
    for (points, payments) in [
        ("0", window(10, "1000", 3)),
        ("30, payments", window(11, "900", 3)),
        ("40, sum", window(10, "1000.01", 3)),
        ("30, locations", window(10, "1000", 4)),
        ("60, payments and locations", window(11, "900", 4)),
        ("70, payments and sum", window(11, "910", 3)),
        ("70, sum and locations", window(10, "1001", 4)),
    ] {
        let reports = reports("{}", payments);
        assert!(reports.iter().all(|(port, _)| *port == "alerts"), "{points}: {reports:?}");
    }
    assert_eq!(reports("{}", window(40, "1000", 5)), [("alerts", 11), ("high_risk", 11)], "once in a window");
}

#[test]
fn a_sum_of_exactly_10000_is_not_over_it_and_the_least_more_is() {
    let last = |others: &[&str], last: &str| {
        let amounts = others.iter().chain([&last]);
        let all = amounts.enumerate().map(|(number, amount)| payment(amount, LOCATIONS[number % 4])).collect();
        reports("{}", all).contains(&("high_risk", others.len() + 1))
    };
    let nines = ["900"; 11];
    assert!(!last(&nines, "100"));
    assert!(!last(&nines, "99.99"));
    assert!(last(&nines, "100.01"));
    assert!(last(&nines, "100.0000001"));
}

#[test]
fn one_earlier_payment_is_a_mean() {
    assert_eq!(unusual("{}", &["10"]), [0; 0]);
    assert_eq!(unusual("{}", &["10", "50"]), [0; 0]);
    assert_eq!(unusual("{}", &["10", "50.01"]), [2]);
    assert_eq!(unusual("{}", &["0.1", "0.5"]), [0; 0]);
}

#[test]
fn an_unusual_payment_belongs_to_the_mean_of_the_next() {
    // 10, then 100 is over 50; the mean is 55 then, so that 275 isn't over it and 275.01 is.
    assert_eq!(unusual("{}", &["10", "100", "275"]), [2]);
    assert_eq!(unusual("{}", &["10", "100", "275.01"]), [2, 3]);
}

#[test]
fn a_short_history_is_judged_from_min_history_on() {
    let config = r#"{"min-history":3}"#;
    assert_eq!(unusual(config, &["1", "100", "10000"]), [0; 0], "two earlier payments");
    assert_eq!(unusual(config, &["1", "1", "1", "5"]), [0; 0]);
    assert_eq!(unusual(config, &["1", "1", "1", "5.01"]), [4]);
}

#[test]
fn one_payment_may_raise_both_alerts_with_ids_of_their_own() {
    let payments: Vec<Record> = ["1"; 10].into_iter().chain(["100"]).map(|amount| payment(amount, "NYC")).collect();
    let last = |function: &str, group: Group| {
        let outcomes = Bench::new(&PLUGIN).aggregate(function, &[group], Mode::Each).remove(0).outcomes;
        outcomes.last().unwrap().texts().concat()
    };
    let rapid = last("payments", Group::new("ann", payments.clone()).window(300_000, 600_000));
    let unusual = last("mean", Group::new("ann", payments));
    assert!(rapid.contains(r#""alertId":"RAPID_PAYMENTS:ann:300000""#), "{rapid}");
    assert!(rapid.contains(r#""value":11,"threshold":10,"paymentId":"p","windowStart":300000"#), "{rapid}");
    let alert = concat!(
        r#"{"alertId":"UNUSUAL_AMOUNT:ann:p","customerId":"ann","type":"UNUSUAL_AMOUNT","severity":"MEDIUM","#,
        r#""value":100.0,"threshold":5.0,"paymentId":"p"}"#
    );
    assert_eq!(unusual, alert);
}

#[test]
fn the_same_payment_in_another_window_raises_another_alert() {
    let alert = |start: i64| {
        let group = Group::new("ann", (0..11).map(|_| payment("1", "NYC"))).window(start, start + 300_000);
        Bench::new(&PLUGIN).aggregate("payments", &[group], Mode::Each).remove(0).outcomes[10].texts().concat()
    };
    assert!(alert(0).contains(r#""alertId":"RAPID_PAYMENTS:ann:0""#) && alert(0).contains(r#""windowEnd":300000"#));
    assert!(alert(300_000).contains(r#""alertId":"RAPID_PAYMENTS:ann:300000""#));
}

#[test]
fn sums_that_are_too_large_for_a_number_stay_the_largest_one() {
    let huge = "1.7e308";
    assert_eq!(unusual("{}", &[huge, huge, huge, "1"]), [0; 0], "the history goes on");
    let payments = (0..12).map(|number| payment(huge, LOCATIONS[number % 4])).collect();
    assert_eq!(reports("{}", payments), [("alerts", 11), ("high_risk", 11)]);
}

#[test]
fn locations_are_told_apart_by_every_letter() {
    let places = |names: [&str; 4]| {
        let payments = (0..11).map(|number| payment("2000", names[number % 4])).collect();
        reports("{}", payments).contains(&("high_risk", 11))
    };
    assert!(places(["Rome", "rome", "Rome ", ""]));
    assert!(!places(["Rome", "Lima", "Oslo", "R\\u006fme"]), "an escape is the same letter");
}

#[test]
fn a_config_at_its_bounds_is_good_and_beyond_them_refused() {
    let first = || vec![payment("0.01", "NYC")];
    let lowest = r#"{"rapid-payments":0,"risky-total":0,"risky-locations":0,"high-risk-above":0}"#;
    assert_eq!(reports(lowest, first()), [("alerts", 1), ("high_risk", 1)]);
    let none = r#"{"points":{"payments":0,"total":0,"locations":0},"high-risk-above":0}"#;
    let all = || (0..20).map(|number| payment("5000", LOCATIONS[number % 5])).collect::<Vec<_>>();
    assert_eq!(reports(none, all()), [("alerts", 11)], "no points, no score above 0");
    assert_eq!(reports(r#"{"high-risk-above":100}"#, all()), [("alerts", 11)], "100 isn't above 100");
    assert_eq!(reports(r#"{"high-risk-above":99}"#, all()), [("alerts", 11), ("high_risk", 11)]);
    let most = format!(r#"{{"points":{{"payments":{0},"total":{0},"locations":{0}}}}}"#, u32::MAX);
    assert_eq!(reports(&most, all()), [("high_risk", 3), ("alerts", 11)], "the score stays at the largest number");
    assert_eq!(unusual(r#"{"unusual-factor":1,"min-history":1}"#, &["10", "10", "10.01"]), [3]);
    for bad in [
        r#"{"min-history":0}"#,
        r#"{"min-history":-1}"#,
        r#"{"unusual-factor":0.99}"#,
        r#"{"unusual-factor":null}"#,
        r#"{"risky-total":-0.01}"#,
        r#"{"risky-total":"1"}"#,
        r#"{"rapid-payments":-1}"#,
        r#"{"rapid-payments":1.5}"#,
        r#"{"risky-locations":-1}"#,
        r#"{"high-risk-above":-1}"#,
        r#"{"points":{"total":-1}}"#,
        r#"{"points":{"amount":1}}"#,
        r#"{"points":7}"#,
        r#"{"rapid":1}"#,
    ] {
        assert!(Bench::with_config(&PLUGIN, bad).is_err(), "{bad}");
    }
}
