//! Changes of trials: `promote`, `pause`, `resume` and `abort`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use millrace_engine::deployment::{Act, AppDeployments, Flood, Trial};

use super::change;
use crate::args::Manner;
use crate::author;
use crate::commands::deploy::control::{Components, Control};
use crate::commands::deploy::done;
use crate::say::note;

/// Ends trials, and drops staged versions.
pub(super) fn abort(control: &Control<'_>, why: &str) -> Result<()> {
    let deployments = control.deployments()?;
    let mut open = deployments.staged();
    open.extend(deployments.on_trial_of_all());
    if open.is_empty() {
        bail!("nothing is staged or on trial: `millrace deployments rollback` goes back from an active version");
    }
    end_all(control, open, why)
}

/// Ends a trial in place of a rollback: the active version takes over.
pub(super) fn end(
    control: &Control<'_>,
    (plugin, generation): (&str, u32),
    to: Option<u32>,
    manner: &Manner,
) -> Result<()> {
    if to.is_some() {
        bail!("generation {generation} of `{plugin}` is on trial: end it first, with `millrace deployments abort`");
    }
    end_all(control, BTreeMap::from([(plugin.to_owned(), generation)]), &manner.note)?;
    let active = control.deployments()?.active(plugin).map_or(0, |active| active.generation);
    done(control, (&BTreeMap::from([(plugin.to_owned(), active)]), false), manner)
}

fn end_all(control: &Control<'_>, open: BTreeMap<String, u32>, why: &str) -> Result<()> {
    let author = author::here(String::new());
    let why = if why.is_empty() { format!("aborted by {}", author.by) } else { why.to_owned() };
    let author = author::here(why);
    control.change(&Act::Abort(open.clone()), &author, &Components::new())?;
    for (plugin, generation) in open {
        note(format_args!("aborted: `{plugin}` generation {generation}"));
    }
    Ok(())
}

/// Lets a canary go on to its next step, or makes a version on trial active.
pub(super) fn promote(control: &Control<'_>, plugin: Option<&str>, fully: bool, manner: &Manner) -> Result<()> {
    let deployments = control.deployments()?;
    let (plugin, generation, trial) = on_trial(&deployments, plugin)?;
    let step = trial.canary().map(|plan| plan.step);
    let why = if manner.note.is_empty() { "promoted by a user".to_owned() } else { manner.note.clone() };
    let manner = Manner { note: why, ..manner.clone() };
    change(control, &Act::Advance { plugin, generation, step, fully, judged: false }, &manner)
}

/// Lets a paused canary go on, or an app whose input the flood guard holds.
pub(super) fn resume(control: &Control<'_>, plugin: Option<&str>) -> Result<()> {
    let deployments = control.deployments()?;
    let is_held = |name: &str| deployments.active(name).filter(|active| active.flood == Flood::Held);
    let held: Vec<_> =
        deployments.plugins.keys().filter(|name| plugin.is_none_or(|plugin| plugin == name.as_str())).collect();
    let held: Vec<_> = held.into_iter().filter_map(|name| Some((name, is_held(name)?.generation))).collect();
    if held.is_empty() {
        return pause(control, plugin, false);
    }
    for (plugin, generation) in held {
        let author = author::here("a user lets the records fail".into());
        control.change(&Act::Accept { plugin: plugin.clone(), generation }, &author, &Components::new())?;
        note(format_args!("resumed: `{plugin}` generation {generation} processes records, however many fail"));
    }
    Ok(())
}

/// Pauses a canary, or lets it go on.
pub(super) fn pause(control: &Control<'_>, plugin: Option<&str>, paused: bool) -> Result<()> {
    let deployments = control.deployments()?;
    let (plugin, generation, _) = on_trial(&deployments, plugin)?;
    let act = Act::Pause { plugin: plugin.clone(), generation, paused };
    control.change(&act, &author::here(String::new()), &Components::new())?;
    let done = if paused { "paused" } else { "resumed" };
    note(format_args!("{done}: `{plugin}` generation {generation}"));
    Ok(())
}

/// The version on trial of a plugin, or the only one of all.
fn on_trial<'d>(deployments: &'d AppDeployments, plugin: Option<&str>) -> Result<(String, u32, &'d Trial)> {
    let all = deployments.on_trial_of_all();
    let plugin = match (plugin, all.len()) {
        (Some(plugin), _) => plugin.to_owned(),
        (None, 0) => bail!("nothing is on trial: `millrace deploy --canary` or `--shadow` begins a trial"),
        (None, 1) => all.into_keys().next().unwrap_or_default(),
        (None, _) => {
            let names: Vec<_> = all.keys().map(|name| format!("--plugin {name}")).collect();
            bail!("several plugins are on trial: say {}", names.join(" or "))
        }
    };
    let trial = deployments.on_trial(&plugin).and_then(|found| Some((found.generation, found.trial.as_ref()?)));
    let (generation, trial) = trial.with_context(|| format!("plugin `{plugin}` has no version on trial"))?;
    Ok((plugin, generation, trial))
}
