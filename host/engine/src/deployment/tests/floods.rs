use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::canary::Canary;
use crate::ledger::{Ledger, VersionCounts};
use crate::ports::DeploymentId;
use crate::step::Deployed;
use crate::topology::{FloodLimits, GuestLimits, OnWorkerFailure, PluginUse, Settings};

/// The plugin with this generation, and perhaps a canary.
pub(super) fn plugins(generation: u32, canary: Option<u32>) -> ActivePlugins {
    let settings = Settings {
        commit_interval: Duration::from_millis(100),
        threads: 1,
        on_worker_failure: OnWorkerFailure::Stop,
        deploy_on_start: DeployOnStart::New,
        flood_guard: None,
    };
    let (config, limits) = ("{}".to_owned(), GuestLimits::default());
    let plugin = PluginUse { name: "p".into(), component: "p.wasm".into(), config, limits };
    let topology = Topology {
        app: "a".into(),
        settings,
        plugins: vec![plugin],
        topics: Vec::new(),
        stores: Vec::new(),
        globals: Vec::new(),
        subtopologies: Vec::new(),
        kafka: Vec::new(),
    };
    let mut deployed = Deployed::new(DeploymentId(generation), generation, "d");
    deployed.is_new_version = generation > 1;
    deployed.canary = canary.map(|generation| {
        let (id, digest) = (DeploymentId(generation), "c".to_owned());
        Arc::new(Canary { id, generation, digest, weight: 500, functions: BTreeMap::new() })
    });
    ActivePlugins::new(Arc::new(topology), Arc::new([deployed]))
}

fn results(generation: u32, records: u64, failed: u64) -> Ledger {
    let mut ledger = Ledger::default();
    let failures = if failed > 0 { BTreeMap::from([("bad".to_owned(), failed)]) } else { BTreeMap::new() };
    ledger.version((0, generation), "f").add(&VersionCounts { records, failures });
    ledger
}

fn guard(now: &ActivePlugins) -> FloodGuard {
    FloodGuard::new(Some(FloodLimits::default()), now, &|_| false)
}

#[test]
fn a_flood_is_seen_before_the_transaction_that_shows_it_is_committed() {
    let (one, two) = (plugins(1, None), plugins(2, None));
    let mut guard = guard(&one);
    guard.committed(&results(1, 10_000, 100));
    assert_eq!(guard.check(&one, &[&results(1, 5_000, 5_000)]), None, "no deployment has caused it");
    guard.swapped(&two);
    guard.committed(&results(2, 600, 600));
    assert_eq!(guard.check(&two, &[&results(2, 399, 399)]), None, "fewer than a thousand say nothing");
    let flooded = guard.check(&two, &[&results(2, 200, 200), &results(2, 200, 200)]).unwrap();
    assert_eq!((flooded.plugin.as_str(), flooded.generation), ("p", 2));
    assert_eq!(
        flooded.reason,
        "1000 of 1000 results of `f` failed, and 100 of 10000 before it, most of them with `bad`"
    );
}

#[test]
fn each_function_is_looked_at_and_all_together() {
    let two = plugins(2, None);
    let mut guard = guard(&plugins(1, None));
    let results = |generation, functions: &[(&str, u64, u64)]| {
        let mut ledger = Ledger::default();
        for (function, records, failed) in functions {
            let failures = BTreeMap::from([("bad".to_owned(), *failed)]);
            ledger.version((0, generation), function).add(&VersionCounts { records: *records, failures });
        }
        ledger
    };
    guard.committed(&results(1, &[("f", 9_000, 0), ("g", 9_000, 0)]));
    guard.swapped(&two);
    assert_eq!(guard.check(&two, &[&results(2, &[("f", 9_000, 0), ("g", 999, 999)])]), None);
    let of_one = guard.check(&two, &[&results(2, &[("f", 9_000, 0), ("g", 1_000, 1_000)])]).unwrap();
    assert!(of_one.reason.starts_with("1000 of 1000 results of `g` failed, and 0 of 9000 before it"), "{of_one:?}");
    let of_all = guard.check(&two, &[&results(2, &[("f", 500, 500), ("g", 500, 500)])]).unwrap();
    assert!(of_all.reason.starts_with("1000 of 1000 results failed, and 0 of 18000 before it"), "{of_all:?}");
}

#[test]
fn a_share_that_was_high_before_is_no_flood() {
    let (one, two) = (plugins(1, None), plugins(2, None));
    let mut guard = guard(&one);
    guard.committed(&results(1, 10_000, 500));
    guard.swapped(&two);
    assert_eq!(guard.check(&two, &[&results(2, 1_000, 499)]), None, "ten times 5% are 50%");
    assert!(guard.check(&two, &[&results(2, 1_000, 500)]).is_some());
    assert_eq!(guard.check(&two, &[&results(2, 10_000, 1_999)]), None, "less than 20%");
}

#[test]
fn what_fails_long_after_a_deployment_has_another_cause() {
    let (one, two) = (plugins(1, None), plugins(2, None));
    let mut guard = guard(&one);
    guard.committed(&results(1, 1_000, 0));
    guard.swapped(&two);
    guard.committed(&results(2, 100_000, 0));
    assert_eq!(guard.check(&two, &[&results(2, 900_000, 900_000)]), None);
    // Back at the first version, which is a deployment, too.
    guard.swapped(&plugins(3, None));
    assert!(guard.check(&plugins(3, None), &[&results(3, 1_000, 1_000)]).is_some());
}

