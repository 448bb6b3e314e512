//! `millrace deployments`: the list of an app's deployments, and the way back.

mod show;
mod trials;

use anyhow::{Context, Result, bail};
use millrace_engine::deployment::{Act, AppDeployments, Deployment, REWRITE_RATE, Rewrite};

use super::deploy::control::{Components, Control};
use super::deploy::plan::names_of;
use super::deploy::{check_together, done, wait};
use crate::args::{self, DeploymentsCommand, Manner};
use crate::author;
use crate::exit::WaitError;
use crate::load::{Loaded, load};
use crate::plugins::short;
use crate::say::{note, time_of};

/// Lists or changes deployments.
///
/// # Errors
/// They can't be read, or the change is refused.
pub fn deployments(command: &DeploymentsCommand) -> Result<()> {
    match command {
        DeploymentsCommand::List { app, json } => with(app, |control, _| list(control, *json)),
        DeploymentsCommand::Show { app, json, generation } => {
            with(app, |control, _| show::show(control, *generation, *json))
        }
        DeploymentsCommand::Rollback { app, plugin, to, manner } => with(app, |control, loaded| {
            let deployments = control.deployments()?;
            let plugin = chosen(&deployments, plugin.as_deref(), loaded)?;
            if let Some(trial) = deployments.on_trial(&plugin) {
                return trials::end(control, (&plugin, trial.generation), *to, manner);
            }
            check_state(control, &deployments, &plugin, *to)?;
            let act = Act::Rollback { replaces: active(&deployments, &plugin), plugin, to: *to };
            if !control.runs()? {
                // No process would notice that the version doesn't fit the pipeline before the next start.
                let mut after = deployments.clone();
                after.apply(&act, &author::here(String::new()))?;
                check_together(control, &after, &loaded.plugins)?;
            }
            change(control, &act, manner)
        }),
        DeploymentsCommand::Abort { app, note } => with(app, |control, _| trials::abort(control, note)),
        DeploymentsCommand::Promote { app, plugin, full, manner } => {
            with(app, |control, _| trials::promote(control, plugin.as_deref(), *full, manner))
        }
        DeploymentsCommand::Pause { app, plugin } => {
            with(app, |control, _| trials::pause(control, plugin.as_deref(), true))
        }
        DeploymentsCommand::Resume { app, plugin } => {
            with(app, |control, _| trials::resume(control, plugin.as_deref()))
        }
        DeploymentsCommand::Finalize { app, plugin, rewrite, rate, manner } => with(app, |control, loaded| {
            let deployments = control.deployments()?;
            let plugin = chosen(&deployments, plugin.as_deref(), loaded)?;
            let before = deployments.active(&plugin).and_then(|active| active.rewrite).map(|rewrite| rewrite.rate);
            if *rewrite && before.is_none() && has_newest_state_only(&deployments, &plugin) {
                note(format_args!(
                    "all state of `{plugin}` is in the versions that it writes: there is nothing to rewrite"
                ));
                return Ok(());
            }
            let rewrite = rewrite.then(|| Rewrite::at(rate.or(before).unwrap_or(REWRITE_RATE)));
            let replaces = active(&deployments, &plugin);
            change(control, &Act::Finalize { replaces, plugin: plugin.clone(), rewrite }, manner)?;
            if rewrite.is_some() && manner.wait { rewritten(control, &plugin) } else { Ok(()) }
        }),
    }
}

