//! Versions beside the active ones while an app runs: canaries are judged, shadows reported, and a flood of dead letters
//! is stopped.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_engine::deployment::{
    Act, ActivePlugins, CanaryCounts, FloodGuard, Flooded, GuestTime, Trial, TrialCounts,
};
use millrace_engine::ledger::Ledger;
use millrace_engine::ports::DeploymentId;
use millrace_engine::shadow::ShadowReport;
use millrace_store::{Batch, Durability};

use super::running::Deployer;
use crate::clock::wall_clock;
use crate::error::Error;
use crate::log::Log;

/// How often canaries are judged.
const JUDGE_INTERVAL: Duration = Duration::from_millis(50);

/// How often reports are written down.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is logged that the input is held.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The trials of a run.
pub(crate) struct Trials {
    counts: CanaryCounts,
    guard: FloodGuard,
    held: Option<Held>,
    /// Whether the app has decided that the input waits.
    ordered: bool,
    judged: Instant,
    reported: Instant,
}

/// The input waits, because too many of its records fail.
struct Held {
    flooded: Flooded,
    /// The way out that the app has asked itself for.
    asked: Option<WayOut>,
    logged: Instant,
}

/// A way out of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WayOut {
    /// The version before is active again.
    Back,
    /// The input waits for a user.
    Hold,
}

impl Trials {
    pub(crate) fn new(guard: FloodGuard, plugins: &ActivePlugins) -> Self {
        warn_of_shadows(plugins);
        let (now, ordered) = (Instant::now(), guard.holds(plugins));
        if ordered {
            tracing::error!("{}", Flooded::HELD);
        }
        Self { counts: CanaryCounts::default(), guard, held: None, ordered, judged: now, reported: now }
    }

    /// Whether the input waits.
    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some() || self.ordered
    }

    /// Whether the input waits, and nothing but a user can change that.
    pub(crate) fn is_stuck(&self) -> bool {
        self.ordered
    }

    /// Looks at the open transaction. True if it must be dropped, because too many records fail.
    pub(crate) fn is_flooded(&mut self, plugins: &ActivePlugins, open: &[&Ledger]) -> bool {
        let Some(flooded) = self.guard.check(plugins, open) else { return false };
        let Flooded { plugin, generation, reason, .. } = &flooded;
        tracing::error!(plugin, generation, reason, "{}", Flooded::SEEN);
        self.held = Some(Held { flooded, asked: None, logged: Instant::now() });
        true
    }

    /// Counts a transaction after its commit.
    pub(crate) fn committed(&mut self, plugins: &ActivePlugins, ledger: &Ledger, times: &[(DeploymentId, GuestTime)]) {
        self.counts.committed(plugins, ledger, times);
        self.guard.committed(ledger);
    }

    /// Other plugins are active: the input may go on.
    pub(crate) fn swapped(&mut self, plugins: &ActivePlugins) {
        warn_of_shadows(plugins);
        let before = self.is_held();
        self.guard.swapped(plugins);
        self.ordered = self.guard.holds(plugins);
        self.held.take_if(|held| !plugins.floods(&held.flooded));
        match (before, self.is_held()) {
            (true, false) => tracing::warn!("the input goes on"),
            (_, true) if self.ordered => tracing::error!("{}", Flooded::HELD),
            _ => {}
        }
    }

    /// Has the deployer end canaries, let them go on, and go back from a flood.
    ///
    /// # Errors
    /// The deployments can't be read, or a report can't be written.
    pub(crate) fn act(&mut self, log: &Log, plugins: &ActivePlugins, deployer: &mut Deployer) -> Result<(), Error> {
        if let Some(held) = &mut self.held {
            return held.act(log, deployer);
        }
        let has_trial = plugins.shadows.is_some() || plugins.deployments.iter().any(|it| it.canary.is_some());
        if !has_trial || self.judged.elapsed() < JUDGE_INTERVAL {
            return Ok(());
        }
        self.judged = Instant::now();
        if self.reported.elapsed() >= REPORT_INTERVAL {
            self.reported = Instant::now();
            self.report(log, deployer)?;
        }
        self.judge(log, deployer)
    }

    fn judge(&self, log: &Log, deployer: &mut Deployer) -> Result<(), Error> {
        let deployments = deployer.deployments(log)?;
        for (plugin, counts) in self.counts.all() {
            let Some(trial) = deployments.on_trial(plugin) else { continue };
            let (Some(Trial::Canary(plan)), generation) = (&trial.trial, trial.generation) else { continue };
            let reached = deployments.plugins.get(plugin).map_or(0, |record| record.reached());
            if counts.reached != reached {
                continue;
            }
            let verdict = plan.judge(counts, wall_clock());
            let Some((act, reason)) = verdict.act(plugin, generation, plan) else { continue };
            if let Act::Abort(_) = act {
                tracing::error!(plugin, generation, reason, "the canary is aborted");
            }
            deployer.change(log, act, reason)?;
        }
        Ok(())
    }

    /// Writes the counts of canaries and the report of shadows down, for `millrace deployments`.
    pub(crate) fn report(&self, log: &Log, deployer: &Deployer) -> Result<(), Error> {
        if self.counts.all().is_empty() && deployer.shadow_report().is_none() {
            return Ok(());
        }
        let mut batch = Batch::new(log.database());
        let counts = serde_json::to_vec(self.counts.all()).unwrap_or_default();
        log.put_control(&mut batch, COUNTS, &counts)?;
        if let Some(report) = deployer.shadow_report() {
            let noted = (report.generation, report);
            log.put_control(&mut batch, SHADOW, &serde_json::to_vec(&noted).unwrap_or_default())?;
        }
        Ok(log.database().write(batch, Durability::Buffered)?)
    }
}

