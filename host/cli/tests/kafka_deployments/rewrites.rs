//! `finalize --rewrite` over several processes: one that is killed, one that joins, and records that come meanwhile.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::until;
use crate::{App, app, records};

const FINALIZE: &str = "deployments finalize swap.toml --rewrite";

/// Entries of the store of counts, by version, as a further deployment would find them.
fn entries(app: &App) -> BTreeMap<u64, u64> {
    let deploy = "deploy swap.toml --plugin swap=swap_next.wasm --config tag=other --dry-run --json";
    let plan: Value = serde_json::from_str(&app.millrace(deploy)).unwrap();
    let entries = plan["plugins"][0]["stores"][0]["entries"].as_object().unwrap();
    entries.iter().map(|(version, n)| (version.parse().unwrap(), n.as_u64().unwrap())).collect()
}

fn process(app: &App, numbers: std::ops::Range<u64>, all: usize) {
    app.write(&records(numbers));
    until("the records are processed", || app.results().len() == all);
}

#[test]
fn entries_are_rewritten_once_by_all_processes_whichever_of_them_dies_or_joins() {
    let Some(app) = app("rewritten", 4) else { return };
    let (one, mut two) = (app.running("one"), app.running("two"));
    process(&app, 0..2_000, 2_000);
    app.millrace("deploy swap.toml --plugin swap=swap_next.wasm --yes --wait");
    assert_eq!(entries(&app), BTreeMap::from([(1, 2_000)]));

    app.millrace(&format!("{FINALIZE} --rate 40"));
    until("some entries are rewritten", || entries(&app).get(&2).is_some_and(|n| *n > 50));
    one.kill();
    let mut three = app.running("three");
    let mut one = app.running("one");
    process(&app, 1_900..2_100, 2_200);
    let shown = app.show(3);
    assert!(shown["rewrites"]["rewritten"].as_u64().is_some() && shown["rewrite"]["rate"] == 40, "{shown}");
    let rewritten = entries(&app);
    assert!(rewritten[&1] > 0 && rewritten[&2] > 200, "it isn't at its end: {rewritten:?}");

    let said = app.millrace(&format!("{FINALIZE} --rate 100000 --wait"));
    assert!(said.starts_with("`swap`: ") && said.contains(" entries rewritten\n"), "{said}");
    assert_eq!(entries(&app), BTreeMap::from([(2, 2_100)]));
    assert!(app.millrace(FINALIZE).ends_with("there is nothing to rewrite\n"));

    // A record after the last: its count goes on from the one before.
    process(&app, 1_950..1_951, 2_201);
    for process in [&mut one, &mut two, &mut three] {
        assert_eq!(process.terminate().code(), Some(0));
    }
    let row = |data: &str| app.place.millrace(&format!("table get counts k1950 --data {data}")).out;
    let rows = ["one", "two", "three"].map(row).concat();
    assert!(rows.contains(r#"{"records":3,"amount":3}"#), "its record came three times: {rows}");
}
