//! Prices that follow the demand, through the adapter that the guest has too.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use dynamic_pricing::PLUGIN;
use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Record};

/// The result after this many orders at this price, and one more at the other.
fn price(mut bench: Bench, orders: usize, price: f64, last: f64) -> String {
    let prices = std::iter::repeat_n(price, orders).chain([last]);
    let orders = prices.map(|price| Record::new("p1", format!(r#"{{"productId":"p1","unitPrice":{price}}}"#)));
    let group = Group::new("p1", orders).window(0, 900_000);
    let outcomes = bench.aggregate("price", &[group], Mode::Each).remove(0).outcomes;
    outcomes.iter().flat_map(Outcome::texts).last().unwrap()
}

fn result(orders: usize, expected: f64, factor: f64, base: f64, recommended: f64) -> String {
    format!(
        r#"{{"productId":"p1","windowStart":0,"windowEnd":900000,"orders":{orders},"expected":{expected:?},"demandFactor":{factor:?},"basePrice":{base:?},"recommendedPrice":{recommended:?}}}"#
    )
}

#[test]
fn the_price_follows_the_demand_up_and_down() {
    assert_eq!(price(Bench::new(&PLUGIN), 49, 20.0, 20.0), result(50, 50.0, 1.0, 20.0, 20.0), "as expected");
    assert_eq!(price(Bench::new(&PLUGIN), 24, 20.0, 20.0), result(25, 50.0, 0.5, 20.0, 19.0), "half of it");
    assert_eq!(price(Bench::new(&PLUGIN), 74, 20.0, 20.0), result(75, 50.0, 1.5, 20.0, 21.0), "half as much again");
}

#[test]
fn the_price_is_at_most_a_tenth_above_the_base() {
    assert_eq!(price(Bench::new(&PLUGIN), 99, 20.0, 20.0), result(100, 50.0, 2.0, 20.0, 22.0), "exactly at the cap");
    assert_eq!(price(Bench::new(&PLUGIN), 199, 20.0, 20.0), result(200, 50.0, 4.0, 20.0, 22.0), "beyond it");
}

#[test]
fn the_base_is_the_price_of_the_last_order() {
    assert_eq!(price(Bench::new(&PLUGIN), 49, 20.0, 30.0), result(50, 50.0, 1.0, 30.0, 30.0));
}

#[test]
fn the_config_sets_what_is_expected_of_a_product() {
    let bench = |json: &str| Bench::with_config(&PLUGIN, json);
    assert_eq!(price(bench(r#"{"expected":2}"#).unwrap(), 1, 20.0, 20.0), result(2, 2.0, 1.0, 20.0, 20.0));
    let own = bench(r#"{"expected-of":{"p1":4,"p2":1}}"#).unwrap();
    assert_eq!(price(own, 1, 20.0, 20.0), result(2, 4.0, 0.5, 20.0, 19.0));
    for (bad, name) in [(r#"{"expected":0}"#, "expected"), (r#"{"expected-of":{"p2":-1}}"#, "expected-of.p2")] {
        let refused = bench(bad).err().unwrap();
        assert!(refused.contains(&format!("{name} must be over 0")), "{refused}");
    }
    for (bad, name) in
        [(r#"{"elasticity":-1}"#, "elasticity"), (r#"{"elasticity":1.5}"#, "elasticity"), (r#"{"cap":0.9}"#, "cap")]
    {
        let refused = bench(bad).err().unwrap();
        assert!(refused.starts_with(&format!("{name} must be")), "{refused}");
    }
}

#[test]
fn an_order_needs_a_unit_price_over_0() {
    let run = |value: &str| Bench::new(&PLUGIN).transform("by_product", &[Record::new("ann", value)]).remove(0);
    let good = run(r#"{"productId":"p1","unitPrice":0.01,"amount":"?"}"#);
    assert_eq!((good.keys(), good.texts().len()), (vec![Some(b"p1".as_slice())], 1));
    for (bad, reason) in [
        (r#"{"productId":"p1"}"#, "missing field `unitPrice`"),
        (r#"{"productId":"p1","unitPrice":null}"#, "field `unitPrice`: expected a number, found null"),
        (r#"{"productId":"p1","unitPrice":"1"}"#, "field `unitPrice`: expected a number"),
        (r#"{"productId":"p1","unitPrice":0}"#, "field `unitPrice`: must be over 0"),
        (r#"{"productId":"p1","unitPrice":true}"#, "field `unitPrice`: expected a number"),
    ] {
        assert!(run(bad).failure().contains(reason), "{bad}: {}", run(bad).failure());
    }
    for without in [r#"{"unitPrice":1}"#, r#"{"productId":null,"unitPrice":1}"#, r#"{"productId":7,"unitPrice":1}"#] {
        assert_eq!(run(without).keys(), [None], "{without}");
    }
}

/// The recommended price after so many orders at one price.
fn recommended(config: &str, orders: usize, unit_price: f64) -> f64 {
    let result = price(Bench::with_config(&PLUGIN, config).unwrap(), orders - 1, unit_price, unit_price);
    let number = result.rsplit_once(r#""recommendedPrice":"#).unwrap().1.trim_end_matches('}');
    number.parse().unwrap()
}

fn assert_near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= expected * 1e-12, "{what}: {found} and not {expected}");
}

#[test]
fn the_cap_is_met_with_exactly_twice_the_expected_orders() {
    assert_near(recommended("{}", 99, 100.0), 109.8, "just below: a factor of 1.98");
    assert_near(recommended("{}", 100, 100.0), 110.0, "at the cap: a factor of 2");
    assert_near(recommended("{}", 101, 100.0), 110.0, "just above: 2.02 would give 110.2");
    for unit_price in [0.01, 0.07, 19.99, 33.33, 1e-300, 1e300] {
        let [at, above] = [100, 101].map(|orders| recommended("{}", orders, unit_price));
        assert!(
            at <= unit_price * 1.1 && above <= unit_price * 1.1,
            "{unit_price}: never beyond the cap: {at}, {above}"
        );
    }
}

#[test]
fn a_price_has_no_floor_and_is_not_rounded() {
    assert_near(recommended("{}", 1, 100.0), 90.2, "one order of fifty");
    assert_near(recommended("{}", 1, 0.01), 0.00902, "less than a cent");
    assert_near(recommended("{}", 49, 19.99), 19.99 * 0.998, "one order less than expected");
    assert_near(recommended("{}", 51, 19.99), 19.99 * 1.002, "one order more");
}

#[test]
fn a_product_with_an_expectation_of_its_own_is_measured_by_that_alone() {
    let config = r#"{"expected":4,"expected-of":{"p1":2}}"#;
    assert_near(recommended(config, 2, 100.0), 100.0, "as expected of p1");
    assert_near(recommended(config, 4, 100.0), 110.0, "twice that");
    assert_near(recommended(r#"{"expected":4,"expected-of":{"p2":2}}"#, 4, 100.0), 100.0, "p1 has none of its own");
    assert_near(recommended(r#"{"expected-of":{"p1":0.5}}"#, 1, 100.0), 110.0, "half an order is expected");
}

#[test]
fn a_config_at_its_bounds_is_good_and_beyond_them_refused() {
    assert_near(recommended(r#"{"elasticity":0}"#, 100, 100.0), 100.0, "the price stays");
    assert_near(recommended(r#"{"elasticity":1,"cap":9}"#, 100, 100.0), 200.0, "it follows the demand");
    assert_near(recommended(r#"{"elasticity":1}"#, 1, 100.0), 2.0, "down too");
    assert_near(recommended(r#"{"cap":1}"#, 100, 100.0), 100.0, "no price above the base");
    for bad in [
        r#"{"expected":-1}"#,
        r#"{"expected":null}"#,
        r#"{"expected":"50"}"#,
        r#"{"expected-of":{"p1":0}}"#,
        r#"{"expected-of":[]}"#,
        r#"{"elasticity":-0.01}"#,
        r#"{"elasticity":1.01}"#,
        r#"{"cap":0.99}"#,
        r#"{"cap":-1}"#,
        r#"{"caps":2}"#,
    ] {
        assert!(Bench::with_config(&PLUGIN, bad).is_err(), "{bad}");
    }
}

#[test]
fn figures_that_are_too_large_for_a_number_stay_the_largest_one() {
    let tiny = price(Bench::with_config(&PLUGIN, r#"{"expected":1e-320}"#).unwrap(), 0, 20.0, 20.0);
    assert!(tiny.contains(r#""demandFactor":1.7976931348623157e+308,"#), "{tiny}");
    assert!(tiny.ends_with(r#""recommendedPrice":22.0}"#), "{tiny}");
    assert_near(recommended("{}", 100, 1.7e308), f64::MAX, "a tenth more than the largest prices");
}

#[test]
fn a_unit_price_is_any_number_over_0() {
    let run = |price: &str| {
        let value = format!(r#"{{"productId":"p1","unitPrice":{price}}}"#);
        Bench::new(&PLUGIN).transform("by_product", &[Record::new("ann", value)]).remove(0)
    };
    for good in ["0.01", "1", "1e3", "5e-324", "1.7976931348623157e308"] {
        assert!(run(good).is_good(), "{good}");
    }
    for bad in ["0", "-0", "0.0", "-0.0", "1e-400", "-0.01", "1e309"] {
        assert!(run(bad).failure().contains("`unitPrice`"), "{bad}");
    }
}
