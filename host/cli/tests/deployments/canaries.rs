//! Canaries: a version that processes the records of some keys, judged by its results.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{Place, until};
use crate::{list, place, process, read, records, start, versions};

const CANARY: &str = "deploy swap.toml --plugin swap=swap_next.wasm --data data --yes --canary 50%,100%";

/// The versions that made the results of each key, without repetitions, in their order.
fn versions_of_keys(place: &Place) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in read(place, "tagged") {
        let by = line["value"]["by"].as_str().unwrap().to_owned();
        let versions = keys.entry(line["key"].as_str().unwrap().to_owned()).or_default();
        if versions.last() != Some(&by) {
            versions.push(by);
        }
    }
    keys
}

fn show(place: &Place, generation: u32) -> Value {
    let shown = format!("deployments show swap.toml --data data --json --generation {generation}");
    serde_json::from_str(&place.millrace(&shown).good()).unwrap()
}

/// Statuses of the deployments, and the verdict on the last one.
fn statuses(place: &Place) -> (Vec<String>, String) {
    let lines = place.millrace("deployments list swap.toml --data data --json").good();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdict = lines.last().and_then(|line| line["verdict"].as_str()).unwrap_or_default().to_owned();
    (lines.iter().map(|line| line["status"].as_str().unwrap().to_owned()).collect(), verdict)
}

#[test]
fn a_canary_has_its_keys_and_becomes_active_when_it_was_good_for_long_enough() {
    let place = place();
    let run = start(&place, "");
    process(&place, 0..22);
    let said = place.millrace(&format!("{CANARY} --each 1h --min-records 30")).good();
    let on_trial =
        "on trial: `swap` generation 2 as a canary with 50% of the keys; the app's processes go on with it\n";
    assert!(said.contains(on_trial), "{said}");
    process(&place, 22..44);
    let shown = show(&place, 2);
    assert_eq!(shown["status"], "canary");
    assert_eq!(shown["judged"]["verdict"], "inconclusive");
    let keys = versions_of_keys(&place);
    let taken: BTreeSet<_> = keys.iter().filter(|(_, by)| by.len() == 2).map(|(key, _)| key.clone()).collect();
    assert!(!taken.is_empty() && taken.len() < 11, "{keys:?}");

    // It comes up as it was, with the same keys, whatever the files have.
    run.kill();
    let mut run = start(&place, "");
    process(&place, 44..440);
    let keys = versions_of_keys(&place);
    assert!(
        keys.iter().all(|(key, by)| *by == if taken.contains(key) { &["one", "two"][..] } else { &["one"] }),
        "{keys:?}"
    );
    until("the counts are noted", || {
        let counts = show(&place, 2)["counts"].clone();
        let of = |version: &str| counts[version]["counts"]["records"].as_u64().unwrap_or(0);
        // Each record has a result of each of four steps. Those before the kill are forgotten.
        of("active") + of("canary") == 4 * 396
    });
    assert!(show(&place, 2)["judged"]["reason"].as_str().unwrap().contains("the step lasts"));

    place.millrace("deployments pause swap.toml --data data").good();
    assert_eq!(statuses(&place).0, ["active", "canary"]);
    let listed = place.millrace("deployments list swap.toml --data data").good();
    assert!(listed.contains("canary 50%, paused"), "{listed}");
    place.millrace("deployments resume swap.toml --data data").good();
    let said = place.millrace("deployments promote swap.toml --data data --wait").good();
    assert_eq!(said, "active: `swap` generation 2; every process of the app runs it\n");
    process(&place, 440..460);
    assert!(versions(&place)[440..].iter().all(|by| by == "two"));
    assert_eq!(run.terminate().code(), Some(0));
    let counts = read(&place, "counts");
    let of = |key: &str| counts.iter().rev().find(|it| it["key"] == key).unwrap()["value"]["records"].as_i64().unwrap();
    assert_eq!((of("k0"), of("k10")), (42, 41), "both versions had the same state");
}

