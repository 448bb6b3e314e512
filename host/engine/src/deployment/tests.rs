#![allow(clippy::unwrap_used)]

mod floods;
mod rewrites;
mod trials;
mod verdicts;

use super::*;
use crate::topology::DeployOnStart;

/// A version whose function reads and writes these state versions.
fn version(component: &str, config: &str, reads: &[u32], writes: &[u32]) -> Candidate {
    let (reads, writes, now) = (reads.to_vec(), writes.to_vec(), *writes.last().unwrap());
    let stores = BTreeMap::from([("sum/state".to_owned(), StoreVersions { reads, writes, now })]);
    let (component, config) = (component.to_owned(), config.to_owned());
    Candidate {
        name: "p".into(),
        component,
        size: 9,
        config,
        settings: "{}".into(),
        called: stores.keys().cloned().collect(),
        stores,
    }
}

fn author() -> Author {
    Author { by: "ann@desk".into(), at: 5, note: String::new() }
}

/// Stages a version and makes it the active one, as all processes have loaded it.
fn deploy(app: &mut AppDeployments, version: &Candidate) -> Result<u32, DeploymentRefused> {
    let staged = app.apply(&Act::Stage { candidates: vec![version.clone()], trial: None }, &author())?;
    app.apply(&Act::Activate(staged.clone()), &author())?;
    Ok(*staged.values().next().unwrap())
}

fn rollback(app: &mut AppDeployments, plugin: &str, to: Option<u32>) -> Result<u32, DeploymentRefused> {
    let replaces = app.active(plugin).map_or(0, |active| active.generation);
    let generations = app.apply(&Act::Rollback { plugin: plugin.into(), replaces, to }, &author())?;
    Ok(*generations.values().next().unwrap())
}

fn finalize(app: &mut AppDeployments) -> Result<u32, DeploymentRefused> {
    let replaces = app.active("p").unwrap().generation;
    let generations = app.apply(&Act::Finalize { plugin: "p".into(), replaces, rewrite: None }, &author())?;
    Ok(*generations.values().next().unwrap())
}

fn deployed(versions: &[Candidate]) -> AppDeployments {
    let mut app = AppDeployments::default();
    for version in versions {
        deploy(&mut app, version).unwrap();
    }
    app
}

fn now(app: &AppDeployments) -> u32 {
    app.active("p").unwrap().stores.get("sum/state").unwrap().now
}

#[test]
fn each_deployment_of_any_plugin_has_the_next_generation() {
    let mut app = deployed(&[version("one", "", &[1], &[1]), version("two", "", &[1], &[1])]);
    let other = Candidate { name: "q".into(), ..version("three", "", &[1], &[1]) };
    assert_eq!(deploy(&mut app, &other), Ok(3));
    assert_eq!((app.active("p").unwrap().generation, app.active("q").unwrap().generation), (2, 3));
    assert_eq!(app.generation(), 3);
    let statuses: Vec<_> = app.plugins.get("p").unwrap().deployments.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [Status::Superseded, Status::Active]);
    let again = deploy(&mut app, &version("two", "", &[1], &[1])).unwrap_err();
    assert_eq!(again.to_string(), "plugin `p`: this version is active already, as generation 2");
    assert_eq!(deploy(&mut app, &version("two", "x", &[1], &[1])), Ok(4), "another config is another version");
}

#[test]
fn a_process_that_starts_deploys_a_new_version_and_joins_the_active_one_with_an_old_version() {
    let mut app = AppDeployments::default();
    let mut active_after = |version: &Candidate, on_start| {
        app.start(version, on_start, &author()).unwrap();
        let active = app.active("p").unwrap();
        format!("{} {}", active.generation, active.component)
    };
    let (one, two) = (version("one", "", &[1], &[1]), version("two", "", &[1], &[1]));
    assert_eq!(active_after(&one, DeployOnStart::Never), "1 one", "there is none to join");
    assert_eq!(active_after(&one, DeployOnStart::New), "1 one");
    assert_eq!(active_after(&two, DeployOnStart::Never), "1 one");
    assert_eq!(active_after(&two, DeployOnStart::New), "2 two");
    assert_eq!(active_after(&one, DeployOnStart::New), "2 two", "a restart with old files turns nothing back");
    assert_eq!(active_after(&one, DeployOnStart::Always), "3 one");
    assert_eq!(active_after(&one, DeployOnStart::Always), "3 one");
    let joined: Vec<_> = app.joined(&[one, two]).map(|joined| joined.candidate.component.clone()).collect();
    assert_eq!(joined, ["two"]);
}

