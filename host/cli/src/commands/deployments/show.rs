//! `millrace deployments show`: all of a deployment, with the results of its trial.

use anyhow::{Context, Result};
use millrace_embedded::run::wall_clock;
use millrace_engine::deployment::{AppDeployments, Deployment, Flood, Status, Trial};
use millrace_kafka::InstanceNote;
use serde_json::json;

use super::all;
use crate::commands::deploy::control::Control;
use crate::commands::deploy::percent;
use crate::say::note;

/// The status of a deployment, for people: that of a canary with the share of keys.
pub(super) fn status_of(deployment: &Deployment) -> String {
    match (&deployment.trial, deployment.status) {
        (Some(Trial::Canary(plan)), Status::Canary) => {
            let paused = if plan.paused { ", paused" } else { "" };
            format!("canary {}{paused}", percent(plan.weight()))
        }
        (_, Status::Active) if deployment.flood == Flood::Held => "active, held".to_owned(),
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
pub(super) fn show(control: &Control<'_>, generation: Option<u32>) -> Result<()> {
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
    let mut shown = json_of(*found);
    let (plugin, deployment) = found;
    if let (Some(members), Some(trial)) = (shown.as_object_mut(), &deployment.trial) {
        match trial {
            Trial::Canary(plan) if deployment.status == Status::Canary => {
                let counts = control.canary_counts()?.remove(*plugin).unwrap_or_default();
                let verdict = plan.judge(&counts, wall_clock());
                members.insert("counts".into(), json!(counts));
                members.insert("judged".into(), json!({"verdict": verdict.name(), "reason": verdict.reason()}));
            }
            Trial::Canary(_) => {}
            Trial::Shadow(_) => {
                members.insert("report".into(), json!(control.shadow_report(deployment.generation)?));
            }
        }
    }
    note(format_args!("{shown:#}"));
    Ok(())
}
