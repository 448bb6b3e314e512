//! The decision on an order, through the guest's adapter.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "tests")]

use millrace_sdk::testing::{Bench, Outcome, Pair, Record};

fn record(value: &str) -> Record {
    Record::new(7_i64, value)
}

fn resolve(payment: Record, stock: Record) -> Outcome {
    Bench::new(&order_status::PLUGIN).join("resolve", &[Pair::new(payment, stock)]).remove(0)
}

/// The resulting stock order for two orders with these statuses.
fn resolved(payment: &str, stock: &str) -> String {
    let order = |status: &str| record(&format!(r#"{{"id":7,"status":"{status}","source":"STOCK"}}"#));
    resolve(order(payment), order(stock)).texts().concat()
}

#[test]
fn both_accept_confirms_the_order_and_nobody_is_its_source() {
    assert_eq!(resolved("ACCEPT", "ACCEPT"), r#"{"id":7,"status":"CONFIRMED","source":null}"#);
}

#[test]
fn both_reject_rejects_the_order_and_its_source_stays() {
    assert_eq!(resolved("REJECT", "REJECT"), r#"{"id":7,"status":"REJECTED","source":"STOCK"}"#);
}

#[test]
fn one_reject_rolls_back_and_the_one_who_rejected_is_the_source() {
    assert_eq!(resolved("REJECT", "ACCEPT"), r#"{"id":7,"status":"ROLLBACK","source":"PAYMENT"}"#);
    assert_eq!(resolved("ACCEPT", "REJECT"), r#"{"id":7,"status":"ROLLBACK","source":"INVENTORY"}"#);
}

#[test]
fn any_other_pair_of_statuses_leaves_the_stock_order_as_it_is() {
    let answers = ["ACCEPT", "REJECT", "NEW", "CONFIRMED", "ROLLBACK", "REJECTED", "accept", ""];
    let decides = |answer: &str| matches!(answer, "ACCEPT" | "REJECT");
    for payment in answers {
        for stock in answers.into_iter().filter(|stock| !decides(payment) || !decides(stock)) {
            let expected = format!(r#"{{"id":7,"status":"{stock}","source":"STOCK"}}"#);
            assert_eq!(resolved(payment, stock), expected, "{payment} and {stock}");
        }
    }
}

#[test]
fn fields_that_the_rule_does_not_know_are_carried_through_byte_for_byte() {
    let payment = record(r#"{"status":"ACCEPT"}"#);
    let stock = record(r#" { "price": 1.10, "status" : "ACCEPT", "n": 1e400, "é": ["\u00e9", {"x": null}] } "#);
    let expected =
        r#"{ "price": 1.10, "status" : "CONFIRMED", "n": 1e400, "é": ["\u00e9", {"x": null}],"source":null}"#;
    assert_eq!(resolve(payment, stock).texts(), [expected]);
}

#[test]
fn the_result_has_the_key_of_both_and_the_later_time() {
    let order = || record(r#"{"status":"ACCEPT"}"#);
    let Outcome::Outputs(outputs) = resolve(order().at(1_000), order().at(9_000)) else { panic!("no output") };
    assert_eq!((outputs[0].key.as_deref(), outputs[0].timestamp), (Some(&7_i64.to_be_bytes()[..]), 9_000));
}

#[test]
fn what_has_no_status_fails_for_good_and_says_which_side_and_why() {
    let good = || record(r#"{"status":"ACCEPT"}"#);
    let cases = [
        (record("{}"), good(), "bad-value: left value (payment): missing field `status`"),
        (good(), record("{}"), "bad-value: right value (stock): missing field `status`"),
        (
            record(r#"{"status":null}"#),
            good(),
            "bad-value: left value (payment): field `status`: expected a string, found null",
        ),
        (
            good(),
            record(r#"{"status":7}"#),
            "bad-value: right value (stock): field `status`: expected a string, found 7",
        ),
        (good().null_value(), good(), "null-value: left value (payment): null, expected a value"),
        (good(), record(""), "bad-value: right value (stock): empty, expected a JSON object"),
        (record("[]"), good(), "bad-value: left value (payment): expected `{` at line 1 column 1"),
        (
            record(r#"{"status":"ACCEPT","price":}"#),
            good(),
            "bad-value: left value (payment): expected a value at line 1 column 28",
        ),
    ];
    for (payment, stock, expected) in cases {
        assert_eq!(resolve(payment, stock).failure(), expected);
    }
}

#[test]
fn a_bad_pair_leaves_its_neighbours_alone() {
    let pair = |status: &str| {
        let order = record(&format!(r#"{{"status":{status}}}"#));
        Pair::new(order.clone(), order)
    };
    let pairs = [pair(r#""ACCEPT""#), pair("nonsense"), pair(r#""REJECT""#)];
    let outcomes = Bench::new(&order_status::PLUGIN).join("resolve", &pairs);
    assert_eq!(outcomes.iter().map(Outcome::is_good).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(outcomes[2].texts(), [r#"{"status":"REJECTED"}"#]);
}