#[test]
fn a_version_must_read_every_state_version_ever_written() {
    let mut app = deployed(&[version("one", "", &[1], &[1]), version("two", "", &[1, 2], &[2])]);
    let written = app.plugins.get("p").unwrap().state_versions.get("sum/state").unwrap();
    assert_eq!(written, &[1, 2]);
    let before = app.clone();
    let refused = deploy(&mut app, &version("three", "", &[2], &[2])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "plugin `p`: function `sum` can't read what is in its store `state`: there is state of version 1, and it reads [2]. Where the active version writes another one, `millrace deployments finalize --rewrite` rewrites older entries"
    );
    assert_eq!(app, before);
}

#[test]
fn the_old_state_version_is_written_until_the_deployment_is_finalised() {
    let mut app = deployed(&[version("one", "", &[1], &[1]), version("two", "", &[1, 2], &[1, 2])]);
    assert_eq!(now(&app), 1);
    assert_eq!(app.active("p").unwrap().older_writes().into_iter().collect::<Vec<_>>(), [("sum/state".into(), 1)]);
    assert_eq!(finalize(&mut app), Ok(3));
    assert_eq!(now(&app), 2);
    let again = finalize(&mut app).unwrap_err();
    assert_eq!(again.to_string(), "plugin `p`: generation 3 writes its newest state versions already");
    let back = rollback(&mut app, "p", None).unwrap_err();
    assert_eq!(
        back.to_string(),
        "plugin `p`: function `sum` can't read what is in its store `state`: there is state of version 2, and it reads [1]. Where the active version writes another one, `millrace deployments finalize --rewrite` rewrites older entries"
    );
}

#[test]
fn a_rollback_goes_to_the_version_before_and_not_to_one_that_was_rolled_back() {
    let mut app = deployed(&[version("one", "a", &[1], &[1]), version("two", "b", &[1, 2], &[1, 2])]);
    assert_eq!(rollback(&mut app, "p", None), Ok(3));
    let active = app.active("p").unwrap();
    assert_eq!((active.component.as_str(), active.config.as_str(), active.cause), ("one", "a", Cause::Rollback));
    assert_eq!(app.plugins.get("p").unwrap().deployments.get(1).unwrap().status, Status::RolledBack);
    let none = rollback(&mut app, "p", None).unwrap_err();
    assert_eq!(
        none.to_string(),
        "plugin `p`: the version before the active one was rolled back: choose one with --to; kept are 2"
    );
    assert_eq!(rollback(&mut app, "p", Some(2)), Ok(4));
    assert_eq!((app.active("p").unwrap().component.as_str(), now(&app)), ("two", 1));
    let wrong = rollback(&mut app, "p", Some(9)).unwrap_err();
    assert_eq!(wrong.to_string(), "plugin `p`: generation 9 has no other version than the active one: kept are 3, 1");
    let never = rollback(&mut app, "q", None).unwrap_err();
    assert_eq!(never.to_string(), "plugin `q`: the app has never run it");
}

/// A version with two stores in these state versions, of which pipelines have the first, or both.
fn two_stores(component: &str, versions: [u32; 2], both: bool) -> Candidate {
    let mut candidate = version(component, "", &[versions[0]], &[versions[0]]);
    let stores = StoreVersions { reads: vec![versions[1]], writes: vec![versions[1]], now: versions[1] };
    candidate.stores.insert("mean/state".into(), stores);
    if both {
        candidate.called.insert("mean/state".into());
    }
    candidate
}

#[test]
fn only_stores_that_pipelines_have_hold_state_versions() {
    let mut app = deployed(&[two_stores("one", [1, 3], false)]);
    deploy(&mut app, &two_stores("two", [1, 4], false)).unwrap();
    rollback(&mut app, "p", None).unwrap();
    // A process starts whose pipeline calls the other function, too.
    app.start(&two_stores("one", [1, 3], true), DeployOnStart::New, &author()).unwrap();
    assert_eq!(app.generation(), 3);
    let refused = deploy(&mut app, &two_stores("three", [1, 4], false)).unwrap_err();
    assert!(refused.to_string().contains("there is state of version 3, and it reads [4]. Where the active version writes another one, `millrace deployments finalize --rewrite` rewrites older entries"), "{refused}");
}

