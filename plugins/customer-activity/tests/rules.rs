//! What customers do, through the adapter that the guest has too.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use customer_activity::PLUGIN;
use millrace_sdk::testing::{Bench, Group, Grouped, Mode, Record};

fn event(kind: &str) -> Record {
    Record::new("ann", format!(r#"{{"eventId":"e1","customerId":"ann","activityType":"{kind}"}}"#))
}

fn run(mut bench: Bench, function: &str, group: Group) -> Grouped {
    bench.aggregate(function, &[group.window(300_000, 600_000)], Mode::Each).remove(0)
}

fn results(group: &Grouped) -> Vec<String> {
    group.outcomes.iter().flat_map(|outcome| outcome.texts()).collect()
}

#[test]
fn an_event_updates_the_counts_and_the_score_of_its_window() {
    let events = ["VIEW", "ADD_TO_CART", "PURCHASE", "SEARCH", "VIEW"].map(event);
    let group = run(Bench::new(&PLUGIN), "activity", Group::new("ann", events));
    let result = |total: u32, by_type: &str, score: u32| {
        let window = r#""windowStart":300000,"windowEnd":600000"#;
        format!(r#"{{"customerId":"ann",{window},"total":{total},"byType":{{{by_type}}},"score":{score}}}"#)
    };
    assert_eq!(
        results(&group),
        [
            result(1, r#""VIEW":1"#, 1),
            result(2, r#""ADD_TO_CART":1,"VIEW":1"#, 4),
            result(3, r#""ADD_TO_CART":1,"PURCHASE":1,"VIEW":1"#, 9),
            result(4, r#""ADD_TO_CART":1,"PURCHASE":1,"SEARCH":1,"VIEW":1"#, 10),
            result(5, r#""ADD_TO_CART":1,"PURCHASE":1,"SEARCH":1,"VIEW":2"#, 11),
        ]
    );
}

#[test]
fn the_config_sets_the_weights() {
    let bench = Bench::with_config(&PLUGIN, r#"{"weights":{"VIEW":2},"other":70}"#).unwrap();
    let group = run(bench, "activity", Group::new("ann", ["VIEW", "PURCHASE", "SEARCH"].map(event)));
    assert!(
        results(&group)[2].ends_with(r#""score":77}"#),
        "2, the 5 that PURCHASE has anyway, 70: {:?}",
        results(&group)
    );
}

#[test]
fn an_event_between_two_visits_makes_one_of_them() {
    let visit = |kinds: &[&str]| {
        let group = run(Bench::new(&PLUGIN), "visit", Group::new("ann", kinds.iter().map(|kind| event(kind))));
        let (version, state) = group.state.clone().unwrap();
        assert_eq!(version, 1);
        state
    };
    let (morning, noon) = (visit(&["VIEW", "VIEW"]), visit(&["PURCHASE"]));
    let group = Group::new("ann", [event("VIEW")]).absorb(1, morning).absorb(1, noon);
    let result = r#"{"customerId":"ann","sessionStart":300000,"sessionEnd":600000,"durationMs":300000,"total":4,"byType":{"PURCHASE":1,"VIEW":3}}"#;
    assert_eq!(results(&run(Bench::new(&PLUGIN), "visit", group)), [result]);
}

#[test]
fn an_event_needs_a_type_and_nothing_else() {
    let check = |value: &str| Bench::new(&PLUGIN).transform("check", &[Record::new("ann", value)]).remove(0);
    for good in [
        r#"{"activityType":""}"#,
        r#"{"activityType":"VIEW"}"#,
        r#"{"activityType":"x","eventId":7,"category":[],"productId":null}"#,
    ] {
        assert_eq!(check(good).texts(), [good]);
    }
    for (bad, reason) in [
        ("{}", "missing field `activityType`"),
        (r#"{"activityType":null}"#, "field `activityType`: expected a string, found null"),
        (r#"{"activityType":7}"#, "field `activityType`: expected a string, found 7"),
        ("[]", "expected"),
        ("7", "expected"),
    ] {
        assert!(check(bad).failure().contains(reason), "{bad}: {}", check(bad).failure());
    }
    let null = Bench::new(&PLUGIN).transform("check", &[Record::new("ann", "").null_value()]).remove(0);
    assert!(null.failure().contains("null-value"), "{}", null.failure());
}
