//! What becomes of payments in which a field is missing or of another type.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use fraud_scoring::PLUGIN;
use millrace_sdk::testing::{Bench, Group, Grouped, Mode, Outcome, Record, kinds};

const PAYMENT: &str =
    r#"{"paymentId":"p1","customerId":"bob","amount":900,"currency":"EUR","location":"Rome","status":"OK"}"#;

const FIELDS: [&str; 6] = ["paymentId", "customerId", "amount", "currency", "location", "status"];

/// At its limits with the first payment.
const AT_ONCE: &str = r#"{"rapid-payments":0,"risky-total":0,"risky-locations":0}"#;

fn transform(function: &str, record: Record) -> Outcome {
    Bench::new(&PLUGIN).transform(function, &[record]).remove(0)
}

fn aggregate(config: &str, function: &str, payments: &[&str]) -> Grouped {
    let payments = payments.iter().map(|payment| Record::new("ann", *payment).at(77));
    let group = Group::new("ann", payments).window(300_000, 600_000);
    Bench::with_config(&PLUGIN, config).unwrap().aggregate(function, &[group], Mode::Each).remove(0)
}

/// A value of a kind as JSON: what `kinds` puts in place of a field. Null for a missing one.
fn json_of(kind: &str) -> &'static str {
    match kind {
        "text" => r#""x""#,
        "bool" => "true",
        "number" => "7",
        "array" => "[]",
        "object" => "{}",
        _ => "null",
    }
}

fn assert_bad_amount(outcome: &Outcome, kind: &str) {
    let failure = outcome.failure();
    assert!(failure.starts_with("bad-value: ") && failure.contains("`amount`"), "{kind}: {failure}");
}

#[test]
fn a_payment_is_good_with_a_number_as_amount_and_anything_in_all_other_fields() {
    for field in FIELDS {
        for (kind, payment) in kinds(PAYMENT, field) {
            let outcome = transform("check", Record::new("ann", payment.clone()));
            match (field, kind) {
                ("amount", "number") => assert_eq!(outcome.texts(), [payment]),
                ("amount", _) => assert_bad_amount(&outcome, kind),
                _ => assert_eq!(outcome.texts(), [payment], "{field}: {kind}"),
            }
        }
    }
}

#[test]
fn a_value_that_is_no_object_fails() {
    for value in ["null", r#""p1""#, "true", "7", "[]", "[{}]", "", "{", "p1", "{}{}"] {
        let failure = transform("check", Record::new("ann", value)).failure();
        assert!(failure.starts_with("bad-value: "), "{value}: {failure}");
    }
    assert!(transform("check", Record::new("ann", "").null_value()).failure().starts_with("null-value: "));
}

#[test]
fn a_window_takes_amount_and_location_and_shows_the_id() {
    for field in FIELDS {
        for (kind, payment) in kinds(PAYMENT, field) {
            let outcome = aggregate(AT_ONCE, "payments", &[&payment]).outcomes.remove(0);
            if field == "amount" && kind != "number" {
                assert_bad_amount(&outcome, kind);
                continue;
            }
            let text = outcome.texts().concat();
            let id = if field == "paymentId" { json_of(kind) } else { r#""p1""# };
            assert!(text.contains(r#""customerId":"ann","type":"RAPID_PAYMENTS""#), "{field}: {kind}: {text}");
            assert!(text.contains(&format!(r#""paymentId":{id},"#)), "{field}: {kind}: {text}");
            let total = if field == "amount" { "7.0" } else { "900.0" };
            // Without a location it is only two risks, of 70 points.
            let high = format!(r#""score":100,"payments":1,"total":{total},"locations":1,"#);
            assert_eq!(text.contains(&high), field != "location" || kind == "text", "{field}: {kind}: {text}");
        }
    }
}

#[test]
fn an_unusual_payment_shows_its_id_and_all_else_does_no_harm() {
    for field in FIELDS {
        for (kind, payment) in kinds(PAYMENT, field) {
            let mut outcomes = aggregate("{}", "mean", &[r#"{"amount":1}"#, &payment]).outcomes;
            let outcome = outcomes.remove(1);
            if field == "amount" && kind != "number" {
                assert_bad_amount(&outcome, kind);
                continue;
            }
            let (id, amount) = match field {
                "paymentId" => (json_of(kind), "900.0"),
                "amount" => (r#""p1""#, "7.0"),
                _ => (r#""p1""#, "900.0"),
            };
            let text = outcome.texts().concat();
            let end = format!(r#""severity":"MEDIUM","value":{amount},"threshold":5.0,"paymentId":{id}}}"#);
            assert!(text.ends_with(&end), "{field}: {kind}: {text}");
        }
    }
}

#[test]
fn a_payment_that_fails_leaves_no_trace_in_the_history() {
    let good = r#"{"amount":10}"#;
    for (kind, bad) in kinds(PAYMENT, "amount").into_iter().filter(|(kind, _)| *kind != "number") {
        for function in ["payments", "mean"] {
            let with = aggregate("{}", function, &[good, &bad, good]);
            assert_eq!(with.state, aggregate("{}", function, &[good, good]).state, "{function}: {kind}");
        }
    }
}

#[test]
fn ids_of_alerts_differ_for_ids_of_payments_that_differ() {
    let ids = [
        r#""7""#,
        "7",
        "7.0",
        r#""7.0""#,
        "true",
        r#""true""#,
        r#""9 at 77""#,
        "[7]",
        r#""[7]""#,
        r#""""#,
        r#""%""#,
        r#"":""#,
    ];
    let payments = ids.map(|id| format!(r#"{{"paymentId":{id},"amount":9}}"#));
    let without = [r#"{"amount":9}"#, r#"{"amount":9.5}"#].map(str::to_owned);
    let mut found = Vec::new();
    for payment in payments.iter().chain(&without) {
        let text = aggregate("{}", "mean", &[r#"{"amount":1}"#, payment]).outcomes[1].texts().concat();
        found.push(text.split(r#"","#).next().unwrap().to_owned());
    }
    let mut distinct = found.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), found.len(), "{found:?}");
}

#[test]
fn a_report_of_a_payment_that_brought_nothing_about_is_empty() {
    let report = |value: &str| transform("report", Record::new("ann", value));
    for nothing in ["{}", r#"{"alert":null,"high_risk":null}"#] {
        assert!(report(nothing).is_good() && report(nothing).ports().is_empty(), "{nothing}");
    }
    for field in ["alert", "high_risk"] {
        for (kind, seen) in kinds("{}", field) {
            assert_eq!(report(&seen).is_good(), ["missing", "null"].contains(&kind), "{field}: {kind}");
        }
    }
}