fn with(app: &args::App, act: impl FnOnce(&Control<'_>, &Loaded) -> Result<()>) -> Result<()> {
    let loaded = load(&app.pipeline)?;
    act(&Control::open(&loaded.topology, &app.at)?, &loaded)
}

fn change(control: &Control<'_>, act: &Act, manner: &Manner) -> Result<()> {
    let generations = control.change(act, &author::here(manner.note.clone()), &Components::new())?;
    done(control, (&generations, false), manner)
}

/// Whether a plugin writes its newest state versions, and all of its state is in these.
fn has_newest_state_only(deployments: &AppDeployments, plugin: &str) -> bool {
    let record = deployments.plugins.get(plugin).and_then(|record| Some((record, record.active()?)));
    record.is_some_and(|(record, active)| active.older_writes().is_empty() && !record.has_older_state())
}

/// Fails if a rewriting that was waited for hasn't come to its end, or has left entries.
fn rewritten(control: &Control<'_>, plugin: &str) -> Result<()> {
    let deployments = control.deployments()?;
    let Some(active) = deployments.active(plugin) else { return Ok(()) };
    if active.rewrite.is_some() {
        bail!(WaitError::UnderWay("no process of the app runs: it rewrites its state when one does".into()));
    }
    match &active.rewritten {
        Some(counts) if !counts.left.is_empty() => bail!(WaitError::Aborted(counts.verdict())),
        _ => Ok(()),
    }
}

/// The active generation of a plugin.
fn active(deployments: &AppDeployments, plugin: &str) -> u32 {
    deployments.active(plugin).map_or(0, |active| active.generation)
}

/// Refuses a rollback to code that can't read the state; the error names the stores whose entries are in its way.
fn check_state(control: &Control<'_>, deployments: &AppDeployments, plugin: &str, to: Option<u32>) -> Result<()> {
    let unreadable = deployments.unreadable_after_rollback(plugin, to)?;
    let mut in_the_way = Vec::new();
    for (store, versions) in &unreadable {
        let entries = control.entries_by_version(&names_of(control.topology(), plugin, store))?;
        for version in versions {
            let count = entries.get(version).copied().unwrap_or(0);
            in_the_way.push(format!("{count} entries of version {version} in the store `{store}`"));
        }
    }
    if in_the_way.is_empty() {
        return Ok(());
    }
    bail!(
        "plugin `{plugin}`: the code of that generation can't read the state: in the way are {}. Deploy a version that reads \
         these, or go on with the active one",
        in_the_way.join(", ")
    )
}

/// The plugin of a command: otherwise the one that was deployed last.
fn chosen(deployments: &AppDeployments, plugin: Option<&str>, loaded: &Loaded) -> Result<String> {
    if let Some(plugin) = plugin {
        return Ok(plugin.to_owned());
    }
    let names = loaded.topology.plugins.iter().map(|plugin| &plugin.name);
    let last = names.max_by_key(|name| deployments.active(name).map(|active| active.generation));
    last.cloned().context("the pipeline has no plugin")
}

/// All deployments that are kept, by their generations.
fn all(deployments: &AppDeployments) -> Vec<(&str, &Deployment)> {
    let of = deployments
        .plugins
        .iter()
        .flat_map(|(plugin, record)| record.deployments.iter().map(move |it| (plugin.as_str(), it)));
    let mut all: Vec<_> = of.collect();
    all.sort_by_key(|(_, deployment)| deployment.generation);
    all
}

fn list(control: &Control<'_>, json: bool) -> Result<()> {
    let (deployments, instances) = control.watch()?;
    if json {
        all(&deployments).into_iter().for_each(|it| note(show::json_of(it)));
        return Ok(());
    }
    let mut rows = vec![
        ["generation", "plugin", "component", "status", "cause", "by", "at", "note", "verdict"].map(str::to_owned),
    ];
    for (plugin, it) in all(&deployments) {
        let (generation, component, at) = (it.generation.to_string(), short(&it.component), time_of(it.at));
        let (status, cause, outcome) = (show::status_of(it), it.cause.name(), it.outcome());
        rows.push([&generation, plugin, component, &status, cause, &it.by, &at, &it.note, &outcome].map(str::to_owned));
    }
    for row in aligned(&rows) {
        note(row);
    }
    for instance in &instances {
        let running = instance.note.as_ref().map(|note| show::running(&deployments, note));
        let refused = instance.note.as_ref().and_then(|note| note.refused.as_ref());
        let refused =
            refused.map(|refused| format!("; it can't run a newer one: {}", refused.reason)).unwrap_or_default();
        note(format_args!(
            "process {} runs {}{refused}",
            wait::name(instance),
            running.as_deref().unwrap_or("nothing yet")
        ));
    }
    Ok(())
}

/// Lines with aligned columns.
fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
