//! `millrace deploy`: makes another version of a plugin the active one while the app runs.
//!
//! ```text
//! load and check ─▶ show what changes ─▶ ask ─▶ stage ─▶ all processes have loaded it ─▶ activate ─▶ (all run it)
//!                                                 └──────▶ a process can't load it ─▶ abort
//! ```

pub(super) mod control;
pub(super) mod plan;
pub(super) mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use millrace_engine::deployment::{Act, AppDeployments, CanaryPlan, Candidate, PluginLoader, ShadowPlan, Trial};
use millrace_engine::secret::Secret;
use millrace_pipeline::Override;

use crate::args;
use crate::author;
use crate::load::{Loaded, load};
use crate::plugins::Plugins;
use crate::say::{ask, note, say};
use control::{Components, Control};
use plan::Plan;

/// Deploys new versions of plugins.
///
/// # Errors
/// A version is refused, nobody agrees, or a process can't run it: then the active versions stay.
pub fn deploy(arguments: &args::Deploy) -> Result<()> {
    let loaded = load(&arguments.pipeline.with(settings(&arguments.plugins, &arguments.config, "--plugin")?))?;
    let control = Control::open(&loaded.topology, &arguments.at)?;
    let before = control.deployments()?;
    let candidates = candidates(&loaded, arguments, &before)?;
    let act = Act::Stage { candidates: candidates.clone(), trial: trial(&arguments.trial)? };
    let mut after = before.clone();
    after.apply(&act, &author::here(String::new()))?;
    check_together(&control, &after, &loaded.plugins)?;
    // To count the entries, all state is read.
    let counts = arguments.dry_run || !arguments.yes;
    let plan = Plan::new((&before, &after), &candidates, &loaded.plugins, (&control, counts))?;
    match arguments.json {
        true => note(plan.json()?),
        false => note(plan.text().trim_end()),
    }
    if arguments.dry_run {
        return Ok(());
    }
    if !arguments.yes && !agreed()? {
        bail!("nothing was deployed");
    }
    let author = author::here(arguments.manner.note.clone());
    let components = components(&candidates, &loaded.plugins);
    let generations = control.change(&act, &author, &components)?;
    let timeout = Duration::from_secs(arguments.manner.timeout);
    if let Err(error) = wait::until_loaded(&control, &generations, timeout) {
        if let Err(failed) = control.change(&Act::Abort(generations), &author, &Components::new()) {
            say(format_args!("the staged version stays: {failed:#}; `millrace deployments abort` drops it"));
        }
        return Err(error.context("nothing was deployed"));
    }
    // The time of a trial begins now, and not when it was staged.
    let author = author::here(arguments.manner.note.clone());
    control.change(&Act::Activate(generations.clone()), &author, &Components::new())?;
    done(&control, (&generations, true), &arguments.manner)
}

/// Loads the staged versions together with the active versions of the other plugins, as the app's processes will.
///
/// # Errors
/// They don't fit together, or don't fit the pipeline.
pub(super) fn check_together(control: &Control<'_>, after: &AppDeployments, plugins: &Plugins) -> Result<()> {
    let lacking = after.needed(control.topology()).into_iter().filter(|digest| plugins.component(digest).is_none());
    plugins.add_all(control.components(&lacking.collect())?);
    after.load_next(control.topology(), plugins).map_err(|reason| anyhow!(reason))?;
    Ok(())
}

