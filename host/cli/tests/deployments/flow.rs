//! A version on its way: shown, deployed, rolled back, finalised.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Place, until};
use crate::{list, place, process, read, start, versions};

const DEPLOY: &str = "deploy swap.toml --plugin swap=swap_next.wasm --data data";

/// The text of a plan without digests and sizes.
fn masked(text: &str) -> String {
    let component = |line: &str| line.trim_start().starts_with("component");
    text.lines().map(|line| if component(line) { "  component  ..\n".into() } else { format!("{line}\n") }).collect()
}

#[test]
fn a_version_is_deployed_rolled_back_and_finalised_while_the_app_runs() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..10);
    assert_snapshot!(masked(&place.millrace(&format!("{DEPLOY} --dry-run")).good()), @"
    app `swapping`
      plugin     `swap`, in place of generation 1
      component  ..
      config     as before
      functions  as before
      state      changed/last: reads versions [1] -> [1, 2], writes [1] -> [1, 2]; writes 1 until it is finalised, and 2 from then on; entries: 10 of version 1
      state      count/count: reads versions [1] -> [1, 2], writes [1] -> [1, 2]; writes 1 until it is finalised, and 2 from then on; entries: 20 of version 1
      steps      changed, count, sum, tag: they keep their state
    ");
    assert_eq!(list(&place), ["1 active start {} "], "a dry run changes nothing");

    let said = place.millrace(&format!("{DEPLOY} --yes --wait --note better")).good();
    assert!(said.ends_with("active: `swap` generation 2; every process of the app runs it\n"), "{said}");
    process(&place, 10..20);
    let back = place.millrace("deployments rollback swap.toml --data data --wait").good();
    assert_eq!(back, "active: `swap` generation 3; every process of the app runs it\n");
    process(&place, 20..30);
    place.millrace("deployments rollback swap.toml --data data --to 2").good();
    place.millrace("deployments finalize swap.toml --data data").good();
    process(&place, 30..40);

    let expected = ["one", "two", "one", "two"].iter().flat_map(|by| std::iter::repeat_n(*by, 10));
    assert_eq!(versions(&place), expected.collect::<Vec<_>>());
    let statuses = [
        "1 superseded start {} ",
        "2 rolled-back deploy {} better",
        "3 rolled-back rollback {} to the version of generation 1",
        "4 superseded rollback {} to the version of generation 2",
        "5 active finalize {} ",
    ];
    assert_eq!(list(&place), statuses);
    assert_eq!(run.terminate().code(), Some(0));
    let counts = read(&place, "counts");
    let of = |key: &str| counts.iter().rev().find(|it| it["key"] == key).unwrap()["value"]["records"].as_i64().unwrap();
    assert_eq!((of("k0"), of("k7")), (4, 3), "the state went along");
}

#[test]
fn an_app_that_does_not_run_begins_with_the_deployment_at_its_next_start_whatever_its_files_have() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..5);
    assert_eq!(run.terminate().code(), Some(0));
    let said = place.millrace(&format!("{DEPLOY} --yes")).good();
    assert!(said.ends_with("active: `swap` generation 2; the app doesn't run, and begins with it at its next start\n"));

    let mut run = place.start("run swap.toml --data data");
    let joined = run.logged_with("the files have an old version of the plugin");
    assert!(joined.contains("\"generation\":2"), "{joined}");
    process(&place, 5..10);
    assert_eq!(run.terminate().code(), Some(0));
    let mut run = start(&place, "--set deploy-on-start=always");
    process(&place, 10..15);
    assert_eq!(run.terminate().code(), Some(0));
    let mut run = start(&place, "--set plugins.swap.config.tag=three");
    process(&place, 15..20);
    assert_eq!(run.terminate().code(), Some(0));
    let expected = ["one", "two", "one", "three"].iter().flat_map(|by| std::iter::repeat_n(*by, 5));
    assert_eq!(versions(&place), expected.collect::<Vec<_>>());
    let statuses =
        ["1 superseded start {} ", "2 superseded deploy {} ", "3 superseded start {} ", "4 active start {tag:three} "];
    assert_eq!(list(&place), statuses);
}

#[test]
fn a_config_is_deployed_like_a_component() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..3);
    let deploy = "deploy swap.toml --plugin swap=swap.wasm --config tag=blue --data data";
    let shown = place.millrace(&format!("{deploy} --dry-run --json")).good();
    assert_eq!(shown, place.millrace(&format!("{deploy} --dry-run --json")).good(), "the same bytes each time");
    let plan: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(plan["plugins"][0]["config"].to_string(), r#"{"from":{},"to":{"tag":"blue"}}"#);
    place.millrace(&format!("{deploy} --yes")).good();
    process(&place, 3..6);
    assert_eq!(versions(&place), ["one", "one", "one", "blue", "blue", "blue"]);
    assert_eq!(run.terminate().code(), Some(0));
}

/// The version that a process with a fault would load is the one that the folder has.
#[test]
fn a_request_that_was_done_before_the_app_was_killed_is_not_done_twice() {
    let place = place();
    let run = start(&place, "");
    place.millrace(&format!("{DEPLOY} --yes")).good();
    run.kill();
    let run = start(&place, "");
    assert_eq!(list(&place), ["1 superseded start {} ", "2 active deploy {} "]);
    until("no request is left", || requests(&place).is_empty());
    run.kill();
}

fn requests(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("data/deploy")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.ends_with(".wasm")).collect()
}
