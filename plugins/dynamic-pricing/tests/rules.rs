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