fn warn_of_shadows(plugins: &ActivePlugins) {
    if let Some(reason) = &plugins.without_shadows {
        tracing::warn!(reason, "{}", ActivePlugins::WITHOUT_SHADOWS);
    }
}

impl Held {
    /// Goes back to the version before, and says why the input waits.
    fn act(&mut self, log: &Log, deployer: &mut Deployer) -> Result<(), Error> {
        // Another change that is under way comes first.
        if deployer.is_busy() {
            return Ok(());
        }
        let Flooded { reason, .. } = &self.flooded;
        let note = format!("flood guard: {reason}");
        if self.asked.is_none() {
            self.asked = Some(WayOut::Back);
            let way_back = self.flooded.way_back(&deployer.deployments(log)?);
            if let Some(act) = way_back
                && deployer.change(log, act, note.clone())?
            {
                return Ok(());
            }
        }
        if self.asked == Some(WayOut::Back) {
            // It was refused, so a user must decide.
            self.asked = Some(WayOut::Hold);
            deployer.change(log, self.flooded.hold(), note)?;
        } else if self.logged.elapsed() > LOG_INTERVAL {
            self.logged = Instant::now();
            tracing::error!(reason, "{}", Flooded::HELD);
        }
        Ok(())
    }
}

/// Key of the counts of canaries.
const COUNTS: &[u8] = b"canaries";

/// Key of the report of shadows.
const SHADOW: &[u8] = b"shadow";

/// The counts of canaries, by plugin, as the app has last written them down.
///
/// # Errors
/// They can't be read.
pub fn canary_counts(log: &Log) -> Result<BTreeMap<String, TrialCounts>, Error> {
    let counts = log.control(COUNTS)?;
    Ok(counts.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// The report of shadows, as the app has last written it down, with the generation of the newest of them.
///
/// # Errors
/// It can't be read.
pub fn shadow_report(log: &Log) -> Result<Option<(u32, ShadowReport)>, Error> {
    Ok(log.control(SHADOW)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}