#[test]
fn a_change_that_is_asked_for_twice_is_done_once() {
    let mut app = deployed(&[
        version("one", "", &[1], &[1]),
        version("two", "", &[1], &[1]),
        version("three", "", &[1, 2], &[1, 2]),
    ]);
    let active = app.active("p").unwrap().generation;
    assert_eq!(app.apply(&Act::Activate([("p".to_owned(), active)].into()), &author()).unwrap().len(), 1);
    let finalize = Act::Finalize { plugin: "p".into(), replaces: active, rewrite: None };
    let first = app.clone().apply(&finalize, &author()).unwrap();
    let mut finalized = app.clone();
    finalized.apply(&finalize, &author()).unwrap();
    assert_eq!(finalized.apply(&finalize, &author()).unwrap(), first);
    let back = Act::Rollback { plugin: "p".into(), replaces: active, to: None };
    let first = app.apply(&back, &author()).unwrap();
    assert_eq!(app.apply(&back, &author()).unwrap(), first);
    assert_eq!(app.active("p").unwrap().component, "two");
    deploy(&mut app, &version("four", "", &[1], &[1])).unwrap();
    let late = app.apply(&back, &author()).unwrap_err();
    assert_eq!(late.to_string(), "plugin `p`: another deployment came first: generation 5 is active");
}

#[test]
fn attempts_that_were_aborted_do_not_push_the_way_back_out() {
    let mut app = deployed(&[version("good", "", &[1], &[1]), version("bad", "", &[1], &[1])]);
    for attempt in 0..9 {
        let staged = app
            .apply(
                &Act::Stage { candidates: vec![version(&format!("try{attempt}"), "", &[1], &[1])], trial: None },
                &author(),
            )
            .unwrap();
        app.apply(&Act::Abort(staged), &author()).unwrap();
    }
    rollback(&mut app, "p", None).unwrap();
    assert_eq!(app.active("p").unwrap().component, "good");
    assert_eq!(app.plugins.get("p").unwrap().deployments.len(), 5);
}

#[test]
fn a_staged_deployment_is_active_only_once_it_is_activated() {
    let mut app = deployed(&[version("one", "", &[1], &[1])]);
    let two = version("two", "", &[1, 2], &[2]);
    let staged = app.apply(&Act::Stage { candidates: vec![two.clone()], trial: None }, &author()).unwrap();
    assert_eq!(app.active("p").unwrap().generation, 1);
    assert_eq!(app.plugins.get("p").unwrap().state_versions.get("sum/state").unwrap(), &[1], "it writes nothing yet");
    app.apply(&Act::Abort(staged.clone()), &author()).unwrap();
    assert_eq!(app.plugins.get("p").unwrap().deployments.last().unwrap().status, Status::Aborted);
    let late = app.apply(&Act::Activate(staged), &author()).unwrap_err();
    assert_eq!(late.to_string(), "plugin `p`: generation 2 isn't staged any more: another deployment came first");
    let none = rollback(&mut app, "p", Some(2)).unwrap_err();
    assert!(none.to_string().ends_with("no other one that ran is kept"), "one that never ran is no way back: {none}");
    app.start(&two, DeployOnStart::New, &author()).unwrap();
    assert_eq!(app.active("p").unwrap().generation, 3, "it never was active");
}

#[test]
fn of_several_plugins_all_are_staged_or_none() {
    let mut app = deployed(&[version("one", "", &[1], &[1])]);
    let before = app.clone();
    let other = Candidate { name: "q".into(), ..version("three", "", &[1], &[1]) };
    app.apply(&Act::Stage { candidates: vec![other, version("one", "", &[1], &[1])], trial: None }, &author())
        .unwrap_err();
    assert_eq!(app, before);
}

#[test]
fn five_deployments_are_kept_and_their_versions_are_remembered_for_longer() {
    let versions: Vec<_> = (0..8).map(|number| version(&format!("c{number}"), "", &[1], &[1])).collect();
    let mut app = deployed(&versions);
    assert_eq!(app.components().into_keys().collect::<Vec<_>>(), ["c3", "c4", "c5", "c6", "c7"]);
    app.start(versions.first().unwrap(), DeployOnStart::New, &author()).unwrap();
    assert_eq!(app.active("p").unwrap().component, "c7");
}

#[test]
fn a_record_is_deserialised_as_it_was_serialised() {
    let app = deployed(&[version("one", "c", &[1], &[1])]);
    let record = app.plugins.get("p").unwrap();
    let text = serde_json::to_string(record).unwrap();
    assert_eq!(
        text,
        r#"{"generation":1,"reached":1,"stateVersions":{"sum/state":[1]},"deployments":[{"generation":1,"component":"one","size":9,"config":"c","settings":"{}","stores":{"sum/state":{"reads":[1],"writes":[1],"now":1}},"status":"active","cause":"deploy","by":"ann@desk","at":5,"note":""}],"had":["one/c"],"called":["sum/state"]}"#
    );
    assert_eq!(&serde_json::from_str::<PluginRecord>(&text).unwrap(), record);
}
