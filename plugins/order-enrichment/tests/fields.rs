//! What becomes of orders and rows in which a field is missing or of another type.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Pair, Record, kinds};
use order_enrichment::PLUGIN;

const ORDER: &str = concat!(
    r#"{"orderId":"o1","customerId":"ann","productId":"p1","region":"EU","amount":1200,"#,
    r#""unitPrice":600,"status":"NEW"}"#
);

const ORDER_FIELDS: [&str; 7] = ["orderId", "customerId", "productId", "region", "amount", "unitPrice", "status"];

const ROW: &str = r#"{"customerId":"ann","name":"Ann","tier":"GOLD","region":"EU"}"#;

const ROW_FIELDS: [&str; 4] = ["customerId", "name", "tier", "region"];

fn transform(function: &str, record: Record) -> Outcome {
    Bench::new(&PLUGIN).transform(function, &[record]).remove(0)
}

/// Runs `each` with the order in which each field is of each kind.
fn each_order(mut each: impl FnMut(&str, &str, String)) {
    for field in ORDER_FIELDS {
        kinds(ORDER, field).into_iter().for_each(|(kind, order)| each(field, kind, order));
    }
}

fn assert_names(outcome: &Outcome, field: &str, kind: &str) {
    let failure = outcome.failure();
    assert!(failure.starts_with("bad-value: ") && failure.contains(&format!("`{field}`")), "{kind}: {failure}");
}

#[test]
fn an_order_is_good_with_a_number_as_amount_and_any_customer() {
    each_order(|field, kind, order| {
        let outcome = transform("check", Record::new("ann", order.clone()));
        match (field, kind) {
            ("amount", "number") => assert_eq!(outcome.texts(), [order]),
            ("amount", _) | ("customerId", "missing" | "null") => assert_names(&outcome, field, kind),
            _ => assert_eq!(outcome.texts(), [order], "{field}: {kind}"),
        }
    });
}

#[test]
fn a_row_is_good_whatever_its_fields_are() {
    for field in ROW_FIELDS {
        for (kind, row) in kinds(ROW, field) {
            assert_eq!(transform("check_row", Record::new("ann", row.clone())).texts(), [row], "{field}: {kind}");
        }
    }
}

#[test]
fn a_value_that_is_no_object_fails() {
    for function in ["check", "check_row"] {
        for value in ["null", r#""EU""#, "true", "7", "[]", "[{}]", "", "{", "EU", "{}{}"] {
            let failure = transform(function, Record::new("ann", value)).failure();
            assert!(failure.starts_with("bad-value: "), "{function}: {value}: {failure}");
        }
    }
    assert!(transform("check", Record::new("ann", "").null_value()).failure().starts_with("null-value: "));
}

#[test]
fn records_without_a_key_are_left_to_the_steps() {
    assert_eq!(transform("check", Record::new("ann", ORDER).null_key()).texts(), [ORDER]);
    assert_eq!(transform("check_row", Record::new("ann", ROW).null_key()).texts(), [ROW]);
    let alone = Pair::left_only(Record::new("ann", ORDER).null_key());
    let outcome = Bench::new(&PLUGIN).join("enrich", &[alone]).remove(0);
    assert_eq!(outcome.keys(), [None]);
    assert!(outcome.texts()[0].ends_with(r#","customer":null,"customerTier":null}"#), "{:?}", outcome.texts());
}

#[test]
fn an_order_is_enriched_whatever_its_fields_are() {
    each_order(|field, kind, order| {
        let pair = Pair::new(Record::new("ann", order.clone()), Record::new("ann", ROW));
        let expected = order.strip_suffix('}').unwrap();
        let expected = format!(r#"{expected},"customer":{ROW},"customerTier":"GOLD"}}"#);
        assert_eq!(Bench::new(&PLUGIN).join("enrich", &[pair]).remove(0).texts(), [expected], "{field}: {kind}");
    });
}

#[test]
fn a_row_goes_into_the_order_whatever_its_fields_are() {
    for field in ROW_FIELDS {
        for (kind, row) in kinds(ROW, field) {
            let pair = Pair::new(Record::new("ann", "{}"), Record::new("ann", row.clone()));
            let tier = match (field, kind) {
                ("tier", "missing" | "null") => "null",
                ("tier", "text") => r#""x""#,
                ("tier", "bool") => "true",
                ("tier", "number") => "7",
                ("tier", "array") => "[]",
                ("tier", "object") => "{}",
                _ => r#""GOLD""#,
            };
            let expected = format!(r#"{{"customer":{row},"customerTier":{tier}}}"#);
            assert_eq!(Bench::new(&PLUGIN).join("enrich", &[pair]).remove(0).texts(), [expected], "{field}: {kind}");
        }
    }
}

#[test]
fn an_order_is_of_high_value_by_its_amount_alone() {
    each_order(|field, kind, order| {
        let outcome = transform("high_value", Record::new("ann", order.clone()));
        match (field, kind) {
            ("amount", "number") => assert_eq!(outcome.texts(), [""; 0], "7 isn't over 1000"),
            ("amount", _) => assert_names(&outcome, field, kind),
            _ => assert_eq!(outcome.texts(), [order], "{field}: {kind}"),
        }
    });
}

#[test]
fn an_order_has_a_region_if_that_is_a_text() {
    each_order(|field, kind, order| {
        let outcome = transform("by_region", Record::new("ann", order.clone()));
        let region = match (field, kind) {
            ("region", "text") => Some("x"),
            ("region", _) => None,
            _ => Some("EU"),
        };
        assert_eq!(outcome.keys(), [region.map(str::as_bytes)], "{field}: {kind}");
        assert_eq!(outcome.texts(), [order], "{field}: {kind}");
    });
}

#[test]
fn the_trend_takes_the_amount_alone() {
    each_order(|field, kind, order| {
        let group = Group::new("EU", [Record::new("EU", order)]).window(0, 3_600_000);
        let outcome = Bench::new(&PLUGIN).aggregate("trend", &[group], Mode::Each).remove(0).outcomes.remove(0);
        let amount = match (field, kind) {
            ("amount", "number") => "7.0",
            ("amount", _) => return assert_names(&outcome, field, kind),
            _ => "1200.0",
        };
        let figures = format!(r#""count":1,"total":{amount},"average":{amount},"max":{amount}}}"#);
        assert!(outcome.texts()[0].ends_with(&figures), "{field}: {kind}: {:?}", outcome.texts());
    });
}
