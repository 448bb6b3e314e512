//! Waiting until the processes of an app have loaded a deployment, or run it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use millrace_engine::deployment::{AppDeployments, Status};
use millrace_kafka::InstanceNote;
use millrace_kafka::deployments::LiveInstance;

use super::control::Control;
use super::percent;
use crate::exit::WaitError;
use crate::say::say;

/// How often to look.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Waits until every process has loaded these generations. The app on a data folder has loaded them when it has
/// answered.
///
/// # Errors
/// A process can't load one, or hasn't within the time.
pub(super) fn until_loaded(
    control: &Control<'_>,
    generations: &BTreeMap<String, u32>,
    timeout: Duration,
) -> Result<()> {
    let late = |behind: &str, seconds| WaitError::Aborted(format!("not loaded within {seconds} s by {behind}"));
    until(timeout, &late, &mut || {
        let (deployments, instances) = control.watch()?;
        if let Some((plugin, generation, status)) = other_than(&[Status::Staged], &deployments, generations) {
            bail!(WaitError::Aborted(format!("`{plugin}` generation {generation} is {}", status.name())));
        }
        for instance in &instances {
            if let Some(refused) = instance.note.as_ref().and_then(|note| note.refused.as_ref())
                && generations.iter().any(|(plugin, generation)| refused.generations.get(plugin) == Some(generation))
            {
                bail!("process {} can't run it: {}", name(instance), refused.reason);
            }
        }
        Ok(behind(&instances, generations, |note| &note.loaded))
    })
}

/// Waits until every process runs these generations, if `to_the_end` until those of canaries are active.
///
/// # Errors
/// [`WaitError`]: some don't within the time, or another deployment has taken the place, or a canary was aborted.
pub(super) fn until_running(
    control: &Control<'_>,
    (generations, to_the_end): (&BTreeMap<String, u32>, bool),
    timeout: Duration,
) -> Result<()> {
    let late =
        |behind: &str, seconds| WaitError::UnderWay(format!("after {seconds} s it is still under way: {behind}"));
    let mut said = None;
    until(timeout, &late, &mut || {
        let (deployments, instances) = control.watch()?;
        let run = [Status::Active, Status::Canary, Status::Shadow];
        if let Some((plugin, generation, status)) = other_than(&run, &deployments, generations) {
            let found = deployments.plugins.get(plugin);
            let found = found.and_then(|record| record.deployments.iter().find(|it| it.generation == generation));
            let why = found.map_or("", |deployment| deployment.verdict.as_str());
            let colon = if why.is_empty() { "" } else { ": " };
            bail!(WaitError::Aborted(format!("`{plugin}` generation {generation} is {}{colon}{why}", status.name())));
        }
        let canary = generations.keys().filter(|_| to_the_end).find_map(|plugin| {
            let trial = deployments.on_trial(plugin)?;
            let plan = trial.trial.as_ref()?.canary()?;
            Some(format!("the canary of `{plugin}`, with {} of the keys", percent(plan.weight())))
        });
        if canary.is_some() && canary != said {
            said.clone_from(&canary);
            say(format_args!("waiting for {}", said.as_deref().unwrap_or_default()));
        }
        let rewriting = generations.keys().find_map(|plugin| {
            deployments.active(plugin)?.rewrite?;
            Some(format!("entries of older state versions of `{plugin}` are being rewritten"))
        });
        let reached = |plugin: &String| deployments.plugins.get(plugin).map_or(0, |record| record.reached());
        let reached = generations.keys().map(|plugin| (plugin.clone(), reached(plugin))).collect();
        let behind = behind(&instances, &reached, |note| &note.running);
        Ok(behind.into_iter().chain(canary).chain(rewriting).collect())
    })
}

/// Looks until nothing is left to wait for.
fn until(
    timeout: Duration,
    late: &dyn Fn(&str, u64) -> WaitError,
    left: &mut dyn FnMut() -> Result<Vec<String>>,
) -> Result<()> {
    let limit = Instant::now() + timeout;
    loop {
        let left = left()?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= limit {
            bail!(late(&left.join(", "), timeout.as_secs()));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// A generation that has another status.
fn other_than<'g>(
    wanted: &[Status],
    deployments: &AppDeployments,
    generations: &'g BTreeMap<String, u32>,
) -> Option<(&'g str, u32, Status)> {
    generations.iter().find_map(|(plugin, generation)| {
        let record = deployments.plugins.get(plugin)?;
        let found = record.deployments.iter().find(|it| it.generation == *generation);
        let status = found.map_or(Status::Superseded, |deployment| deployment.status);
        (!wanted.contains(&status)).then_some((plugin.as_str(), *generation, status))
    })
}

/// The processes that aren't at these generations. A process whose pipeline hasn't a plugin needn't be.
fn behind(
    instances: &[LiveInstance],
    generations: &BTreeMap<String, u32>,
    reached: fn(&InstanceNote) -> &BTreeMap<String, u32>,
) -> Vec<String> {
    let is_behind = |instance: &&LiveInstance| {
        let Some(note) = &instance.note else { return true };
        generations.iter().any(|(plugin, generation)| reached(note).get(plugin).is_some_and(|at| at < generation))
    };
    instances.iter().filter(is_behind).map(name).collect()
}

/// The name of a process, for people.
pub(in crate::commands) fn name(instance: &LiveInstance) -> String {
    let host = instance.note.as_ref().map(|note| format!(" on {}", note.host)).unwrap_or_default();
    format!("{}{host}", instance.id)
}
