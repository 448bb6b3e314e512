//! Trials over several processes: processes that die in each phase of one, a deployment that comes in the middle of
//! another's canary, and shadows.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use crate::support::{Running, until};
use crate::{App, Tagged, app, records};

/// Writes records, and waits until they are processed. Gives their results.
fn process(app: &App, numbers: Range<u64>) -> Vec<Tagged> {
    app.write(&records(numbers.clone()));
    let mut results = Vec::new();
    until("the records are processed", || {
        results = app.results();
        results.len() as u64 == numbers.end
    });
    results.into_iter().filter(|it| numbers.contains(&it.number)).collect()
}

impl App {
    /// Waits until two processes run this generation as a canary.
    fn until_both_run(&self, generation: u32) {
        let runs = format!(" runs `swap` generation 1, and {generation} as canary ");
        until("both run it", || self.millrace("deployments list swap.toml").matches(&runs).count() == 2);
    }
}

/// Names of the versions that made results.
fn versions(results: &[Tagged]) -> BTreeSet<&str> {
    results.iter().map(|it| it.by.as_str()).collect()
}

/// Kills all processes and starts them again.
fn restart_killed(app: &App, processes: &mut Vec<Running>) {
    let data: Vec<_> = ["one", "two"].into_iter().take(processes.len()).collect();
    for process in processes.drain(..) {
        process.kill();
    }
    processes.extend(data.iter().map(|data| app.start(data, "", None)));
    for process in processes {
        process.logged("running");
    }
}

/// The statuses of the deployments that are kept.
fn status(app: &App) -> Vec<String> {
    app.statuses().0.into_iter().map(|(_, status)| status).collect()
}

#[test]
fn processes_that_die_come_up_in_the_phase_that_the_app_was_in() {
    let Some(app) = app("phases", 4) else { return };
    let mut processes = vec![app.running("one"), app.running("two")];
    assert_eq!(versions(&process(&app, 0..100)), ["one"].into());
    // Without the second process, it is staged and no more.
    processes[1].signal("STOP");
    let canary = "deploy swap.toml --plugin swap=swap_next.wasm --yes --canary 20%,60%,100% --each 1h";
    let deploy = app.place.start(&format!("{canary} {}", app.kafka));
    until("it is staged", || status(&app) == ["active", "staged"]);
    deploy.kill();
    restart_killed(&app, &mut processes);
    assert_eq!(status(&app), ["active", "staged"]);
    assert_eq!(versions(&process(&app, 100..200)), ["one"].into());

    app.millrace(canary);
    restart_killed(&app, &mut processes);
    assert_eq!(status(&app), ["active", "aborted", "canary"]);
    let first = taken(&process(&app, 200..500));
    app.millrace("deployments promote swap.toml");
    restart_killed(&app, &mut processes);
    let second = taken(&process(&app, 500..800));
    assert!((30..90).contains(&first) && (150..210).contains(&second), "{first} and {second} of 300 keys");
    app.millrace("deployments abort swap.toml");
    restart_killed(&app, &mut processes);
    assert_eq!(status(&app), ["active", "aborted", "aborted"]);
    assert_eq!(versions(&process(&app, 800..900)), ["one"].into());
    for process in &mut processes {
        assert_eq!(process.terminate().code(), Some(0));
    }
}

/// The number of results of the canary.
fn taken(results: &[Tagged]) -> usize {
    results.iter().filter(|it| it.by == "two").count()
}

#[test]
fn a_deployment_in_the_middle_of_a_canary_takes_its_place_and_has_a_time_of_its_own() {
    let Some(app) = app("replaced", 4) else { return };
    let mut processes = [app.running("one"), app.running("two")];
    process(&app, 0..100);
    let canary = |tag: &str| {
        format!("deploy swap.toml --plugin swap=swap.wasm --config tag={tag} --yes --canary 50%,100% --min-records 50")
    };
    let mut first = app.place.start(&format!("{} --each 1h --wait {}", canary("a"), app.kafka));
    until("the first canary has begun", || status(&app) == ["active", "canary"]);
    app.until_both_run(2);
    assert_eq!(versions(&process(&app, 100..500)), ["a", "one"].into());
    app.millrace(&format!("{} --each 1h", canary("b")));
    let said = first.ended_with(4);
    assert!(said.contains("`swap` generation 2 is aborted: generation 4 was deployed"), "{said}");
    assert_eq!(status(&app), ["active", "aborted", "canary"]);
    app.until_both_run(4);
    assert_eq!(versions(&process(&app, 500..900)), ["b", "one"].into());
    let judged = app.show(4)["judged"].take();
    assert_eq!(judged["verdict"], "inconclusive", "{judged}");
    let trial = app.show(4);
    assert!(trial["trial"]["canary"]["since"].as_u64() > trial["at"].as_u64(), "{trial}");
    app.millrace("deployments promote swap.toml --wait");
    assert_eq!(versions(&process(&app, 900..1_000)), ["b"].into());
    assert_eq!(status(&app), ["superseded", "aborted", "active"]);
    for process in &mut processes {
        assert_eq!(process.terminate().code(), Some(0));
    }
}

#[test]
fn the_report_of_a_shadow_is_that_of_all_processes_also_of_one_that_has_stopped() {
    let Some(app) = app("shadowed", 4) else { return };
    let mut processes = [app.running("one"), app.running("two")];
    process(&app, 0..100);
    let odd = "--config odd=[113,117,123,350]";
    app.millrace(&format!("deploy swap.toml --plugin swap=swap.wasm {odd} --yes --wait --shadow --budget 100%"));
    let live = process(&app, 100..300);
    assert_eq!(versions(&live), ["one"].into());
    // Two calls for each record.
    let compared = |number: u64| until("the report has all", || app.show(2)["report"]["compared"] == number);
    compared(400);
    assert_eq!(processes[0].terminate().code(), Some(0));
    let live = process(&app, 300..400);
    assert_eq!(versions(&live), ["one"].into());
    compared(600);
    let report: Value = app.show(2)["report"].take();
    assert_eq!((&report["equal"], &report["leftOut"], &report["unfinished"]), (&596.into(), &0.into(), &0.into()));
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!((&groups[0]["function"], &groups[0]["place"]), (&"swap.tag".into(), &"/amount".into()));
    assert_eq!((&groups[0]["records"], groups[0]["samples"].as_array().unwrap().len()), (&4.into(), 4));
    let output = app.millrace("topic read shadowed-out");
    assert!(!output.contains("-1"), "what the shadow puts out goes nowhere");
    assert_eq!(processes[1].terminate().code(), Some(0));
}
