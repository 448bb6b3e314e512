//! What becomes of events in which a field is missing or of another type.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use customer_activity::PLUGIN;
use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Record, kinds};

const EVENT: &str = r#"{"eventId":"e1","customerId":"bob","activityType":"VIEW","productId":"p1","category":"tea"}"#;

const FIELDS: [&str; 5] = ["eventId", "customerId", "activityType", "productId", "category"];

fn check(event: Record) -> Outcome {
    Bench::new(&PLUGIN).transform("check", &[event]).remove(0)
}

/// The outcome of the only event of a window.
fn aggregate(function: &str, event: &str) -> Outcome {
    let group = Group::new("ann", [Record::new("ann", event)]).window(300_000, 600_000);
    Bench::new(&PLUGIN).aggregate(function, &[group], Mode::Each).remove(0).outcomes.remove(0)
}

#[test]
fn an_event_is_good_with_a_text_as_its_type_and_anything_in_all_other_fields() {
    for field in FIELDS {
        for (kind, event) in kinds(EVENT, field) {
            let outcome = check(Record::new("ann", event.clone()));
            if field != "activityType" || kind == "text" {
                assert_eq!(outcome.texts(), [event], "{field}: {kind}");
            } else {
                let failure = outcome.failure();
                assert!(failure.starts_with("bad-value: ") && failure.contains("`activityType`"), "{kind}: {failure}");
            }
        }
    }
}

#[test]
fn a_value_that_is_no_object_fails() {
    for value in ["null", r#""VIEW""#, "true", "7", "[]", r#"[{"activityType":"VIEW"}]"#, "", "{", "VIEW", "{}{}"] {
        let failure = check(Record::new("ann", value)).failure();
        assert!(failure.starts_with("bad-value: "), "{value}: {failure}");
    }
    assert!(check(Record::new("ann", "").null_value()).failure().starts_with("null-value: "));
}

#[test]
fn an_event_without_a_customer_is_left_to_the_step_that_counts_it() {
    assert_eq!(check(Record::new("ann", EVENT).null_key()).texts(), [EVENT]);
}

#[test]
fn results_depend_on_the_type_alone_and_name_the_customer_of_the_key() {
    for (function, times) in [
        ("activity", r#""windowStart":300000,"windowEnd":600000,"total":1,"byType":{"TYPE":1},"score":1"#),
        ("visit", r#""sessionStart":300000,"sessionEnd":600000,"durationMs":300000,"total":1,"byType":{"TYPE":1}"#),
    ] {
        for field in FIELDS {
            for (kind, event) in kinds(EVENT, field) {
                let outcome = aggregate(function, &event);
                if field == "activityType" && kind != "text" {
                    assert!(outcome.failure().starts_with("bad-value: "), "{function}: {kind}");
                    continue;
                }
                let found = if field == "activityType" { "x" } else { "VIEW" };
                let result = format!(r#"{{"customerId":"ann",{}}}"#, times.replace("TYPE", found));
                assert_eq!(outcome.texts(), [result], "{function}: {field}: {kind}");
            }
        }
    }
}
