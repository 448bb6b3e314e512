//! Processes that are restarted with other files.

use std::ops::Range;

use crate::support::until;
use crate::{App, app, records};

/// Writes records, waits until they are processed, and checks the version that did.
fn process(app: &App, numbers: Range<u64>, by: &str) {
    app.write(&records(numbers.clone()));
    let mut results = Vec::new();
    until("the records are processed", || {
        results = app.results();
        results.len() as u64 == numbers.end
    });
    let these = results.iter().filter(|it| numbers.contains(&it.number));
    let others: Vec<_> = these.filter(|it| it.by != by).map(|it| (it.number, &it.by)).collect();
    assert!(others.is_empty(), "not by {by}: {others:?}");
}

#[test]
fn a_process_with_a_new_version_deploys_it_and_a_restart_with_old_files_does_not_turn_it_back() {
    let Some(app) = app("rolling", 4) else { return };
    let running = |data: &str, more: &str| {
        let mut process = app.start(data, more, None);
        process.logged("running");
        process
    };
    let next = "--set plugins.swap.component=swap_next.wasm";
    let mut first = running("first", "");
    let mut second = running("second", "");
    process(&app, 0..100, "one");
    let mut third = running("third", next);
    for process in [&mut first, &mut second] {
        let said = process.logged("deployment");
        assert_eq!((&said["generation"], &said["cause"]), (&2.into(), &"start".into()));
    }
    process(&app, 100..200, "two");

    assert_eq!(first.terminate().code(), Some(0));
    let mut first = app.start("first", "", None);
    first.logged_with("the files have an old version of the plugin");
    first.logged("running");
    process(&app, 200..300, "two");
    // None that knows the new version from its files is left.
    assert_eq!(third.terminate().code(), Some(0));
    process(&app, 300..400, "two");
    for process in [&mut first, &mut second] {
        assert_eq!(process.terminate().code(), Some(0));
    }
    let mut alone = app.start("second", "", None);
    alone.logged("running");
    process(&app, 400..450, "two");
    app.millrace("deployments rollback swap.toml --wait");
    process(&app, 450..500, "one");
    assert_eq!(alone.terminate().code(), Some(0));
    let mut always = running("third", &format!("{next} --set deploy-on-start=always"));
    process(&app, 500..550, "two");
    assert_eq!(always.terminate().code(), Some(0));
}

#[test]
fn a_deployment_waits_for_every_process_and_names_the_ones_that_are_behind() {
    let Some(app) = app("waiting", 2) else { return };
    let mut first = app.start("first", "", None);
    first.logged("running");
    // On a busy machine, too, it stays in the group while it is stopped.
    let mut second = app.start("second", "--set kafka.session.timeout.ms=30000", None);
    second.logged("running");
    process(&app, 0..10, "one");
    // It is in the group, and reads nothing any more.
    second.signal("STOP");
    let deploy = "deploy swap.toml --plugin swap=swap_next.wasm --yes --wait --timeout 2";
    let said = app.place.millrace(&format!("{deploy} {}", app.kafka));
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.err.contains("nothing was deployed: not loaded within 2 s by"), "{said:?}");
    second.signal("CONT");
    app.millrace(&deploy.replace("--timeout 2", ""));
    process(&app, 10..20, "two");
    for process in [&mut first, &mut second] {
        assert_eq!(process.terminate().code(), Some(0));
    }
}
