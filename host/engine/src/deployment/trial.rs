//! Trials: a version beside the active one, as a shadow or as a canary.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::record::{Deployment, PluginRecord, Status};
use super::rules::{AppDeployments, refused};
use super::{Author, DeploymentRefused};
use crate::canary::ALL;
use crate::record::Timestamp;

/// How a version is tried before it becomes active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trial {
    /// It processes the records of some keys.
    Canary(CanaryPlan),
    /// It gets calls of the active version, and its results are compared and thrown away.
    Shadow(ShadowPlan),
}

/// The steps of a canary, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryPlan {
    /// The share of keys in each step, in hundredths of a percent, growing.
    pub weights: Vec<u32>,
    /// How long each step lasts at least, in milliseconds.
    pub each_ms: i64,
    /// Records of each version without which there is no verdict.
    pub min_records: u64,
    /// The step that it is in, from 0.
    pub step: usize,
    /// When the step began, or was resumed.
    pub since: Timestamp,
    /// Whether a user has paused it: it goes no further, and may still be aborted by its criteria.
    pub paused: bool,
}

/// The calls of a shadow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowPlan {
    /// The share of keys, in hundredths of a percent.
    pub share: u32,
    /// The share of each worker's time that it may take, in hundredths of a percent.
    pub budget: u32,
    /// Differences that are meant, as patterns.
    pub ignore: Vec<String>,
}

impl Trial {
    /// Begins it. Gives the status of the deployment.
    pub(super) fn begin(&mut self, at: Timestamp) -> Status {
        match self {
            Self::Canary(plan) => {
                (plan.step, plan.since) = (0, at);
                Status::Canary
            }
            Self::Shadow(_) => Status::Shadow,
        }
    }

    /// The canary, if it is one.
    pub fn canary(&self) -> Option<&CanaryPlan> {
        match self {
            Self::Canary(plan) => Some(plan),
            Self::Shadow(_) => None,
        }
    }
}

impl CanaryPlan {
    /// A canary with these steps.
    ///
    /// # Errors
    /// The weights don't grow, or there are none below 100%.
    pub fn new(weights: Vec<u32>, each_ms: i64, min_records: u64) -> Result<Self, String> {
        let grow = weights.windows(2).all(|pair| matches!(pair, [before, after] if before < after));
        let first = weights.first().copied().unwrap_or(0);
        if !grow || first == 0 || weights.iter().any(|weight| *weight > ALL) {
            return Err("the steps of a canary grow, from more than 0% to 100%, such as 5%,25%,100%".into());
        }
        if first == ALL {
            return Err("a canary begins with less than 100% of the keys: all of them at once is a deployment".into());
        }
        Ok(Self { weights, each_ms, min_records, step: 0, since: 0, paused: false })
    }

    /// The share of keys in the current step, in hundredths of a percent.
    pub fn weight(&self) -> u32 {
        self.weights.get(self.step).copied().unwrap_or(0)
    }

    /// Whether the steps end in this one, with fewer than all keys.
    pub(super) fn is_last_below_all(&self) -> bool {
        self.step + 1 >= self.weights.len() && self.weight() < ALL
    }

    /// The next step; none if the version becomes active instead.
    pub(super) fn next(&self) -> Option<usize> {
        let next = self.step + 1;
        self.weights.get(next).filter(|weight| **weight < ALL).map(|_| next)
    }
}

/// How a trial goes on.
pub(super) struct Advance {
    pub(super) step: Option<usize>,
    pub(super) fully: bool,
    pub(super) judged: bool,
}

impl AppDeployments {
    /// A trial goes on to its next step, or becomes active.
    pub(super) fn advance(
        &mut self,
        plugin: &str,
        generation: u32,
        Advance { step, fully, judged }: Advance,
        author: &Author,
    ) -> Result<(), DeploymentRefused> {
        if self.active(plugin).is_some_and(|active| active.generation == generation) {
            return Ok(());
        }
        let at = self.generation().saturating_add(1);
        let record = self.plugins.get_mut(plugin).ok_or_else(|| no_trial(plugin, generation))?;
        let trial = on_trial(plugin, record, generation)?;
        let next = match trial.trial.as_mut() {
            Some(Trial::Canary(plan)) => match step {
                _ if plan.paused && judged => return Err(refused(plugin, "the canary is paused".into())),
                // It was asked for before, and is done.
                Some(step) if plan.step == step + 1 && !fully => return Ok(()),
                Some(step) if plan.step != step => {
                    return Err(refused(
                        plugin,
                        format!("the canary is in step {}, and not in {}", plan.step + 1, step + 1),
                    ));
                }
                _ => plan.next().filter(|_| !fully).map(|next| (plan, next)),
            },
            _ => None,
        };
        match next {
            Some((plan, next)) => (plan.step, plan.since) = (next, author.at),
            None => drop(record.activate(generation)),
        }
        if let Some(trial) = record.of_generation(generation) {
            author.note.clone_into(&mut trial.verdict);
        }
        (record.reached, record.generation) = (at, at);
        Ok(())
    }

    /// A canary is paused, or goes on: its step begins anew.
    pub(super) fn pause(
        &mut self,
        plugin: &str,
        generation: u32,
        paused: bool,
        author: &Author,
    ) -> Result<(), DeploymentRefused> {
        let at = self.generation().saturating_add(1);
        let record = self.plugins.get_mut(plugin).ok_or_else(|| no_trial(plugin, generation))?;
        let Some(Trial::Canary(plan)) = &mut on_trial(plugin, record, generation)?.trial else {
            return Err(refused(plugin, format!("generation {generation} is a shadow, which has no steps")));
        };
        if plan.paused != paused {
            (plan.paused, plan.since) = (paused, author.at);
            // The results are counted anew.
            (record.reached, record.generation) = (at, at);
        }
        Ok(())
    }
}

fn on_trial<'r>(
    plugin: &str,
    record: &'r mut PluginRecord,
    generation: u32,
) -> Result<&'r mut Deployment, DeploymentRefused> {
    let trial = record.of_generation(generation).filter(|it| it.status.is_trial());
    trial.ok_or_else(|| no_trial(plugin, generation))
}

fn no_trial(plugin: &str, generation: u32) -> DeploymentRefused {
    refused(plugin, format!("generation {generation} isn't on trial"))
}

impl PluginRecord {
    /// A key may come to a canary, and back if it is aborted: both versions must read and write its state alike.
    pub(super) fn check_canary(&self, plugin: &str, called: &BTreeSet<String>) -> Result<(), DeploymentRefused> {
        let (Some(active), Some(staged)) = (self.active(), self.staged()) else { return Ok(()) };
        for store in called {
            let (Some(before), Some(after)) = (active.stores.get(store), staged.stores.get(store)) else { continue };
            let alike =
                before.now == after.now && before.reads.contains(&after.now) && after.reads.contains(&before.now);
            if !alike {
                let (function, name) = store.split_once('/').unwrap_or((store, ""));
                let reason = format!(
                    "a canary needs the same state versions as the active version, and function `{function}` writes version {} \
                     to its store `{name}`, where the active one writes {}: use a shadow, `--shadow`",
                    after.now, before.now
                );
                return Err(refused(plugin, reason));
            }
        }
        Ok(())
    }
}
