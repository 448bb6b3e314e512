//! Entries of older state versions are rewritten: what the records of deployments say before, meanwhile and after.

use std::sync::Arc;

use super::*;
use crate::contents::{Contents, Entries};
use crate::manifest::KeyCodec;
use crate::step::{Deployed, Rewrites};

const RATE: Rewrite = Rewrite { rate: 7, request: 0 };

fn rewrite(app: &mut AppDeployments) -> Result<u32, DeploymentRefused> {
    let replaces = app.active("p").unwrap().generation;
    let act = Act::Finalize { plugin: "p".into(), replaces, rewrite: Some(RATE) };
    Ok(*app.apply(&act, &author())?.values().next().unwrap())
}

fn rewritten(app: &mut AppDeployments, generation: u32, left: u64) -> Result<(), DeploymentRefused> {
    let mut counts = RewriteCounts { looked: 9, rewritten: 5, ..RewriteCounts::default() };
    if left > 0 {
        counts.leave("sum/state", left, "unreachable");
    }
    let stores = BTreeSet::from(["sum/state".to_owned()]);
    app.apply(&Act::Rewritten { plugin: "p".into(), generation, stores, counts }, &author()).map(drop)
}

/// An app with state of version 1, and code that writes version 2, too.
fn old_state() -> AppDeployments {
    deployed(&[version("one", "", &[1], &[1]), version("two", "", &[1, 2], &[1, 2])])
}

fn versions(app: &AppDeployments) -> Vec<u32> {
    app.plugins.get("p").unwrap().state_versions.get("sum/state").unwrap().clone()
}

#[test]
fn older_versions_are_forgotten_when_all_their_entries_are_rewritten() {
    let mut app = old_state();
    assert_eq!(rewrite(&mut app), Ok(3), "it is finalised, too");
    let rewrites = app.plugins.get("p").unwrap().rewrites().unwrap();
    assert_eq!((rewrites.rate, rewrites.request, rewrites.versions.get("sum/state")), (7, 3, Some(&2)));
    assert_eq!(versions(&app), [1, 2]);
    deploy(&mut app.clone(), &version("three", "", &[2], &[2])).unwrap_err();

    let before = app.plugins.get("p").unwrap().reached();
    rewritten(&mut app, 3, 0).unwrap();
    assert!(app.plugins.get("p").unwrap().reached() > before, "tasks hear of it");
    let active = app.active("p").unwrap();
    assert_eq!((active.rewrite, active.outcome().as_str()), (None, "5 entries rewritten"));
    assert_eq!(versions(&app), [2]);
    deploy(&mut app, &version("three", "", &[2], &[2])).unwrap();
}

#[test]
fn a_version_stays_while_entries_of_it_do() {
    let mut app = old_state();
    rewrite(&mut app).unwrap();
    rewritten(&mut app, 3, 2).unwrap();
    assert_eq!(versions(&app), [1, 2]);
    let verdict = app.active("p").unwrap().outcome();
    assert_eq!(verdict, "5 entries rewritten; 2 entries of `sum/state` can't be, such as unreachable");
    assert_eq!(rewrite(&mut app), Ok(3), "it may be tried again");
    let request = app.active("p").unwrap().rewrite.unwrap().request;
    assert!(request > 3, "tasks begin another walk");
}

#[test]
fn what_is_finalised_already_can_be_rewritten_later_and_only_once() {
    let mut app = old_state();
    finalize(&mut app).unwrap();
    assert_eq!(rewrite(&mut app), Ok(3), "no new generation");
    let reached = app.plugins.get("p").unwrap().reached();
    assert_eq!(rewrite(&mut app), Ok(3), "it was asked for before");
    assert_eq!(app.plugins.get("p").unwrap().reached(), reached);
    let begun = app.active("p").unwrap().rewrite.unwrap();
    let faster = Act::Finalize { plugin: "p".into(), replaces: 2, rewrite: Some(Rewrite::at(9)) };
    app.apply(&faster, &author()).unwrap();
    assert_eq!(
        app.active("p").unwrap().rewrite,
        Some(Rewrite { rate: 9, ..begun }),
        "the walk goes on at another rate"
    );
    rewritten(&mut app, 3, 0).unwrap();
    let again = rewrite(&mut app).unwrap_err();
    assert_eq!(
        again.to_string(),
        "plugin `p`: there is no state to rewrite: all of it is in the versions that generation 3 writes"
    );
}

#[test]
fn another_deployment_ends_it_and_older_versions_stay_known() {
    let mut app = old_state();
    rewrite(&mut app).unwrap();
    deploy(&mut app, &version("three", "", &[1, 2], &[2])).unwrap();
    assert_eq!(app.active("p").unwrap().rewrite, None);
    let late = rewritten(&mut app, 3, 0).unwrap_err();
    assert_eq!(late.to_string(), "plugin `p`: generation 3 rewrites no state: another change came first");
    assert_eq!(versions(&app), [1, 2]);
}

#[test]
fn a_worker_rewrites_at_its_share_of_the_rate_and_never_much_at_once() {
    let mut plugins = floods::plugins(1, None);
    let rewrites = Some(Arc::new(Rewrites { rate: 20_000, request: 1, versions: BTreeMap::new() }));
    let deployed = plugins.deployments.iter().map(|it| Deployed { rewrites: rewrites.clone(), ..it.clone() });
    plugins.deployments = deployed.collect();
    let mut pace = RewritePace::default();
    assert_eq!(pace.allowed(&plugins, 2, 1_000), 10, "a millisecond's");
    pace.spent(10);
    assert_eq!(pace.allowed(&plugins, 2, 1_005), 50);
    pace.spent(80);
    assert_eq!(pace.allowed(&plugins, 2, 1_006), 0, "what was too much is saved again");
    assert_eq!(pace.allowed(&plugins, 2, 9_000), 980, "a pause doesn't add up");
    assert_eq!(pace.allowed(&plugins, 2, 500), 980, "nor does a clock that goes back");
}

#[test]
fn versions_stay_known_while_a_store_that_no_task_has_may_have_them() {
    let contents = |step: &str| Contents {
        step: step.into(),
        entries: Entries::Aggregate { function: "sum".into(), windows: None, is_final: false },
        key: KeyCodec::Bytes,
        plugin: String::new(),
        sides: None,
        inputs: BTreeSet::new(),
    };
    let all = BTreeMap::from([("total".to_owned(), contents("total")), ("old".to_owned(), contents("old"))]);
    let stores = BTreeSet::from(["sum/state".to_owned()]);
    let verdict = |present: &[&str], is_there: bool| {
        let mut counts = RewriteCounts::default();
        let present = present.iter().map(|name| (*name).to_owned()).collect();
        counts.keep_versions(&stores, &present, &all, &mut |_| Ok::<_, ()>(is_there)).unwrap();
        counts.verdict()
    };
    assert_eq!(verdict(&["total"], false), "0 entries rewritten");
    assert_eq!(verdict(&["total", "old"], true), "0 entries rewritten", "a running process has both");
    assert_eq!(
        verdict(&["total"], true),
        "0 entries rewritten; the versions of `sum/state` stay known: the store `old` of the step `old` isn't rewritten, as no \
         task has it"
    );
}
