//! What customers may like, through the adapter that the guest has too.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use millrace_sdk::testing::{Bench, Group, Mode, Outcome, Pair, Record};
use recommendations::PLUGIN;

fn event(kind: &str, category: &str) -> Record {
    Record::new("ann", format!(r#"{{"activityType":"{kind}","category":"{category}"}}"#))
}

fn recommend(profile: &str) -> Outcome {
    let view = Record::new("ann", r#"{"customerId":"ann","productId":"p1","category":"tea"}"#);
    Bench::new(&PLUGIN).join("recommend", &[Pair::new(view, Record::new("ann", profile))]).remove(0)
}

#[test]
fn an_interest_grows_with_the_weight_of_each_activity() {
    let events = [event("VIEW", "tea"), event("PURCHASE", "cups"), event("ADD_TO_CART", "tea")];
    let outcomes =
        Bench::new(&PLUGIN).aggregate("profile", &[Group::new("ann", events)], Mode::Each).remove(0).outcomes;
    let result = |interests: &str| format!(r#"{{"customerId":"ann","interests":{{{interests}}}}}"#);
    assert_eq!(
        outcomes.iter().flat_map(Outcome::texts).collect::<Vec<_>>(),
        [result(r#""tea":1"#), result(r#""cups":5,"tea":1"#), result(r#""cups":5,"tea":4"#)]
    );
}

#[test]
fn an_event_without_a_category_or_of_another_type_is_no_interest() {
    let run = |value: &str| Bench::new(&PLUGIN).transform("interesting", &[Record::new("ann", value)]).remove(0);
    let good = r#"{"activityType":"VIEW","category":"tea"}"#;
    assert_eq!(run(good).texts(), [good]);
    for none in [
        r#"{"activityType":"VIEW"}"#,
        r#"{"activityType":"VIEW","category":null}"#,
        r#"{"activityType":"SEARCH","category":"tea"}"#,
        r#"{"activityType":"VIEW","category":7}"#,
        r#"{"activityType":7}"#,
        "{}",
    ] {
        assert_eq!(run(none).texts(), [""; 0], "{none}");
    }
    for bad in [r#"{"category":"tea"}"#, r#"{"activityType":7,"category":"tea"}"#, "[]"] {
        assert!(run(bad).failure().contains("bad-value"), "{bad}");
    }
}

#[test]
fn the_three_heaviest_categories_are_recommended_and_equal_ones_by_name() {
    let outcome = recommend(r#"{"customerId":"ann","interests":{"b":2,"a":2,"d":9,"c":2,"e":1}}"#);
    let expected = concat!(
        r#"{"customerId":"ann","productId":"p1","category":"tea","recommendations":["d","a","b"],"#,
        r#""confidence":0.85,"algorithm":"interest-profile"}"#
    );
    assert_eq!(outcome.texts(), [expected]);
    let few = recommend(r#"{"customerId":"ann","interests":{"tea":1}}"#).texts().concat();
    assert!(few.contains(r#""recommendations":["tea"]"#), "{few}");
}

#[test]
fn a_view_is_an_object_and_lacks_what_it_lacks() {
    let check = |value: &str| Bench::new(&PLUGIN).transform("check", &[Record::new("ann", value)]).remove(0);
    for good in ["{}", r#"{"productId":7,"category":[]}"#] {
        assert_eq!(check(good).texts(), [good]);
    }
    for bad in ["[]", "42", "null"] {
        assert!(check(bad).failure().contains("expected"), "{bad}");
    }
    let view = Record::new("ann", r#"{"productId":7.10}"#);
    let profile = Record::new("ann", r#"{"customerId":"ann","interests":{"tea":1}}"#);
    let text = Bench::new(&PLUGIN).join("recommend", &[Pair::new(view, profile)]).remove(0).texts().concat();
    assert!(text.starts_with(r#"{"customerId":"ann","productId":7.10,"category":null,"#), "{text}");
    let without = Bench::new(&PLUGIN).transform("by_product", &[Record::new("ann", "{}")]).remove(0);
    assert_eq!(without.keys(), [None]);
}

#[test]
fn views_are_counted_by_product() {
    let outcome = Bench::new(&PLUGIN).transform("by_product", &[Record::new("ann", r#"{"productId":"p1"}"#)]).remove(0);
    assert_eq!(outcome.keys(), [Some(b"p1".as_slice())]);
    let views = ["{}", "{}"].map(|view| Record::new("p1", view));
    let group = Group::new("p1", views).window(0, 3_600_000);
    let outcomes = Bench::new(&PLUGIN).aggregate("trending", &[group], Mode::Each).remove(0).outcomes;
    assert_eq!(outcomes[1].texts(), [r#"{"productId":"p1","windowStart":0,"windowEnd":3600000,"views":2}"#]);
}

#[test]
fn a_config_that_recommends_nothing_or_is_more_than_sure_is_refused() {
    for (bad, name) in [(r#"{"recommended":0}"#, "recommended"), (r#"{"confidence":7}"#, "confidence")] {
        let refused = Bench::with_config(&PLUGIN, bad).err().unwrap();
        assert!(refused.starts_with(&format!("{name} must be")), "{refused}");
    }
    let mut bench = Bench::with_config(&PLUGIN, r#"{"weights":{"SEARCH":2}}"#).unwrap();
    let group = Group::new("ann", [event("SEARCH", "tea"), event("PURCHASE", "tea")]);
    let texts = bench.aggregate("profile", &[group], Mode::Each).remove(0).outcomes[1].texts();
    assert_eq!(texts, [r#"{"customerId":"ann","interests":{"tea":7}}"#]);
}
