//! `millrace deployments show`: all of a deployment, with the results of its trial.

use anyhow::{Context, Result};
use millrace_embedded::run::wall_clock;
use millrace_engine::deployment::{
    AppDeployments, Deployment, Flood, Left, RewriteCounts, Status, StoreVersions, Trial, TrialCounts, Verdict,
};
use millrace_kafka::InstanceNote;
use serde_json::json;

use super::all;
use crate::commands::deploy::control::Control;
use crate::commands::deploy::percent;
use crate::commands::shadow_report;
use crate::say::{note, time_of};

/// The status of a deployment, for people: that of a canary with the share of keys.
pub(super) fn status_of(deployment: &Deployment) -> String {
    match (&deployment.trial, deployment.status) {
        (Some(Trial::Canary(plan)), Status::Canary) => {
            let paused = if plan.paused { ", paused" } else { "" };
            format!("canary {}{paused}", percent(plan.weight()))
        }
        (_, Status::Active) if deployment.flood == Flood::Held => "active, held".to_owned(),
        (_, Status::Active) if deployment.rewrite.is_some() => "active, rewriting".to_owned(),
        (_, status) => status.name().to_owned(),
    }
}

/// The versions that a process runs, for people. Notes have the numbers of changes, of which steps of a canary are some.
pub(super) fn running(deployments: &AppDeployments, note: &InstanceNote) -> String {
    let one = |(plugin, at): (&String, &u32)| {
        let record = deployments.plugins.get(plugin)?;
        let active = record.active()?.generation;
        Some(match (*at >= record.reached(), record.on_trial()) {
            (false, _) => format!("`{plugin}` as it was before the last change"),
            (true, None) => format!("`{plugin}` generation {active}"),
            (true, Some(trial)) => {
                format!("`{plugin}` generation {active}, and {} as {}", trial.generation, status_of(trial))
            }
        })
    };
    note.running.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}

/// A deployment for programs.
pub(super) fn json_of((plugin, deployment): (&str, &Deployment)) -> serde_json::Value {
    let mut value = json!(deployment);
    if let Some(members) = value.as_object_mut() {
        members.insert("plugin".into(), plugin.into());
        // The config as it is, and not as a text.
        let settings = serde_json::from_str(&deployment.settings).unwrap_or_default();
        members.insert("settings".into(), settings);
    }
    value
}

/// Prints a deployment.
///
/// # Errors
/// There is none, or it can't be read.
pub(super) fn show(control: &Control<'_>, generation: Option<u32>, json: bool) -> Result<()> {
    let deployments = control.deployments()?;
    let all = all(&deployments);
    let found = match generation {
        Some(generation) => all.iter().find(|(_, it)| it.generation == generation),
        None => all.last(),
    };
    let kept = || all.iter().map(|(_, it)| it.generation.to_string()).collect::<Vec<_>>().join(", ");
    let found = found.with_context(|| match generation {
        Some(generation) => format!("generation {generation} isn't kept: kept are {}", kept()),
        None => format!("the app `{}` has never run here", control.app()),
    })?;
    let (plugin, deployment) = *found;
    let canary = canary_of(control, &deployments, plugin, deployment)?;
    let report = match &deployment.trial {
        Some(Trial::Shadow(_)) => control.shadow_report(deployment.generation)?,
        _ => None,
    };
    let rewrites = match deployment.rewrite {
        Some(_) => Some(control.rewrite_counts()?.remove(plugin).unwrap_or_default()),
        None => None,
    };
    if !json {
        print(plugin, deployment, canary.as_ref());
        if let Some(RewriteCounts { looked, rewritten, left }) = &rewrites {
            let rate = deployment.rewrite.map_or(0, |rewrite| rewrite.rate);
            note(format_args!(
                "  so far     {rewritten} entries rewritten, {looked} looked at, at most {rate} a second"
            ));
            for (store, Left { entries, reason }) in left {
                note(format_args!("  left       {entries} of `{store}`, such as {reason}"));
            }
        }
        report.iter().flat_map(shadow_report::lines).for_each(note);
        return Ok(());
    }
    let mut shown = json_of(*found);
    if let Some(members) = shown.as_object_mut() {
        if let Some((counts, verdict)) = canary {
            members.insert("counts".into(), json!(counts));
            members.insert("judged".into(), json!({"verdict": verdict.name(), "reason": verdict.reason()}));
        }
        if let Some(rewrites) = rewrites {
            members.insert("rewrites".into(), json!(rewrites));
        }
        if let Some(report) = report {
            members.insert("report".into(), json!(report));
        }
    }
    note(format_args!("{shown:#}"));
    Ok(())
}

/// The results of a canary in its current step, and the verdict on them; none of what isn't a canary now.
fn canary_of(
    control: &Control<'_>,
    deployments: &AppDeployments,
    plugin: &str,
    deployment: &Deployment,
) -> Result<Option<(TrialCounts, Verdict)>> {
    let Some(Trial::Canary(plan)) = deployment.trial.as_ref().filter(|_| deployment.status == Status::Canary) else {
        return Ok(None);
    };
    let reached = deployments.plugins.get(plugin).map_or(0, |record| record.reached());
    // Those of a step before say nothing of this one.
    let counts = control.canary_counts()?.remove(plugin).filter(|counts| counts.reached == reached);
    let counts = counts.unwrap_or(TrialCounts { reached, ..TrialCounts::default() });
    let verdict = plan.judge(&counts, wall_clock());
    Ok(Some((counts, verdict)))
}

fn print(plugin: &str, it: &Deployment, canary: Option<&(TrialCounts, Verdict)>) {
    note(format_args!("generation {} of plugin `{plugin}`", it.generation));
    let line = |name: &str, value: &str| {
        if !value.is_empty() {
            note(format_args!("  {name:<10} {value}"));
        }
    };
    line("status", &status_of(it));
    line("component", &format!("{} ({} bytes)", it.component, it.size));
    line("config", &it.settings);
    for (store, versions) in &it.stores {
        let StoreVersions { reads, writes, now } = versions;
        line("state", &format!("{store}: reads versions {reads:?}, can write {writes:?}, writes {now}"));
    }
    line("made", &format!("{} by {} ({})", time_of(it.at), it.by, it.cause.name()));
    line("note", &it.note);
    line("verdict", &it.outcome());
    if let Some((_, verdict)) = canary {
        line("so far", &format!("{}: {}", verdict.name(), verdict.reason()));
    }
}