#[test]
fn a_canary_is_guarded_and_ends_without_the_active_version() {
    let (one, with_canary) = (plugins(1, None), plugins(1, Some(2)));
    let mut guard = guard(&one);
    guard.swapped(&with_canary);
    assert_eq!(guard.check(&with_canary, &[&results(1, 1_000, 1_000)]), None, "the active version isn't new");
    guard.committed(&results(1, 1_000, 0));
    let flooded = guard.check(&with_canary, &[&results(2, 1_000, 300)]).unwrap();
    assert_eq!(flooded.generation, 2);
    guard.swapped(&one);
    assert_eq!(guard.check(&one, &[&results(2, 1_000, 300)]), None, "it runs no more");
}

#[test]
fn a_version_that_a_start_has_deployed_is_guarded_and_a_guard_without_limits_sees_nothing() {
    let two = plugins(2, None);
    let guard = FloodGuard::new(Some(FloodLimits::default()), &two, &|generation| generation >= 2);
    assert_eq!(guard.check(&two, &[&results(2, 1_000, 899)]), None, "nothing is known of the share before");
    assert!(guard.check(&two, &[&results(2, 1_000, 900)]).is_some());
    let first = FloodGuard::new(Some(FloodLimits::default()), &plugins(1, None), &|_| true);
    assert_eq!(first.check(&plugins(1, None), &[&results(1, 1_000, 1_000)]), None, "there is no version before");
    let guard = FloodGuard::new(None, &two, &|_| true);
    assert_eq!(guard.check(&two, &[&results(2, 1_000, 1_000)]), None);
}

#[test]
fn an_app_holds_its_input_until_a_user_accepts_the_failures_or_another_version_is_active() {
    let mut app = deployed(&[version("one", "", &[1], &[1]), version("two", "", &[1], &[1])]);
    let act = |app: &mut AppDeployments, act: &Act| app.apply(act, &Author { note: "why".into(), ..author() });
    let (hold, accept) =
        (Act::Hold { plugin: "p".into(), generation: 2 }, Act::Accept { plugin: "p".into(), generation: 2 });
    act(&mut app, &hold).unwrap();
    let held = (app.active("p").unwrap().flood, app.plugins.get("p").unwrap().reached());
    assert_eq!(held, (Flood::Held, 3), "each process hears of it");
    act(&mut app, &hold).unwrap();
    assert_eq!(app.plugins.get("p").unwrap().reached(), 3, "it is done once");
    act(&mut app, &accept).unwrap();
    assert_eq!((app.active("p").unwrap().flood, app.plugins.get("p").unwrap().reached()), (Flood::Accepted, 4));
    act(&mut app, &hold).unwrap();
    assert_eq!(app.active("p").unwrap().flood, Flood::Accepted, "a user has decided");
    act(&mut app, &Act::Hold { plugin: "p".into(), generation: 1 }).unwrap_err();
    rollback(&mut app, "p", None).unwrap();
    rollback(&mut app, "p", Some(2)).unwrap();
    assert_eq!(app.active("p").unwrap().flood, Flood::None);
}

#[test]
fn a_guard_holds_what_the_app_has_decided_to_hold_and_does_not_watch_what_a_user_accepts() {
    let with = |flood| {
        let plugins = plugins(2, None);
        let deployments = plugins.deployments.iter().map(|it| Deployed { flood, ..it.clone() }).collect();
        ActivePlugins { deployments, ..plugins }
    };
    let mut guard = guard(&plugins(1, None));
    guard.swapped(&with(Flood::None));
    assert!(
        !guard.holds(&with(Flood::None)) && guard.holds(&with(Flood::Held)) && !guard.holds(&with(Flood::Accepted))
    );
    let flooded = guard.check(&with(Flood::None), &[&results(2, 1_000, 1_000)]).unwrap();
    assert!(!with(Flood::Held).floods(&flooded) && !with(Flood::Accepted).floods(&flooded));
    assert!(!plugins(3, None).floods(&flooded) && plugins(1, Some(2)).floods(&flooded));
    guard.swapped(&with(Flood::Accepted));
    assert_eq!(guard.check(&with(Flood::Accepted), &[&results(2, 1_000, 1_000)]), None);
    assert!(!FloodGuard::new(None, &with(Flood::Held), &|_| true).holds(&with(Flood::Held)), "it is switched off");
}

#[test]
fn a_flood_is_not_what_was_usual_before() {
    let mut guard = guard(&plugins(1, None));
    guard.committed(&results(1, 1_000, 10));
    guard.swapped(&plugins(2, None));
    guard.committed(&results(2, 999, 999));
    guard.swapped(&plugins(3, None));
    guard.swapped(&plugins(4, None));
    assert!(guard.check(&plugins(4, None), &[&results(4, 1_000, 200)]).is_some());
}

#[test]
fn a_start_watches_the_deployments_that_it_makes_and_those_of_the_last_minutes() {
    let app = deployed(&[version("one", "", &[1], &[1]), version("two", "", &[1], &[1])]);
    let minutes = |minutes: i64| 5 + minutes * 60_000;
    assert!(app.is_watched(2, 3, minutes(9)) && !app.is_watched(2, 3, minutes(10)));
    assert!(app.is_watched(2, 2, minutes(99)));
}
