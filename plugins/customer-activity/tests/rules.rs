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

/// The last result of events that are texts of JSON.
fn last(bench: Bench, events: &[&str]) -> String {
    let group = Group::new("ann", events.iter().map(|event| Record::new("ann", *event)));
    results(&run(bench, "activity", group)).pop().unwrap()
}

#[test]
fn each_type_counts_under_its_own_text() {
    let types = [r#""view""#, r#""VIEW ""#, r#""""#, r#""VIE\u0057""#, r#""VIEW""#, r#""caf\u00e9""#, r#""café""#];
    let events = types.map(|kind| format!(r#"{{"activityType":{kind}}}"#));
    let result = last(Bench::new(&PLUGIN), &events.each_ref().map(String::as_str));
    let by_type = r#""byType":{"":1,"VIEW":2,"VIEW ":1,"café":2,"view":1}"#;
    assert!(result.contains(by_type), "letters count, and escapes don't: {result}");
    assert!(result.ends_with(r#""score":7}"#), "types of other letters are other types, of weight 1: {result}");
}

#[test]
fn an_event_that_comes_twice_counts_twice() {
    let event = r#"{"eventId":"e1","activityType":"PURCHASE"}"#;
    let result = last(Bench::new(&PLUGIN), &[event, event]);
    assert!(result.ends_with(r#""total":2,"byType":{"PURCHASE":2},"score":10}"#), "{result}");
}

#[test]
fn a_visit_of_one_event_has_no_length() {
    let group = Group::new("ann", [event("VIEW")]).window(7, 7);
    let outcome = Bench::new(&PLUGIN).aggregate("visit", &[group], Mode::Each).remove(0).outcomes.remove(0);
    let times = r#""sessionStart":7,"sessionEnd":7,"durationMs":0"#;
    assert_eq!(outcome.texts(), [format!(r#"{{"customerId":"ann",{times},"total":1,"byType":{{"VIEW":1}}}}"#)]);
}

#[test]
fn weights_may_be_0_or_as_large_as_can_be_and_not_below_0() {
    let score = |config: &str, events: &[&str]| {
        let result = last(Bench::with_config(&PLUGIN, config).unwrap(), events);
        result.rsplit_once(r#""score":"#).unwrap().1.trim_end_matches('}').to_owned()
    };
    let view = r#"{"activityType":"VIEW"}"#;
    assert_eq!(score(r#"{"weights":{"VIEW":0},"other":0}"#, &[view, r#"{"activityType":"x"}"#]), "0");
    let largest = format!(r#"{{"weights":{{"VIEW":{}}}}}"#, u64::MAX);
    assert_eq!(score(&largest, &[view, view]), u64::MAX.to_string(), "the score stays there");
    for bad in [
        r#"{"weights":{"VIEW":-1}}"#,
        r#"{"weights":{"VIEW":1.5}}"#,
        r#"{"weights":{"VIEW":"1"}}"#,
        r#"{"weights":{"VIEW":null}}"#,
        r#"{"weights":[]}"#,
        r#"{"weights":null}"#,
        r#"{"other":-1}"#,
        r#"{"other":null}"#,
        r#"{"others":1}"#,
    ] {
        assert!(Bench::with_config(&PLUGIN, bad).is_err(), "{bad}");
    }
}
