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
    guard: Mutex<FloodGuard>,
    /// The version whose records fail, while the input waits.
    flooded: Mutex<Option<Flooded>>,
    is_held: AtomicBool,
}

impl Trials {
    pub(crate) fn new(guard: FloodGuard, plugins: &ActivePlugins) -> Self {
        let held = guard.holds(plugins);
        if held {
            tracing::error!("{}", Flooded::HELD);
        }
        let (counts, flooded, is_held) = (Mutex::default(), Mutex::default(), AtomicBool::new(held));
        Self { counts, guard: Mutex::new(guard), flooded, is_held }
    }

    /// Whether the input waits, because too many of its records fail.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    /// Looks at the open transaction of a worker. The reason if it must be dropped, because too many records fail.
    pub(crate) fn flood(&self, plugins: &ActivePlugins, open: &[&Ledger]) -> Option<String> {
        let flooded = locked(&self.guard).check(plugins, open)?;
        let Flooded { plugin, generation, reason, .. } = &flooded;
        let reason = format!("plugin `{plugin}`, generation {generation}: {reason}");
        if !self.is_held.swap(true, Ordering::AcqRel) {
            tracing::error!(
                reason,
                "too many records fail after a deployment: nothing more is dead-lettered, and the input waits for another \
                 version"
            );
            *locked(&self.flooded) = Some(flooded);
        }
        Some(reason)
    }

    /// The version whose records fail, while the input waits.
    pub(crate) fn flooded(&self) -> Option<Flooded> {
        locked(&self.flooded).clone()
    }

    /// Counts a transaction of a worker after its commit.
    pub(crate) fn committed(&self, plugins: &ActivePlugins, ledger: &Ledger, times: &[(DeploymentId, GuestTime)]) {
        if plugins.deployments.iter().any(|deployed| deployed.canary.is_some()) {
            locked(&self.counts).committed(plugins, ledger, times);
        }
        locked(&self.guard).committed(ledger);
    }

    /// Other plugins are active. The input goes on unless they have the version whose records fail.
    pub(crate) fn swapped(&self, plugins: &ActivePlugins) {
        let ordered = {
            let mut guard = locked(&self.guard);
            guard.swapped(plugins);
            guard.holds(plugins)
        };
        let mut flooded = locked(&self.flooded);
        flooded.take_if(|flooded| !plugins.floods(flooded));
        let held = ordered || flooded.is_some();
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
