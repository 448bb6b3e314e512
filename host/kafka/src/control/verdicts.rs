//! Verdicts on the trials of an app. Each process judges the canaries by the results of all processes, and the first of
//! them acts; another one follows if it doesn't. A process whose records fail after a deployment goes back by itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_engine::deployment::{Act, AppDeployments, Author, Flooded, Trial, TrialCounts};

use super::change::{Change, change};
use super::follow::FollowContext;
use super::notes::InstanceNote;
use crate::clock::wall_clock;
use crate::error::Error;

/// How long a process waits for each one before it to act.
pub(super) const TURN: Duration = Duration::from_secs(1);

/// How often canaries are judged.
const JUDGE_INTERVAL: Duration = Duration::from_millis(50);

/// How often it is tried again to go back, and logged that the input waits.
const HELD_INTERVAL: Duration = Duration::from_secs(10);

/// How long an act may take before it is tried again.
pub(super) const ACT_TIMEOUT: Duration = Duration::from_secs(10);

/// The results of the other processes, and the acts of this one.
#[derive(Default)]
pub(super) struct Verdicts {
    /// The results of canaries of all instances, by instance and plugin.
    others: BTreeMap<String, BTreeMap<String, TrialCounts>>,
    judged: Option<Instant>,
    /// Since when each canary is due to go on or end, by plugin, and its generation.
    due: BTreeMap<String, (u32, Instant)>,
    /// The change that each canary's last act of this process followed, by plugin, and when it was done. It is read soon,
    /// and needn't be done again meanwhile.
    acted: BTreeMap<String, (u32, Instant)>,
    /// The flooded version that this process has acted on, and when.
    went_back: Option<(Flooded, Instant)>,
}

impl Verdicts {
    /// Takes the note of an instance.
    pub(super) fn take(&mut self, instance: &str, note: Option<&InstanceNote>) {
        match note.filter(|note| !note.counts.is_empty()) {
            Some(note) => drop(self.others.insert(instance.to_owned(), note.counts.clone())),
            None => drop(self.others.remove(instance)),
        }
    }

    /// Ends canaries, lets them go on, and goes back from a flood. A failed attempt is logged, and made again.
    pub(super) fn act(&mut self, context: &FollowContext<'_>, deployments: &AppDeployments) {
        if let Some(flooded) = context.trials.flooded() {
            return self.go_back(context, deployments, flooded);
        }
        if self.judged.is_some_and(|judged| judged.elapsed() < JUDGE_INTERVAL) {
            return;
        }
        self.judged = Some(Instant::now());
        let names = context.topology.plugins.iter().map(|plugin| plugin.name.as_str());
        for plugin in names.filter(|plugin| deployments.on_trial(plugin).is_some()) {
            if let Some((act, reason)) = self.judge(context, deployments, plugin) {
                if let Act::Abort(_) = act {
                    tracing::error!(plugin, reason, "the canary is aborted");
                }
                let reached = deployments.plugins.get(plugin).map_or(0, |record| record.reached());
                if do_it(context, &act, reason) == Some(true) {
                    self.acted.insert(plugin.to_owned(), (reached, Instant::now()));
                }
            }
        }
    }

    /// The act that a canary needs now, if it is this process's turn, with the reason.
    fn judge(
        &mut self,
        context: &FollowContext<'_>,
        deployments: &AppDeployments,
        plugin: &str,
    ) -> Option<(Act, String)> {
        let trial = deployments.on_trial(plugin)?;
        let Some(Trial::Canary(plan)) = &trial.trial else { return None };
        let reached = deployments.plugins.get(plugin)?.reached();
        if self.acted.get(plugin).is_some_and(|(at, when)| *at == reached && when.elapsed() < ACT_TIMEOUT) {
            return None;
        }
        let own = context.trials.counts();
        let mut counts = TrialCounts { reached, ..TrialCounts::default() };
        let others = self.others.iter().filter(|(instance, _)| *instance != context.instance).map(|(_, all)| all);
        for of in others.chain([&own]).filter_map(|all| all.get(plugin)).filter(|of| of.reached == reached) {
            counts.add(of);
        }
        let generation = trial.generation;
        let (act, reason) = match plan.judge(&counts, wall_clock()).act(plugin, generation, plan) {
            Some(act) => act,
            None => {
                context.trials.acquit(plugin, &context.current.get().1);
                self.due.remove(plugin);
                return None;
            }
        };
        if let Act::Abort(_) = act {
            let (plugin, reason) = (plugin.to_owned(), reason.clone());
            context.trials.condemn(Flooded { plugin, generation, reason });
        }
        let due = self.due.entry(plugin.to_owned()).or_insert((reached, Instant::now()));
        if due.0 != reached {
            *due = (reached, Instant::now());
        }
        // Those that aren't in this step may be gone long since.
        let is_in_step = |all: &BTreeMap<String, TrialCounts>| all.get(plugin).is_some_and(|of| of.reached == reached);
        let is_before = |instance: &str| instance < context.instance || !is_in_step(&own);
        let before = self.others.iter().filter(|(instance, all)| is_before(instance) && is_in_step(all)).count();
        let wait = TURN.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX));
        (due.1.elapsed() >= wait).then_some((act, reason))
    }

    /// Goes back from a version whose records fail.
    fn go_back(&mut self, context: &FollowContext<'_>, deployments: &AppDeployments, flooded: Flooded) {
        if let Some((before, at)) = &self.went_back
            && *before == flooded
            && at.elapsed() < HELD_INTERVAL
        {
            return;
        }
        let note = format!("flood guard: {}", flooded.reason);
        // Without one, another version comes soon.
        let Some(way_back) = flooded.way_back(deployments) else { return };
        let is_refused = do_it(context, &way_back, note.clone()) == Some(false);
        match way_back {
            Act::Rollback { .. } if is_refused => {
                // A user must decide.
                do_it(context, &flooded.hold(), note);
            }
            // A canary that can't be aborted is active by now.
            _ if is_refused => return,
            _ => {}
        }
        self.went_back = Some((flooded, Instant::now()));
    }
}

/// Changes the deployments. Whether it is done, or refused; `None` if it couldn't be tried.
pub(super) fn do_it(context: &FollowContext<'_>, act: &Act, reason: String) -> Option<bool> {
    let author = Author { by: format!("millrace@{}", context.host), at: wall_clock(), note: reason };
    let limit = Instant::now() + ACT_TIMEOUT;
    let go_on = || Instant::now() < limit && !context.stop.load(std::sync::atomic::Ordering::Relaxed);
    let wanted = Change { act, author: &author, components: &BTreeMap::new() };
    match change(context.settings, context.cluster, &context.topology.app, &wanted, &go_on) {
        Ok(done) => done.map(|_| true),
        // Another process was first.
        Err(Error::Setup(reason)) => {
            tracing::info!(reason, "a change of deployments is refused");
            Some(false)
        }
        Err(error) => {
            tracing::warn!(%error, "deployments can't be changed: trying again");
            None
        }
    }
}
