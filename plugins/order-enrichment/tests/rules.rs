//! Orders with their customers, through the adapter that the guest has too.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Pair, Record};
use order_enrichment::PLUGIN;

fn order(value: &str) -> Record {
    Record::new("ann", value)
}

fn transform(function: &str, value: &str) -> Outcome {
    Bench::new(&PLUGIN).transform(function, &[order(value)]).remove(0)
}

#[test]
fn an_order_needs_a_customer_and_an_amount_over_0() {
    for good in [r#"{"orderId":1,"customerId":"ann","amount":0.01,"region":7}"#, r#"{"customerId":7,"amount":1}"#] {
        assert_eq!(transform("check", good).texts(), [good]);
    }
    for (bad, reason) in [
        (r#"{"amount":1}"#, "field `customerId`: must be there"),
        (r#"{"customerId":null,"amount":1}"#, "field `customerId`: must be there"),
        (r#"{"customerId":"ann","amount":true}"#, "field `amount`: expected a number"),
        (r#"{"customerId":"ann"}"#, "missing field `amount`"),
        (r#"{"customerId":"ann","amount":null}"#, "field `amount`: expected a number, found null"),
        (r#"{"customerId":"ann","amount":"12"}"#, "field `amount`: expected a number"),
        (r#"{"customerId":"ann","amount":0}"#, "field `amount`: must be over 0"),
        (r#"{"customerId":"ann","amount":-3}"#, "field `amount`: must be over 0"),
    ] {
        assert!(transform("check", bad).failure().contains(reason), "{bad}: {}", transform("check", bad).failure());
    }
}

#[test]
fn an_order_goes_on_with_its_customer_and_with_all_else_as_it_came() {
    let enrich = |pair: Pair| Bench::new(&PLUGIN).join("enrich", &[pair]).remove(0);
    let plain = r#"{"orderId":1,"amount":1.10,"x":{"y":[null]}}"#;
    let row = r#"{"customerId":"ann","name":"Ann","tier":"GOLD","region":"EU"}"#;
    let known = enrich(Pair::new(order(plain), order(row)));
    let expected =
        format!(r#"{{"orderId":1,"amount":1.10,"x":{{"y":[null]}},"customer":{row},"customerTier":"GOLD"}}"#);
    assert_eq!(known.texts(), [expected]);
    let unknown = enrich(Pair::left_only(order(plain)));
    let expected = r#"{"orderId":1,"amount":1.10,"x":{"y":[null]},"customer":null,"customerTier":null}"#;
    assert_eq!(unknown.texts(), [expected]);
    for row in [r#"{"name":"Ann"}"#, r#"{"tier":null}"#] {
        let texts = enrich(Pair::new(order("{}"), order(row))).texts();
        assert_eq!(texts, [format!(r#"{{"customer":{row},"customerTier":null}}"#)]);
    }
    let odd = enrich(Pair::new(order("{}"), order(r#"{"tier":[7.10]}"#))).texts();
    assert_eq!(odd, [r#"{"customer":{"tier":[7.10]},"customerTier":[7.10]}"#]);
}

#[test]
fn a_row_is_an_object_or_null() {
    assert_eq!(transform("check_row", r#"{"tier":7}"#).texts(), [r#"{"tier":7}"#]);
    let gone = Bench::new(&PLUGIN).transform("check_row", &[order("").null_value()]).remove(0);
    assert_eq!(gone.texts(), ["null"]);
    for bad in ["[]", "42", "true"] {
        assert!(transform("check_row", bad).failure().contains("expected"), "{bad}");
    }
}

#[test]
fn an_order_of_more_than_1000_is_of_high_value() {
    assert_eq!(transform("high_value", r#"{"amount":1000}"#).texts(), [""; 0]);
    assert_eq!(transform("high_value", r#"{"amount":1000.01}"#).texts(), [r#"{"amount":1000.01}"#]);
    let mut bench = Bench::with_config(&PLUGIN, r#"{"high-value-above":5}"#).unwrap();
    assert_eq!(bench.transform("high_value", &[order(r#"{"amount":6}"#)]).remove(0).texts(), [r#"{"amount":6}"#]);
    let refused = Bench::with_config(&PLUGIN, r#"{"high-value-above":-1}"#).err().unwrap();
    assert!(refused.contains("must be 0 or more"), "{refused}");
}

#[test]
fn an_order_gets_the_key_of_its_region() {
    let outcome = transform("by_region", r#"{"region":"EU","amount":1}"#);
    assert_eq!(outcome.keys(), [Some(b"EU".as_slice())]);
    assert_eq!(outcome.texts(), [r#"{"region":"EU","amount":1}"#]);
    for without in ["{}", r#"{"region":null}"#, r#"{"region":7}"#] {
        assert_eq!(transform("by_region", without).keys(), [None], "{without}");
    }
}

#[test]
fn a_region_has_the_number_sum_mean_and_largest_of_its_orders() {
    let orders = [10, 30, 20].map(|amount| Record::new("EU", format!(r#"{{"amount":{amount}}}"#)));
    let group = Group::new("EU", orders).window(0, 3_600_000);
    let outcomes = Bench::new(&PLUGIN).aggregate("trend", &[group], Mode::Each).remove(0).outcomes;
    let result = |rest: &str| format!(r#"{{"region":"EU","windowStart":0,"windowEnd":3600000,{rest}}}"#);
    assert_eq!(
        outcomes.iter().flat_map(Outcome::texts).collect::<Vec<_>>(),
        [
            result(r#""count":1,"total":10.0,"average":10.0,"max":10.0"#),
            result(r#""count":2,"total":40.0,"average":20.0,"max":30.0"#),
            result(r#""count":3,"total":60.0,"average":20.0,"max":30.0"#),
        ]
    );
}

#[test]
fn an_amount_is_any_number_over_0() {
    let check = |amount: &str| transform("check", &format!(r#"{{"customerId":"ann","amount":{amount}}}"#));
    for good in ["0.01", "1", "1.0", "1e3", "5e-324", "1.7976931348623157e308", "12345678901234567890123"] {
        assert!(check(good).is_good(), "{good}");
    }
    for bad in ["0", "-0", "0.0", "-0.0", "0e5", "1e-400", "-0.01", "-1e308"] {
        assert!(check(bad).failure().ends_with("must be over 0"), "{bad}: {}", check(bad).failure());
    }
    for bad in ["1e309", "-1e309"] {
        assert!(check(bad).failure().contains("expected a number"), "{bad}: {}", check(bad).failure());
    }
}

#[test]
fn exactly_1000_is_no_high_value_however_it_is_written() {
    let is_high = |amount: &str| {
        let texts = transform("high_value", &format!(r#"{{"amount":{amount}}}"#)).texts();
        !texts.is_empty()
    };
    for not in ["1000", "1000.0", "1000.00", "1e3", "10e2", "999.99", "1"] {
        assert!(!is_high(not), "{not}");
    }
    for high in ["1000.01", "1000.0000001", "1.0001e3", "1001", "1e300"] {
        assert!(is_high(high), "{high}");
    }
}

#[test]
fn any_limit_from_0_on_can_be_set() {
    let mut bench = Bench::with_config(&PLUGIN, r#"{"high-value-above":0}"#).unwrap();
    assert_eq!(bench.transform("high_value", &[order(r#"{"amount":0.01}"#)]).remove(0).texts().len(), 1);
    for bad in ["-0.01", "null", r#""1000""#, "true", "1e400", "[]"] {
        let config = format!(r#"{{"high-value-above":{bad}}}"#);
        assert!(Bench::with_config(&PLUGIN, &config).is_err(), "{config}");
    }
    assert!(Bench::with_config(&PLUGIN, r#"{"high-value":1}"#).is_err(), "an unknown field");
}

#[test]
fn fields_of_an_order_that_are_those_of_the_result_are_replaced() {
    let plain = r#"{"customer":"?","orderId":1,"customerTier":"?"}"#;
    let alone = Bench::new(&PLUGIN).join("enrich", &[Pair::left_only(order(plain))]).remove(0);
    assert_eq!(alone.texts(), [r#"{"customer":null,"orderId":1,"customerTier":null}"#]);
    let row = r#"{"tier":"GOLD","since":{"year":2019}}"#;
    let known = Bench::new(&PLUGIN).join("enrich", &[Pair::new(order(plain), order(row))]).remove(0);
    assert_eq!(known.texts(), [format!(r#"{{"customer":{row},"orderId":1,"customerTier":"GOLD"}}"#)]);
}

/// The results of these amounts in one window, one after the other.
fn trend(amounts: &[&str]) -> Vec<String> {
    let orders = amounts.iter().map(|amount| Record::new("EU", format!(r#"{{"amount":{amount}}}"#)));
    let group = Group::new("EU", orders).window(0, 3_600_000);
    let outcomes = Bench::new(&PLUGIN).aggregate("trend", &[group], Mode::Each).remove(0).outcomes;
    outcomes.iter().flat_map(Outcome::texts).collect()
}

#[test]
fn the_average_is_not_rounded() {
    let last = trend(&["10", "20", "25"]).pop().unwrap();
    assert!(last.ends_with(r#""count":3,"total":55.0,"average":18.333333333333332,"max":25.0}"#), "{last}");
}

#[test]
fn a_sum_that_is_too_large_for_a_number_stays_the_largest_one() {
    let results = trend(&["1.7e308", "1.7e308", "1"]);
    let largest = "1.7976931348623157e+308";
    assert!(results[1].contains(&format!(r#""total":{largest},"average":8.988465674311579e+307"#)), "{}", results[1]);
    assert!(results[2].contains(&format!(r#""count":3,"total":{largest}"#)), "the window goes on: {}", results[2]);
}
