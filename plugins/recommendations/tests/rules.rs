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

/// The categories that are recommended for these interests.
fn categories(config: &str, interests: &str) -> String {
    let view = Record::new("ann", "{}");
    let profile = Record::new("ann", format!(r#"{{"customerId":"ann","interests":{interests}}}"#));
    let mut bench = Bench::with_config(&PLUGIN, config).unwrap();
    let text = bench.join("recommend", &[Pair::new(view, profile)]).remove(0).texts().concat();
    text.split_once(r#""recommendations":"#).unwrap().1.split_once(r#","confidence""#).unwrap().0.to_owned()
}

#[test]
fn equal_categories_go_by_the_utf_8_bytes_of_their_names() {
    // By UTF-16 units, as Java compares, the last two were the other way round; by an alphabet, the first two.
    let order = r#"["Zebra","apple","Äpfel","ｚ","😀"]"#;
    assert_eq!(categories(r#"{"recommended":5}"#, r#"{"😀":1,"ｚ":1,"Äpfel":1,"apple":1,"Zebra":1}"#), order);
    assert_eq!(categories("{}", r#"{"b":1,"":1,"a":1,"aa":1}"#), r#"["","a","aa"]"#, "the empty name comes first");
    assert_eq!(categories("{}", r#"{"a":1,"d":2,"c":2,"b":2,"e":3}"#), r#"["e","b","c"]"#, "a tie for the third place");
}

#[test]
fn fewer_categories_than_three_are_all_recommended() {
    for (interests, expected) in [
        ("{}", "[]"),
        (r#"{"a":1}"#, r#"["a"]"#),
        (r#"{"a":1,"b":2}"#, r#"["b","a"]"#),
        (r#"{"a":1,"b":2,"c":3}"#, r#"["c","b","a"]"#),
        (r#"{"a":1,"b":2,"c":3,"d":4}"#, r#"["d","c","b"]"#),
    ] {
        assert_eq!(categories("{}", interests), expected);
    }
    assert_eq!(categories(r#"{"recommended":1}"#, r#"{"a":1,"b":1}"#), r#"["a"]"#);
}

#[test]
fn a_type_of_weight_0_is_no_interest() {
    let mut bench = Bench::with_config(&PLUGIN, r#"{"weights":{"VIEW":0}}"#).unwrap();
    assert_eq!(bench.transform("interesting", &[event("VIEW", "tea")]).remove(0).texts(), [""; 0]);
    assert_eq!(bench.transform("interesting", &[event("PURCHASE", "tea")]).remove(0).texts().len(), 1);
}

#[test]
fn an_event_that_comes_twice_counts_twice_and_a_weight_stays_at_the_largest_number() {
    let events = || [event("PURCHASE", "tea"), event("PURCHASE", "tea")];
    let last = |mut bench: Bench| {
        let outcomes = bench.aggregate("profile", &[Group::new("ann", events())], Mode::Each).remove(0).outcomes;
        outcomes[1].texts().concat()
    };
    assert_eq!(last(Bench::new(&PLUGIN)), r#"{"customerId":"ann","interests":{"tea":10}}"#);
    let config = format!(r#"{{"weights":{{"PURCHASE":{}}}}}"#, u64::MAX);
    let largest = last(Bench::with_config(&PLUGIN, &config).unwrap());
    assert_eq!(largest, format!(r#"{{"customerId":"ann","interests":{{"tea":{}}}}}"#, u64::MAX));
}

#[test]
fn a_config_at_its_bounds_is_good_and_beyond_them_refused() {
    for good in [r#"{"confidence":0}"#, r#"{"confidence":1}"#, r#"{"recommended":1}"#, r#"{"weights":{}}"#] {
        assert!(Bench::with_config(&PLUGIN, good).is_ok(), "{good}");
    }
    for bad in [
        r#"{"confidence":-0.01}"#,
        r#"{"confidence":1.01}"#,
        r#"{"confidence":null}"#,
        r#"{"confidence":"1"}"#,
        r#"{"recommended":-1}"#,
        r#"{"recommended":2.5}"#,
        r#"{"weights":{"VIEW":-1}}"#,
        r#"{"weights":{"VIEW":0.5}}"#,
        r#"{"weight":{}}"#,
    ] {
        assert!(Bench::with_config(&PLUGIN, bad).is_err(), "{bad}");
    }
}
