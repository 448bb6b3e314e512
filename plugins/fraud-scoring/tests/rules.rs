//! Payments that look like fraud, through the adapter that the guest has too.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use fraud_scoring::PLUGIN;
use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Record};

const LOCATIONS: [&str; 4] = ["NYC", "LON", "PAR", "BER"];

fn payment(id: usize, amount: f64, location: &str) -> Record {
    let value = format!(r#"{{"paymentId":"p{id}","customerId":"ann","amount":{amount},"location":"{location}"}}"#);
    Record::new("ann", value).at(1_000 + id as i64)
}

/// What these payments of one window bring about, one after the other: the texts at both ports.
fn reports(mut bench: Bench, payments: impl IntoIterator<Item = Record>) -> Vec<(&'static str, String)> {
    let group = Group::new("ann", payments).window(300_000, 600_000);
    let outcomes = bench.aggregate("payments", &[group], Mode::Each).remove(0).outcomes;
    let results = outcomes.iter().flat_map(Outcome::texts).filter(|text| text != "null");
    let seen: Vec<Record> = results.map(|text| Record::new("ann", text)).collect();
    let reports = bench.transform("report", &seen);
    reports.iter().flat_map(|outcome| outcome.ports().into_iter().zip(outcome.texts())).collect()
}

/// The alerts for these payments of a customer, one after the other.
fn unusual(mut bench: Bench, payments: impl IntoIterator<Item = Record>) -> Vec<String> {
    let outcomes = bench.aggregate("mean", &[Group::new("ann", payments)], Mode::Each).remove(0).outcomes;
    outcomes.iter().flat_map(Outcome::texts).filter(|text| text != "null").collect()
}

#[test]
fn the_eleventh_payment_of_a_window_raises_one_alert() {
    let small = |count: usize| (0..count).map(|id| payment(id, 1.0, "NYC"));
    assert_eq!(reports(Bench::new(&PLUGIN), small(10)), []);
    let alert = concat!(
        r#"{"alertId":"RAPID_PAYMENTS:ann:300000","customerId":"ann","type":"RAPID_PAYMENTS","severity":"HIGH","#,
        r#""value":11,"threshold":10,"paymentId":"p10","windowStart":300000,"windowEnd":600000}"#
    );
    assert_eq!(reports(Bench::new(&PLUGIN), small(11)), [("alerts", alert.to_owned())]);
    assert_eq!(reports(Bench::new(&PLUGIN), small(30)), [("alerts", alert.to_owned())]);
}

#[test]
fn a_customer_with_all_three_risks_is_reported_once() {
    // 13 payments of 900 in four places: the sum is over 10000 with the twelfth.
    let payments = (0..13).map(|id| payment(id, 900.0, LOCATIONS[id % 4]));
    let reports = reports(Bench::new(&PLUGIN), payments);
    let risk = concat!(
        r#"{"customerId":"ann","score":100,"payments":12,"total":10800.0,"locations":4,"#,
        r#""windowStart":300000,"windowEnd":600000}"#
    );
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert_eq!(reports[0].0, "alerts");
    assert_eq!(reports[1], ("high_risk", risk.to_owned()));
}

#[test]
fn two_risks_are_no_high_risk() {
    let high = |payments: Vec<Record>| {
        reports(Bench::new(&PLUGIN), payments).iter().filter(|(port, _)| *port == "high_risk").count()
    };
    let payments = |count: usize, amount: f64, places: usize| {
        (0..count).map(|id| payment(id, amount, LOCATIONS[id % places])).collect::<Vec<_>>()
    };
    assert_eq!(high(payments(11, 1_000.0, 4)), 1, "11 payments, 11000, 4 places");
    assert_eq!(high(payments(10, 1_100.0, 4)), 0, "10 payments aren't too many");
    assert_eq!(high(payments(20, 500.0, 4)), 0, "10000 isn't over 10000");
    assert_eq!(high(payments(11, 1_000.0, 3)), 0, "3 places aren't too many");
}

#[test]
fn the_config_sets_all_thresholds() {
    let config = r#"{"rapid-payments":1,"risky-total":5,"risky-locations":1,"high-risk-above":10,"unusual-factor":2,"min-history":2}"#;
    let bench = || Bench::with_config(&PLUGIN, config).unwrap();
    let ports: Vec<&str> =
        reports(bench(), [payment(0, 3.0, "NYC"), payment(1, 3.0, "NYC")]).iter().map(|(port, _)| *port).collect();
    assert_eq!(ports, ["alerts", "high_risk"]);
    assert_eq!(unusual(bench(), [1.0, 100.0].map(|amount| payment(0, amount, "NYC"))).len(), 0, "too short a history");
    assert_eq!(unusual(bench(), [1.0, 1.0, 2.5].map(|amount| payment(0, amount, "NYC"))).len(), 1);
    for (name, value) in [("min-history", "0"), ("unusual-factor", "-1"), ("risky-total", "-0.5")] {
        let refused = Bench::with_config(&PLUGIN, &format!(r#"{{"{name}":{value}}}"#)).err().unwrap();
        assert!(refused.starts_with(&format!("{name} must be")), "{refused}");
    }
}

#[test]
fn an_amount_over_five_times_the_mean_of_the_earlier_ones_raises_an_alert() {
    let alerts = |amounts: &[f64]| {
        let payments = amounts.iter().enumerate().map(|(id, amount)| payment(id, *amount, "NYC"));
        unusual(Bench::new(&PLUGIN), payments.collect::<Vec<_>>())
    };
    assert_eq!(alerts(&[1_000_000.0]), [""; 0], "the first has nothing before it");
    assert_eq!(alerts(&[10.0, 50.0]), [""; 0], "exactly five times the mean");
    let alert = |id: usize, value: &str, threshold: &str| {
        format!(
            r#"{{"alertId":"UNUSUAL_AMOUNT:ann:p{id}","customerId":"ann","type":"UNUSUAL_AMOUNT","severity":"MEDIUM","value":{value},"threshold":{threshold},"paymentId":"p{id}"}}"#
        )
    };
    assert_eq!(alerts(&[10.0, 50.5]), [alert(1, "50.5", "50.0")]);
    assert_eq!(alerts(&[10.0, 30.0, 100.0, 101.0]), [""; 0], "the mean of 10, 30 is 20; of 10, 30, 100 it is 46.7");
    assert_eq!(
        alerts(&[10.0, 30.0, 100.5, 1.0]),
        [alert(2, "100.5", "100.0")],
        "the next payment is judged for itself"
    );
    // Five times the sum, divided by three, would be ...664.
    assert_eq!(alerts(&[10.0, 8.0, 10.0, 50.0]), [alert(3, "50.0", "46.66666666666667")], "the mean comes first");
}

#[test]
fn an_alert_for_a_payment_without_an_id_is_known_by_its_time_and_amount() {
    let payments = [1.0, 9.0].map(|amount| Record::new("ann", format!(r#"{{"amount":{amount}}}"#)).at(77));
    let alerts = unusual(Bench::new(&PLUGIN), payments);
    assert!(alerts[0].starts_with(r#"{"alertId":"UNUSUAL_AMOUNT:ann:at:77:9","#), "{alerts:?}");
    assert!(alerts[0].ends_with(r#""paymentId":null}"#), "{alerts:?}");
}

#[test]
fn a_payment_needs_an_amount_over_0() {
    let check = |value: &str| Bench::new(&PLUGIN).transform("check", &[Record::new("ann", value)]).remove(0);
    for good in [r#"{"amount":0.01}"#, r#"{"amount":1e3,"paymentId":7,"location":["NYC"],"currency":7,"status":[]}"#] {
        assert_eq!(check(good).texts(), [good]);
    }
    for (bad, reason) in [
        ("{}", "missing field `amount`"),
        (r#"{"amount":null}"#, "field `amount`: expected a number, found null"),
        (r#"{"amount":"12"}"#, "field `amount`: expected a number"),
        (r#"{"amount":0}"#, "field `amount`: must be over 0"),
        (r#"{"amount":-1.5}"#, "field `amount`: must be over 0"),
        (r#"{"amount":1e400}"#, "field `amount`"),
        (r#"{"amount":true}"#, "field `amount`: expected a number"),
        ("[1]", "expected"),
    ] {
        assert!(check(bad).failure().contains(reason), "{bad}: {}", check(bad).failure());
    }
}

#[test]
fn a_payment_needs_a_customer() {
    let payment = Record::new("ann", r#"{"amount":1}"#).null_key();
    let failure = Bench::new(&PLUGIN).transform("check", &[payment]).remove(0).failure();
    assert!(failure.contains("null-key"), "{failure}");
}

#[test]
fn alerts_of_other_customers_or_payments_have_other_ids() {
    let id = |customer: &str, payment: &str| {
        let value = |amount: u32| format!(r#"{{"paymentId":"{payment}","amount":{amount}}}"#);
        let payments = [1, 9].map(|amount| Record::new(customer, value(amount)));
        let group = Group::new(customer, payments);
        let outcomes = Bench::new(&PLUGIN).aggregate("mean", &[group], Mode::Each).remove(0).outcomes;
        outcomes[1].texts().concat().split(',').next().unwrap().to_owned()
    };
    assert_ne!(id("a:b", "c"), id("a", "b:c"));
    assert_eq!(id("a", "b"), r#"{"alertId":"UNUSUAL_AMOUNT:a:b""#);
}

#[test]
fn payments_without_a_location_are_at_none() {
    let place = |location: &str| Record::new("ann", format!(r#"{{"amount":1000,"location":{location}}}"#));
    let with = |last: &str| {
        let payments = [r#""a""#, r#""b""#, r#""c""#, "null"].iter().cycle().take(11).map(|location| place(location));
        reports(Bench::new(&PLUGIN), payments.chain([place(last)]))
    };
    assert_eq!(with("null").len(), 1, "three places and none: {:?}", with("null"));
    assert_eq!(with(r#""d""#).len(), 2);
}
