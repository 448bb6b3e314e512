//! The trials of an instance: the results of its canaries, and its guard against floods of dead letters. Its workers count
//! after each commit, and the thread that follows the deployments acts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_engine::deployment::{ActivePlugins, CanaryCounts, FloodGuard, Flooded, GuestTime, TrialCounts};
use millrace_engine::ledger::Ledger;
use millrace_engine::ports::DeploymentId;

/// The trials of an instance.
pub(crate) struct Trials {
    counts: Mutex<CanaryCounts>,
    guard: Mutex<Guard>,
    /// The version whose records fail, while the input waits.
    flooded: Mutex<Option<Flooded>>,
    /// The canaries that are about to be aborted, by plugin, while the input waits for that: it takes a second to tell all
    /// processes.
    condemned: Mutex<BTreeMap<String, Flooded>>,
    is_held: AtomicBool,
    /// Whether the guard watches a version: otherwise workers don't ask it on the way of a record.
    is_watching: AtomicBool,
}

/// The guard, with what its workers commit at this moment: each alone may be few enough.
struct Guard {
    guard: FloodGuard,
    /// The results of the transactions that are being committed, by worker.
    committing: BTreeMap<usize, Ledger>,
}

impl Guard {
    /// The version of which too many records fail, those of a worker's open transaction included.
    fn check(&self, worker: usize, plugins: &ActivePlugins, open: &Ledger) -> Option<Flooded> {
        let others = self.committing.iter().filter(|(other, _)| **other != worker).map(|(_, ledger)| ledger);
        self.guard.check(plugins, &others.chain([open]).collect::<Vec<_>>())
    }
}

impl Trials {
    pub(crate) fn new(guard: FloodGuard, plugins: &ActivePlugins) -> Self {
        warn_of_shadows(plugins);
        let (held, is_watching) = (guard.holds(plugins), AtomicBool::new(guard.is_watching()));
        if held {
            tracing::error!("{}", Flooded::HELD);
        }
        let (counts, flooded, condemned) = (Mutex::default(), Mutex::default(), Mutex::default());
        let guard = Mutex::new(Guard { guard, committing: BTreeMap::new() });
        Self { counts, guard, flooded, condemned, is_held: AtomicBool::new(held), is_watching }
    }

    /// Whether the input waits until another version is active.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    /// Looks at the open transaction of a worker. The reason if it must be dropped, because too many records fail.
    pub(crate) fn flood(&self, worker: usize, plugins: &ActivePlugins, open: &Ledger) -> Option<String> {
        if !self.is_watching.load(Ordering::Acquire) {
            return None;
        }
        // Held until the end: the version may be replaced meanwhile.
        let guard = locked(&self.guard);
        let flooded = guard.check(worker, plugins, open)?;
        Some(self.hold(flooded))
    }

    /// Looks at a transaction of a worker before its commit, and counts it for the other workers until it is
    /// [committed](Self::committed). The reason if it must be dropped.
    pub(crate) fn before_commit(&self, worker: usize, plugins: &ActivePlugins, ledger: &Ledger) -> Option<String> {
        if !self.is_watching.load(Ordering::Acquire) && !self.is_held() {
            return None;
        }
        if let Some(condemned) = locked(&self.condemned).values().find(|condemned| plugins.is_canary(condemned)) {
            return Some(said(condemned));
        }
        let mut guard = locked(&self.guard);
        let held = locked(&self.flooded).clone().filter(|flooded| plugins.floods(flooded));
        let Some(flooded) = held.or_else(|| guard.check(worker, plugins, ledger)) else {
            let mut results = Ledger::default();
            results.versions.clone_from(&ledger.versions);
            guard.committing.insert(worker, results);
            return None;
        };
        Some(self.hold(flooded))
    }

    /// Holds the input. Gives the reason.
    fn hold(&self, flooded: Flooded) -> String {
        let reason = said(&flooded);
        self.is_held.store(true, Ordering::Release);
        let mut known = locked(&self.flooded);
        if known.is_none() {
            tracing::error!(reason, "{}", Flooded::SEEN);
            *known = Some(flooded);
        }
        reason
    }

    /// Whether the input waits until a user decides.
    pub(crate) fn waits_for_a_user(&self) -> bool {
        self.is_held() && locked(&self.flooded).is_none() && locked(&self.condemned).is_empty()
    }

    /// Holds the input until a canary is aborted: no more of its results are committed.
    pub(super) fn condemn(&self, canary: Flooded) {
        let mut condemned = locked(&self.condemned);
        if !condemned.contains_key(&canary.plugin) {
            tracing::warn!(reason = said(&canary), "the input waits until the canary is aborted");
            condemned.insert(canary.plugin.clone(), canary);
        }
        self.is_held.store(true, Ordering::Release);
    }

    /// The canary of a plugin isn't to be aborted after all.
    pub(super) fn acquit(&self, plugin: &str, plugins: &ActivePlugins) {
        // Until the end: a worker that sees a flood meanwhile holds the input.
        let guard = locked(&self.guard);
        let mut condemned = locked(&self.condemned);
        if condemned.remove(plugin).is_some() {
            let held = guard.guard.holds(plugins) || locked(&self.flooded).is_some() || !condemned.is_empty();
            if !held && self.is_held.swap(false, Ordering::AcqRel) {
                tracing::warn!("the input goes on");
            }
        }
    }

    /// The version whose records fail, while the input waits.
    pub(crate) fn flooded(&self) -> Option<Flooded> {
        locked(&self.flooded).clone()
    }

    /// A transaction of a worker isn't committed after all.
    pub(crate) fn aborted(&self, worker: usize) {
        locked(&self.guard).committing.remove(&worker);
    }