/// Says which generations are active, once every process runs them if that is waited for.
pub(super) fn done(
    control: &Control<'_>,
    (generations, to_the_end): (&BTreeMap<String, u32>, bool),
    manner: &args::Manner,
) -> Result<()> {
    let runs = control.runs()?;
    if runs && manner.wait {
        wait::until_running(control, (generations, to_the_end), Duration::from_secs(manner.timeout))?;
    }
    let deployments = control.deployments()?;
    let trial_of = |plugin: &str, generation: u32| {
        let found = deployments.on_trial(plugin).filter(|trial| trial.generation == generation);
        found.and_then(|found| found.trial.as_ref())
    };
    let one = |(plugin, generation): (&String, &u32)| {
        let how = match trial_of(plugin, *generation) {
            Some(Trial::Canary(plan)) => format!(" as a canary with {} of the keys", percent(plan.weight())),
            Some(Trial::Shadow(_)) => " as a shadow".to_owned(),
            None => String::new(),
        };
        format!("`{plugin}` generation {generation}{how}")
    };
    let list = generations.iter().map(one).collect::<Vec<_>>().join(", ");
    let is_tried = generations.iter().any(|(plugin, generation)| trial_of(plugin, *generation).is_some());
    let state = if is_tried { "on trial" } else { "active" };
    let is_active = |(plugin, generation): (&'_ String, &u32)| {
        let active = deployments.active(plugin).filter(|active| active.generation == *generation)?;
        Some((plugin.clone(), active.clone()))
    };
    for (plugin, active) in generations.iter().filter_map(is_active) {
        if active.rewrite.is_some() {
            note(format_args!(
                "entries of older state versions of `{plugin}` are rewritten while the app runs: `millrace deployments show` \
                 prints how far it is"
            ));
        } else if let Some(rewritten) = active.rewritten.as_ref().filter(|_| runs && manner.wait) {
            note(format_args!("`{plugin}`: {}", rewritten.verdict()));
        }
    }
    if !runs {
        note(format_args!("{state}: {list}; the app doesn't run, and begins with it at its next start"));
    } else if manner.wait {
        note(format_args!("{state}: {list}; every process of the app runs it"));
    } else {
        note(format_args!("{state}: {list}; the app's processes go on with it"));
    }
    if is_tried {
        note("`millrace deployments show` prints its results, `promote` goes on with it, and `abort` ends the trial");
    }
    Ok(())
}

/// A share in hundredths of a percent, for people.
pub(super) fn percent(share: u32) -> String {
    match share % 100 {
        0 => format!("{}%", share / 100),
        _ => format!("{:.2}%", f64::from(share) / 100.0),
    }
}

/// How the versions are tried first.
fn trial(arguments: &args::Trial) -> Result<Option<Trial>> {
    let args::Trial { shadow, share, budget, ignore, canary, each, min_records } = arguments;
    if *shadow {
        return Ok(Some(Trial::Shadow(ShadowPlan { share: *share, budget: *budget, ignore: ignore.clone() })));
    }
    if canary.is_empty() {
        return Ok(None);
    }
    let plan = CanaryPlan::new(canary.clone(), *each, *min_records).map_err(|reason| anyhow!("--canary: {reason}"))?;
    Ok(Some(Trial::Canary(plan)))
}

/// New components and config of plugins, as settings of the pipeline. `option` is the one that has the components.
pub(super) fn settings(
    plugins: &[(String, PathBuf)],
    config: &[(String, String)],
    option: &str,
) -> Result<Vec<Override>> {
    let mut settings = Vec::new();
    for (name, file) in plugins {
        if !file.is_file() {
            bail!("{option} {name}={}: there is no such file", file.display());
        }
        let file = std::path::absolute(file)?;
        let file = file.to_str().ok_or_else(|| anyhow!("{}: not UTF-8", file.display()))?;
        let (option, key) = (format!("{option} {name}"), format!("plugins.{name}.component"));
        settings.push(Override { option, key, value: Secret::from(file) });
    }
    let names: Vec<_> = plugins.iter().map(|(name, _)| name.as_str()).collect();
    for (key, value) in config {
        let (name, key) = match (names.as_slice(), key.split_once('.')) {
            ([only], _) => (*only, key.as_str()),
            (several, Some((name, key))) if several.contains(&name) => (name, key),
            _ => bail!("--config {key}: with several plugins, say whose: --config NAME.{key}=VALUE"),
        };
        let (option, key) = (format!("--config {key}"), format!("plugins.{name}.config.{key}"));
        settings.push(Override { option, key, value: Secret::from(value.as_str()) });
    }
    Ok(settings)
}

/// The versions to deploy.
fn candidates(loaded: &Loaded, arguments: &args::Deploy, before: &AppDeployments) -> Result<Vec<Candidate>> {
    let names: BTreeSet<_> = arguments.plugins.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(new) = names.iter().find(|name| before.active(name).is_none()) {
        bail!(
            "the app `{}` hasn't run with the plugin `{new}` here yet: `millrace run` deploys the plugins of its files when it \
             starts",
            loaded.topology.app
        );
    }
    Ok(loaded.plugins.candidates().into_iter().filter(|candidate| names.contains(candidate.name.as_str())).collect())
}

fn components(candidates: &[Candidate], plugins: &Plugins) -> Components {
    let of = |candidate: &Candidate| Some((candidate.component.clone(), plugins.component(&candidate.component)?));
    candidates.iter().filter_map(of).collect::<BTreeMap<String, Arc<[u8]>>>()
}

fn agreed() -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask on: say --yes; nothing was deployed");
    }
    ask("Deploy? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
