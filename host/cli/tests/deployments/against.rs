//! `millrace check --against`, and `millrace replay --shadow`.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::Place;
use crate::{PIPELINE, place, process, records, start};

#[test]
fn check_shows_which_steps_keep_their_state_begin_anew_or_leave_some_behind() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..5);
    let check = |place: &Place, name: &str, text: &str| {
        place.write(name, text);
        place.millrace(&format!("check {name} --against data"))
    };
    assert_snapshot!(check(&place, "same.toml", PIPELINE).good(), @"
    step `changed` keeps its state in `changed-last`
    step `count` keeps its state in `count`
    step `sum` keeps its state in `sum`
    ");
    let renamed =
        PIPELINE.replace(r#"name = "count""#, r#"name = "number""#).replace(r#"from = "count""#, r#"from = "number""#);
    assert_snapshot!(check(&place, "renamed.toml", &renamed).good(), @"
    step `changed` keeps its state in `changed-last`
    step `number` begins with empty state in `number`
    step `sum` keeps its state in `sum`
    no step uses the state in `count`, of an aggregate by `count` without windows in step `count`: if the step was renamed, give it its old name to keep the state
    ");
    let windowed = PIPELINE.replace(r#"call = "swap.count""#, "call = \"swap.count\"\nwindow = { tumbling = \"1m\" }");
    assert_snapshot!(check(&place, "windowed.toml", &windowed).bad(), @"
    exit 1: error: step `count`: there is state in its store `count` of an aggregate by `count` without windows, and now it is an aggregate by `count` with tumbling windows of 1m: entries of the one would be taken for entries of the other. Make the step what it was, or give it another name, under which it begins with empty state
    step `sum`: there is state in its store `sum` of an aggregate by `count` without windows, and now it is an aggregate by `count` with tumbling windows of 1m: entries of the one would be taken for entries of the other. Make the step what it was, or give it another name, under which it begins with empty state
    standard output: step `changed` keeps its state in `changed-last`
    ");
    assert_eq!(run.terminate().code(), Some(0));
    assert_snapshot!(place.millrace("check swap.toml --against nowhere").bad(), @"exit 1: error: nowhere: there is no data of Millrace's here; `millrace run` makes it, with the topics of its pipeline, or `millrace topic create`, with one topic");
}

/// A replay with a shadow, and what it says on standard error.
fn shadow(place: &Place, more: &str) -> (Option<i32>, String) {
    let said = place.millrace_with(&format!("replay swap.toml --shadow {more}"), &records(0..200));
    let alone = place.millrace_with("replay swap.toml", &records(0..200)).good();
    assert_eq!(said.out, alone, "a shadow changes no output");
    (said.code, said.err)
}

#[test]
fn a_shadow_shows_each_planted_difference_and_nothing_else() {
    let place = place();
    let (code, said) = shadow(&place, "swap=swap.wasm --config odd=[3,77,150] --shadow-report report.json");
    assert_eq!(code, Some(4));
    assert_snapshot!(said, @r#"
    200 in, 622 out
    shadow: 800 results compared, 797 equal, 3 different
      swap.tag: value /amount differs in 3 results, such as
        3 -> -1   for key k3, value {"n":3,"amount":3}, timestamp 1003, from in
        0 -> -1   for key k0, value {"n":77,"amount":0}, timestamp 1077, from in
        3 -> -1   for key k7, value {"n":150,"amount":3}, timestamp 1150, from in
    error: the shadow differs in 3 of 800 results
    "#);
    let report = place.read("report.json");
    shadow(&place, "swap=swap.wasm --config odd=[3,77,150] --shadow-report report.json");
    assert_eq!(place.read("report.json"), report, "the same bytes each time");
    let ignored = "swap=swap.wasm --config odd=[3,77,150] --ignore value:/amount";
    assert_eq!(shadow(&place, ignored).0, Some(0));
}

/// Records with planted differences; `MILLRACE_PLANTED` has another number.
const PLANTED: u64 = 20_000;

#[test]
fn seven_planted_differences_are_found_among_many_records_and_nothing_else() {
    let place = place();
    let all = std::env::var("MILLRACE_PLANTED").map_or(PLANTED, |text| text.parse().unwrap());
    place.write("in.jsonl", records(0..all));
    let planted: Vec<u64> = [0, 1, 499, 500, all / 2, all - 2, all - 1].to_vec();
    let odd = planted.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let replay = "replay swap.toml --in in.jsonl --out out.jsonl --shadow swap=swap.wasm --shadow-report report.json";
    let said = place.millrace(&format!("{replay} --config odd=[{odd}]"));
    assert_eq!(said.code, Some(4), "{}", said.err);
    println!("{}", said.err);
    let report: Value = serde_json::from_str(&place.read("report.json")).unwrap();
    let compared = report["compared"].as_u64().unwrap();
    assert_eq!((compared, report["equal"].as_u64()), (4 * all, Some(compared - 7)));
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{groups:?}");
    let samples = groups[0]["samples"].as_array().unwrap();
    let found = samples.iter().map(|sample| sample["timestamp"].as_u64().unwrap() - 1_000);
    assert_eq!(found.collect::<std::collections::BTreeSet<_>>(), planted.into_iter().collect());
}

#[test]
fn a_shadow_with_a_newer_state_version_writes_the_one_that_is_there() {
    let place = place();
    let (code, said) = shadow(&place, "swap=swap_next.wasm --config tag=one");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" equal, 0 different"), "{said}");
}

#[test]
fn a_shadow_with_a_wrong_pattern_is_refused_and_one_that_is_the_version_of_the_files_differs_in_nothing() {
    let place = place();
    let same = place.millrace_with("replay swap.toml --shadow swap=swap.wasm", &records(0..5));
    assert_eq!(same.code, Some(0));
    assert!(same.err.contains("shadow: `swap` is the version in the files: no result differs"), "{}", same.err);
    assert_snapshot!(place.millrace("replay swap.toml --shadow swap=swap_next.wasm --ignore body:/x").bad(), @"exit 1: error: --ignore: `body:/x` begins with no class of differences: these are outcome, outputs, port, key, value, timestamp, headers, state, timers");
    assert_snapshot!(place.millrace("replay swap.toml --shadow swap=none.wasm").bad(), @"exit 1: error: --shadow swap=none.wasm: there is no such file");
}