    /// Counts a transaction of a worker after its commit.
    pub(crate) fn committed(
        &self,
        worker: usize,
        plugins: &ActivePlugins,
        ledger: &Ledger,
        times: &[(DeploymentId, GuestTime)],
    ) {
        if plugins.deployments.iter().any(|deployed| deployed.canary.is_some()) {
            locked(&self.counts).committed(plugins, ledger, times);
        }
        let mut guard = locked(&self.guard);
        guard.committing.remove(&worker);
        guard.guard.committed(ledger);
        self.is_watching.store(guard.guard.is_watching(), Ordering::Release);
    }

    /// Other plugins are active. The input goes on unless they have the version whose records fail.
    pub(crate) fn swapped(&self, plugins: &ActivePlugins) {
        warn_of_shadows(plugins);
        // Until the end: a worker that sees a flood meanwhile may see that of a version that runs no more.
        let mut guard = locked(&self.guard);
        guard.guard.swapped(plugins);
        self.is_watching.store(guard.guard.is_watching(), Ordering::Release);
        let ordered = guard.guard.holds(plugins);
        let mut flooded = locked(&self.flooded);
        flooded.take_if(|flooded| !plugins.floods(flooded));
        let mut condemned = locked(&self.condemned);
        // One that was promoted meanwhile is a canary no more.
        condemned.retain(|_, condemned| plugins.is_canary(condemned));
        let held = ordered || flooded.is_some() || !condemned.is_empty();
        match (self.is_held.swap(held, Ordering::AcqRel), held) {
            (true, false) => tracing::warn!("the input goes on"),
            (_, true) if ordered => tracing::error!("{}", Flooded::HELD),
            _ => {}
        }
    }

    /// The results of the canaries, by plugin.
    pub(crate) fn counts(&self) -> BTreeMap<String, TrialCounts> {
        locked(&self.counts).all().clone()
    }
}

/// A version that fails, with its reason.
fn said(Flooded { plugin, generation, reason }: &Flooded) -> String {
    format!("plugin `{plugin}`, generation {generation}: {reason}")
}

fn warn_of_shadows(plugins: &ActivePlugins) {
    if let Some(reason) = &plugins.without_shadows {
        tracing::warn!(reason, "{}", ActivePlugins::WITHOUT_SHADOWS);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use millrace_engine::canary::Canary;
    use millrace_engine::task::Deployed;
    use millrace_engine::topology::{DeployOnStart, GuestLimits, OnWorkerFailure, PluginUse, Settings, Topology};

    use super::*;

    /// Two plugins, each perhaps with a canary of this generation.
    fn plugins(canaries: [Option<u32>; 2]) -> ActivePlugins {
        let settings = Settings {
            commit_interval: Duration::from_millis(100),
            threads: 1,
            on_worker_failure: OnWorkerFailure::Stop,
            deploy_on_start: DeployOnStart::New,
            flood_guard: None,
        };
        let named = |name: &str| PluginUse {
            name: name.into(),
            component: "p.wasm".into(),
            config: "{}".into(),
            limits: GuestLimits::default(),
        };
        let topology = Topology {
            app: "a".into(),
            settings,
            plugins: vec![named("p"), named("q")],
            topics: Vec::new(),
            stores: Vec::new(),
            globals: Vec::new(),
            subtopologies: Vec::new(),
            kafka: Vec::new(),
        };
        let deployed = canaries.map(|canary| {
            let canary = canary.map(|generation| {
                let (id, digest) = (DeploymentId(generation), "c".to_owned());
                Arc::new(Canary { id, generation, digest, weight: 500, functions: BTreeMap::new() })
            });
            Deployed { canary, ..Deployed::new(DeploymentId(1), 1, "d") }
        });
        ActivePlugins::new(Arc::new(topology), Arc::new(deployed))
    }

    fn trials(plugins: &ActivePlugins) -> Trials {
        Trials::new(FloodGuard::new(None, plugins, &|_| false), plugins)
    }

    fn bad(plugin: &str, generation: u32) -> Flooded {
        Flooded { plugin: plugin.into(), generation, reason: "it fails".into() }
    }

    #[test]
    fn the_input_waits_from_the_verdict_on_a_canary_until_it_is_aborted_or_promoted() {
        for after in [plugins([None, None]), plugins([Some(5), None])] {
            let before = plugins([Some(2), None]);
            let trials = trials(&before);
            assert!(!trials.is_held() && trials.before_commit(0, &before, &Ledger::default()).is_none());
            trials.condemn(bad("p", 2));
            assert!(trials.is_held() && !trials.waits_for_a_user(), "it goes on by itself");
            let reason = trials.before_commit(0, &before, &Ledger::default());
            assert_eq!(reason.as_deref(), Some("plugin `p`, generation 2: it fails"));
            trials.swapped(&before);
            assert!(trials.is_held(), "another change came first");
            trials.swapped(&after);
            assert!(!trials.is_held() && trials.before_commit(0, &after, &Ledger::default()).is_none());
        }
    }

    #[test]
    fn the_input_goes_on_when_no_canary_is_bad_any_more() {
        let both = plugins([Some(2), Some(3)]);
        let trials = trials(&both);
        trials.condemn(bad("p", 2));
        trials.condemn(bad("q", 3));
        trials.acquit("p", &both);
        assert!(trials.is_held(), "the other one is bad");
        trials.swapped(&plugins([Some(2), None]));
        assert!(!trials.is_held());
        trials.condemn(bad("p", 2));
        trials.acquit("q", &both);
        assert!(trials.is_held());
        trials.acquit("p", &both);
        assert!(!trials.is_held());
    }
}