#[test]
fn a_canary_goes_on_by_itself_and_the_command_waits_for_its_end() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..22);
    let mut deploy = place.start(&format!("{CANARY} --each 200ms --min-records 20 --wait"));
    until("the canary has begun", || statuses(&place).0.len() == 2);
    let mut end = 22;
    while statuses(&place).0 != ["superseded", "active"] {
        process(&place, end..end + 22);
        end += 22;
    }
    assert!(deploy.wait().success());
    let (_, verdict) = statuses(&place);
    assert!(verdict.starts_with("0 of its ") && verdict.ends_with(" of the active version's"), "{verdict}");
    assert_eq!(run.terminate().code(), Some(0));
    assert!(versions_of_keys(&place).values().all(|by| by.len() <= 2), "no key went back");
}

/// The number of results and letters of the step `tag`.
fn results_of_tag(place: &Place) -> u64 {
    let letters =
        read(place, "swapping-dlq").iter().filter(|it| it["headers"].to_string().contains("at step tag of")).count();
    (read(place, "tagged").len() + letters) as u64
}

#[test]
fn a_canary_that_fails_is_aborted_and_its_letters_name_it() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..110);
    let bad = "deploy swap.toml --plugin swap=swap.wasm --config harm=fail --config every=3 --data data --yes";
    let mut deploy = place.start(&format!("{bad} --canary 50%,100% --each 1h --min-records 100 --wait"));
    until("the canary has begun", || statuses(&place).0.len() == 2);
    let mut end = 110;
    while statuses(&place).0.last().unwrap() == "canary" {
        place.millrace_with("topic write --data data", &records(end..end + 55)).good();
        end += 55;
        until("the records are processed", || results_of_tag(&place) == end);
    }
    let said = deploy.ended_with(4);
    assert!(said.contains("`swap` generation 2 is aborted: "), "{said}");
    let letters = read(&place, "swapping-dlq").len();
    place.millrace_with("topic write --data data", &records(end..end + 55)).good();
    until("the records are processed", || results_of_tag(&place) == end + 55);
    assert_eq!(read(&place, "swapping-dlq").len(), letters, "the active version has all keys again");
    let (statuses, verdict) = statuses(&place);
    assert_eq!(statuses, ["active", "aborted"]);
    assert!(verdict.contains("%) of its results failed, and 0 of "), "{verdict}");
    let canary = show(&place, 2)["component"].as_str().unwrap().to_owned();
    let letters = read(&place, "swapping-dlq");
    assert!(!letters.is_empty());
    let digest = |letter: &Value| letter["headers"].to_string().contains(&canary);
    assert!(letters.iter().all(digest), "each letter has the digest of the version that failed");
    let aborted = run.logged("the canary is aborted");
    assert_eq!(aborted["generation"], 2);
    assert_eq!(run.terminate().code(), Some(0));
}

#[test]
fn a_rollback_during_a_canary_ends_it() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..5);
    place.millrace(&format!("{CANARY} --each 1h")).good();
    let refused = place.millrace("deployments rollback swap.toml --data data --to 1").bad();
    assert!(refused.contains("generation 2 of `swap` is on trial"), "{refused}");
    let said = place.millrace("deployments rollback swap.toml --data data --wait").good();
    assert_eq!(said, "aborted: `swap` generation 2\nactive: `swap` generation 1; every process of the app runs it\n");
    assert_eq!(list(&place), ["1 active start {} ", "2 aborted deploy {} "]);
    process(&place, 5..10);
    assert!(versions(&place).iter().all(|by| by == "one"));
    let none = place.millrace("deployments promote swap.toml --data data").bad();
    assert!(none.contains("nothing is on trial"), "{none}");
    assert_eq!(run.terminate().code(), Some(0));
}

#[test]
fn a_canary_that_cannot_share_the_state_is_refused_with_the_way_out() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..5);
    let refused = place.millrace("deploy swap.toml --plugin swap=swap_last.wasm --data data --yes --canary 5%").bad();
    assert!(refused.contains("use a shadow, `--shadow`"), "{refused}");
    for (option, reason) in [
        ("--canary 0%", "expected a percentage"),
        ("--canary 25%,5%", "the steps of a canary grow"),
        ("--canary 100%", "begins with less than 100%"),
        ("--canary 5% --shadow", "cannot be used with"),
        ("--each 10m", "required arguments"),
    ] {
        let said =
            place.millrace(&format!("deploy swap.toml --plugin swap=swap_next.wasm --data data --yes {option}")).bad();
        assert!(said.contains(reason), "{option}: {said}");
    }
    assert_eq!(list(&place), ["1 active start {} "]);
    assert_eq!(run.terminate().code(), Some(0));
}
