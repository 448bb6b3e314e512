//! What becomes of orders in which a field is missing or of another type.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use dynamic_pricing::PLUGIN;
use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Record, kinds};

const ORDER: &str = concat!(
    r#"{"orderId":"o1","customerId":"ann","productId":"p1","region":"EU","amount":1200,"#,
    r#""unitPrice":600,"status":"NEW"}"#
);

const FIELDS: [&str; 7] = ["orderId", "customerId", "productId", "region", "amount", "unitPrice", "status"];

fn by_product(order: Record) -> Outcome {
    Bench::new(&PLUGIN).transform("by_product", &[order]).remove(0)
}

#[test]
fn an_order_needs_a_number_as_unit_price_and_has_a_product_if_that_is_a_text() {
    for field in FIELDS {
        for (kind, order) in kinds(ORDER, field) {
            let outcome = by_product(Record::new("ann", order.clone()));
            let product = match (field, kind) {
                ("productId", "text") => Some("x"),
                ("unitPrice", "number") => Some("p1"),
                ("unitPrice", _) => {
                    let failure = outcome.failure();
                    assert!(failure.starts_with("bad-value: ") && failure.contains("`unitPrice`"), "{kind}: {failure}");
                    continue;
                }
                ("productId", _) => None,
                _ => Some("p1"),
            };
            assert_eq!(outcome.keys(), [product.map(str::as_bytes)], "{field}: {kind}");
            assert_eq!(outcome.texts(), [order], "{field}: {kind}");
        }
    }
}

#[test]
fn an_order_without_a_product_still_needs_a_unit_price() {
    assert!(by_product(Record::new("ann", r#"{"unitPrice":0}"#)).failure().ends_with("must be over 0"));
}

#[test]
fn a_value_that_is_no_object_fails() {
    for value in ["null", r#""p1""#, "true", "7", "[]", "[{}]", "", "{", "p1", "{}{}"] {
        let failure = by_product(Record::new("ann", value)).failure();
        assert!(failure.starts_with("bad-value: "), "{value}: {failure}");
    }
    assert!(by_product(Record::new("ann", "").null_value()).failure().starts_with("null-value: "));
}

#[test]
fn an_order_without_a_customer_counts_for_its_product() {
    assert_eq!(by_product(Record::new("ann", ORDER).null_key()).keys(), [Some(b"p1".as_slice())]);
}

#[test]
fn a_price_takes_the_unit_price_alone_and_names_the_product_of_the_key() {
    for field in FIELDS {
        for (kind, order) in kinds(ORDER, field) {
            let group = Group::new("cup", [Record::new("cup", order)]).window(0, 900_000);
            let outcome = Bench::new(&PLUGIN).aggregate("price", &[group], Mode::Each).remove(0).outcomes.remove(0);
            let base = match (field, kind) {
                ("unitPrice", "number") => "7.0",
                ("unitPrice", _) => {
                    assert!(outcome.failure().contains("`unitPrice`"), "{kind}: {}", outcome.failure());
                    continue;
                }
                _ => "600.0",
            };
            let text = outcome.texts().concat();
            assert!(text.starts_with(r#"{"productId":"cup","#), "{field}: {kind}: {text}");
            assert!(
                text.contains(&format!(r#""orders":1,"expected":50.0,"demandFactor":0.02,"basePrice":{base},"#)),
                "{text}"
            );
        }
    }
}
