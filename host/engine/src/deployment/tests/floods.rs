use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::canary::Canary;
use crate::ledger::{Ledger, VersionCounts};
use crate::ports::DeploymentId;
use crate::step::Deployed;
use crate::topology::{FloodLimits, GuestLimits, OnWorkerFailure, PluginUse, Settings};

/// The plugin with this generation, and perhaps a canary.
fn plugins(generation: u32, canary: Option<u32>) -> ActivePlugins {
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
    deployed.canary = canary.map(|generation| {
        let (id, digest) = (DeploymentId(generation), "c".to_owned());
        Arc::new(Canary { id, generation, digest, weight: 500, functions: BTreeMap::new() })
    });
    ActivePlugins::new(Arc::new(topology), Arc::new([deployed]))
}

fn results(generation: u32, records: u64, failed: u64) -> Ledger {
    let mut ledger = Ledger::default();
    let failures = if failed > 0 { BTreeMap::from([("bad".to_owned(), failed)]) } else { BTreeMap::new() };
    ledger.versions.insert((0, generation), VersionCounts { records, failures });
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
    assert_eq!((flooded.plugin.as_str(), flooded.generation, flooded.is_canary), ("p", 2, false));
    assert_eq!(flooded.reason, "1000 of 1000 results failed, and 100 of 10000 before it, most of them with `bad`");
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
    let flooded = guard.check(&with_canary, &[&results(2, 1_000, 300)]).unwrap();
    assert_eq!((flooded.generation, flooded.is_canary), (2, true));
    guard.swapped(&one);
    assert_eq!(guard.check(&one, &[&results(2, 1_000, 300)]), None, "it runs no more");
}

#[test]
fn a_version_that_a_start_has_deployed_is_guarded_and_a_guard_without_limits_sees_nothing() {
    let two = plugins(2, None);
    let guard = FloodGuard::new(Some(FloodLimits::default()), &two, &|generation| generation >= 2);
    assert!(guard.check(&two, &[&results(2, 1_000, 200)]).is_some());
    let guard = FloodGuard::new(None, &two, &|_| true);
    assert_eq!(guard.check(&two, &[&results(2, 1_000, 1_000)]), None);
}
