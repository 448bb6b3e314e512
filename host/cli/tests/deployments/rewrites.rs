//! `finalize --rewrite`: entries of older state versions are rewritten while the app runs.

use crate::support::until;
use crate::{place, process, start};

const DEPLOY: &str = "deploy swap.toml --plugin swap=swap_next.wasm --data data --yes";
const FINALIZE: &str = "deployments finalize swap.toml --data data --rewrite";

/// The entries of the stores by version, as a further deployment would find them.
fn entries(place: &crate::support::Place) -> Vec<String> {
    let said = place.millrace(&format!("{DEPLOY} --config tag=other --dry-run")).good();
    let entries = said.lines().filter_map(|line| Some(line.split_once("entries: ")?.1.to_owned()));
    entries.collect()
}

/// The entries that were rewritten, once it is known that all are.
fn rewritten(place: &crate::support::Place) -> Option<u64> {
    let lines = place.millrace("deployments list swap.toml --data data --json").good();
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    last["rewritten"]["rewritten"].as_u64()
}

#[test]
fn all_entries_are_rewritten_and_the_command_waits_for_it() {
    let place = place();
    let mut run = start(&place, "");
    process(&place, 0..40);
    place.millrace(&format!("{DEPLOY} --wait")).good();
    process(&place, 40..44);
    assert_eq!(
        entries(&place),
        ["11 of version 1", "22 of version 1"],
        "without `finalize` the old version is written"
    );

    let said = place.millrace(&format!("{FINALIZE} --wait")).good();
    assert_eq!(said, "`swap`: 33 entries rewritten\nactive: `swap` generation 3; every process of the app runs it\n");
    assert_eq!(entries(&place), ["11 of version 2", "22 of version 2"]);
    process(&place, 44..60);
    let again = place.millrace(FINALIZE).good();
    assert_eq!(again, "all state of `swap` is in the versions that it writes: there is nothing to rewrite\n");
    assert_eq!(run.terminate().code(), Some(0));
    let counts = crate::read(&place, "counts");
    let last = |key: &str| counts.iter().rev().find(|it| it["key"] == key).unwrap()["value"]["records"].clone();
    assert_eq!((last("k0"), last("k10")), (6.into(), 5.into()), "the states went along");
}

#[test]
fn a_process_that_is_killed_goes_on_where_entries_are_left() {
    let place = place();
    let run = start(&place, "");
    process(&place, 0..40);
    place.millrace(&format!("{DEPLOY} --wait")).good();
    let said = place.millrace(&format!("{FINALIZE} --rate 1")).good();
    assert!(
        said.starts_with(
            "entries of older state versions of `swap` are rewritten while the app runs: `millrace deployments \
        show` prints how far it is\n"
        ),
        "{said}"
    );
    let show = || place.millrace("deployments show swap.toml --data data").good();
    until("some entries are rewritten", || !entries(&place).concat().starts_with("11 of version 1"));
    let shown = show();
    assert!(shown.contains("status     active, rewriting\n") && shown.contains(" entries rewritten, "), "{shown}");
    run.kill();
    let said = place.millrace(&format!("{FINALIZE} --rate 100000 --wait"));
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.contains("no process of the app runs: it rewrites its state when one does"), "{said:?}");
    assert_eq!(rewritten(&place), None);

    // A run that ends by itself ends when all are rewritten.
    place.millrace("run swap.toml --data data --until-idle").good();
    assert_eq!(entries(&place), ["11 of version 2", "22 of version 2"]);
    let rewritten = rewritten(&place).unwrap();
    assert!((1..33).contains(&rewritten), "{rewritten} of 33 were left");
    let list = place.millrace("deployments list swap.toml --data data").good();
    assert!(list.contains(&format!("{rewritten} entries rewritten\n")), "{list}");
}
