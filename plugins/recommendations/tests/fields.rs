//! What becomes of events, views and profiles in which a field is missing or of another type.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Pair, Record, kinds};
use recommendations::PLUGIN;

const EVENT: &str = r#"{"eventId":"e1","customerId":"bob","activityType":"VIEW","productId":"p1","category":"tea"}"#;

const EVENT_FIELDS: [&str; 5] = ["eventId", "customerId", "activityType", "productId", "category"];

const VIEW: &str = r#"{"customerId":"bob","productId":"p1","category":"tea"}"#;

const VIEW_FIELDS: [&str; 3] = ["customerId", "productId", "category"];

const PROFILE: &str = r#"{"customerId":"ann","interests":{"tea":1}}"#;

fn transform(function: &str, record: Record) -> Outcome {
    Bench::new(&PLUGIN).transform(function, &[record]).remove(0)
}

fn aggregate(function: &str, key: &str, value: &str) -> Outcome {
    let group = Group::new(key, [Record::new(key, value)]).window(0, 3_600_000);
    Bench::new(&PLUGIN).aggregate(function, &[group], Mode::Each).remove(0).outcomes.remove(0)
}

fn recommend(view: &str, profile: &str) -> Outcome {
    let pair = Pair::new(Record::new("ann", view), Record::new("ann", profile));
    Bench::new(&PLUGIN).join("recommend", &[pair]).remove(0)
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

#[test]
fn an_event_with_a_category_needs_a_type_and_without_one_says_nothing() {
    for field in EVENT_FIELDS {
        for (kind, event) in kinds(EVENT, field) {
            let outcome = transform("interesting", Record::new("ann", event.clone()));
            match (field, kind) {
                ("activityType", "text") => assert_eq!(outcome.texts(), [""; 0], "`x` has no weight"),
                ("activityType", _) => assert!(outcome.failure().contains("`activityType`"), "{kind}"),
                ("category", "text") => assert_eq!(outcome.texts(), [event]),
                ("category", _) => assert_eq!(outcome.texts(), [""; 0], "{kind}"),
                _ => assert_eq!(outcome.texts(), [event], "{field}: {kind}"),
            }
        }
    }
    for (kind, event) in kinds(r#"{"category":null}"#, "activityType") {
        assert_eq!(transform("interesting", Record::new("ann", event)).texts(), [""; 0], "{kind}");
    }
}

#[test]
fn a_profile_takes_type_and_category_alone_and_names_the_customer_of_the_key() {
    for field in EVENT_FIELDS {
        for (kind, event) in kinds(EVENT, field) {
            let outcome = aggregate("profile", "ann", &event);
            let interests = match (field, kind) {
                ("activityType", "text") => r#"{"tea":0}"#,
                ("category", "text") => r#"{"x":1}"#,
                ("activityType" | "category", _) => {
                    assert!(outcome.failure().contains(&format!("`{field}`")), "{kind}: {}", outcome.failure());
                    continue;
                }
                _ => r#"{"tea":1}"#,
            };
            let profile = format!(r#"{{"customerId":"ann","interests":{interests}}}"#);
            assert_eq!(outcome.texts(), [profile], "{field}: {kind}");
        }
    }
}

#[test]
fn a_view_is_good_whatever_its_fields_are() {
    for field in VIEW_FIELDS {
        for (kind, view) in kinds(VIEW, field) {
            assert_eq!(transform("check", Record::new("ann", view.clone())).texts(), [view], "{field}: {kind}");
        }
    }
    assert_eq!(transform("check", Record::new("ann", VIEW).null_key()).texts(), [VIEW], "steps count it");
}

#[test]
fn a_value_that_is_no_object_fails() {
    for function in ["interesting", "check", "by_product"] {
        for value in ["null", r#""tea""#, "true", "7", "[]", "[{}]", "", "{", "tea", "{}{}"] {
            let failure = transform(function, Record::new("ann", value)).failure();
            assert!(failure.starts_with("bad-value: "), "{function}: {value}: {failure}");
        }
        let null = Record::new("ann", "").null_value();
        assert!(transform(function, null).failure().starts_with("null-value: "), "{function}");
    }
}

#[test]
fn a_recommendation_has_product_and_category_as_the_view_has_them() {
    for field in VIEW_FIELDS {
        for (kind, view) in kinds(VIEW, field) {
            let of = |name: &str, good: &'static str| if field == name { json_of(kind) } else { good };
            let expected = format!(
                r#"{{"customerId":"ann","productId":{},"category":{},"recommendations":["tea"],"confidence":0.85,"algorithm":"interest-profile"}}"#,
                of("productId", r#""p1""#),
                of("category", r#""tea""#)
            );
            assert_eq!(recommend(&view, PROFILE).texts(), [expected], "{field}: {kind}");
        }
    }
}

#[test]
fn a_profile_that_is_none_of_ours_fails() {
    for (kind, profile) in kinds(PROFILE, "customerId") {
        assert_eq!(recommend(VIEW, &profile).is_good(), kind == "text", "customerId: {kind}");
    }
    for (kind, profile) in kinds(PROFILE, "interests") {
        assert_eq!(recommend(VIEW, &profile).is_good(), kind == "object", "interests: {kind}");
    }
}

#[test]
fn a_view_has_a_product_if_that_is_a_text() {
    for field in VIEW_FIELDS {
        for (kind, view) in kinds(VIEW, field) {
            let outcome = transform("by_product", Record::new("ann", view.clone()));
            let product = match (field, kind) {
                ("productId", "text") => Some("x"),
                ("productId", _) => None,
                _ => Some("p1"),
            };
            assert_eq!(outcome.keys(), [product.map(str::as_bytes)], "{field}: {kind}");
            assert_eq!(outcome.texts(), [view], "{field}: {kind}");
        }
    }
    let keyless = transform("by_product", Record::new("ann", VIEW).null_key());
    assert_eq!(keyless.keys(), [Some(b"p1".as_slice())], "a view without a customer counts for its product");
}

#[test]
fn a_view_counts_whatever_its_fields_are() {
    for field in VIEW_FIELDS {
        for (kind, view) in kinds(VIEW, field) {
            let expected = r#"{"productId":"p1","windowStart":0,"windowEnd":3600000,"views":1}"#;
            assert_eq!(aggregate("trending", "p1", &view).texts(), [expected], "{field}: {kind}");
        }
    }
}
