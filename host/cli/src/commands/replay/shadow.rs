//! `replay --shadow`: another version of a plugin gets the calls of the one in the files, and its outcomes are compared.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use millrace_engine::deployment::{Act, AppDeployments, Author, Candidate, Deployment, PluginLoader, Wanted};
use millrace_engine::shadow::{GroupKey, Ignore, Sample, ShadowGroup, ShadowLogic, ShadowReport};
use millrace_engine::topology::DeployOnStart;
use millrace_plugin::GuestInstances;
use serde_json::json;

use crate::args;
use crate::commands::deploy::settings;
use crate::exit::WaitError;
use crate::load::{Loaded, load};
use crate::say::say;

/// Samples of a group that are shown; the file of `--shadow-report` has more.
const SHOWN: usize = 3;

/// The calls of a replay, with a shadow.
pub(super) type Shadow = ShadowLogic<GuestInstances>;

/// Sets up a shadow beside the versions in the files. It gets the state versions that it would get when it is deployed.
pub(super) fn shadow(arguments: &args::Replay, loaded: &Loaded) -> Result<Shadow> {
    let patterns = arguments.ignore.iter().map(|text| Ignore::parse(text)).collect::<Result<_, _>>();
    let ignore = patterns.map_err(|reason| anyhow!("--ignore: {reason}"))?;
    let other = load(&arguments.pipeline.with(settings(&arguments.shadow, &arguments.config, "--shadow")?))?;
    let names: Vec<_> = arguments.shadow.iter().map(|(name, _)| name).collect();
    let (mut app, author) = (AppDeployments::default(), Author::default());
    for candidate in loaded.plugins.candidates() {
        app.start(&candidate, DeployOnStart::New, &author)?;
    }
    let shadows = other.plugins.candidates().into_iter().filter(|candidate| names.contains(&&candidate.name));
    let shadows: Vec<Candidate> = shadows.collect();
    let components = shadows.iter().filter_map(|candidate| other.plugins.component(&candidate.component));
    loaded.plugins.add_all(components.collect());
    let mut staged = app.clone();
    staged.apply(&Act::Stage(shadows), &author).context("--shadow")?;
    let plugins = |app: &AppDeployments, deployment: fn(&AppDeployments, &str) -> Option<Deployment>| {
        let names = loaded.topology.plugins.iter().map(|plugin| plugin.name.as_str());
        let all: Vec<_> = names.filter_map(|name| Some((name, deployment(app, name)?))).collect();
        let wanted: Vec<_> = all.iter().map(|(plugin, deployment)| Wanted { plugin, deployment }).collect();
        loaded.plugins.load(&wanted).map_err(|reason| anyhow!(reason))
    };
    let active = plugins(&app, |app, name| app.active(name).cloned())?;
    let shadow = plugins(&staged, |app, name| app.active_or_staged(name).cloned())?;
    Ok(ShadowLogic::new(loaded.guests(), &active, &shadow, ignore))
}

/// Prints the report, and writes it to a file if one is given.
///
/// # Errors
/// The file can't be written; or there is a difference: [`WaitError::Aborted`].
pub(super) fn report(report: &ShadowReport, file: Option<&PathBuf>) -> Result<()> {
    if let Some(file) = file {
        let text = json_of(report).to_string();
        std::fs::write(file, format!("{text}\n")).with_context(|| format!("{}: can't be written", file.display()))?;
    }
    let ShadowReport { compared, equal, ignored, skipped, groups, .. } = report;
    let different = compared - equal;
    say(format_args!("shadow: {compared} results compared, {equal} equal, {different} different"));
    if *ignored > 0 {
        say(format_args!("  {ignored} differences ignored"));
    }
    for (GroupKey { function, class, place }, ShadowGroup { records, samples }) in groups {
        let space = if place.is_empty() { "" } else { " " };
        say(format_args!("  {function}: {}{space}{place} differs in {records} results, such as", class.name()));
        for Sample { input, key, value, timestamp, old, new } in samples.iter().take(SHOWN) {
            let (key, value) = (key.as_deref().unwrap_or("null"), value.as_deref().unwrap_or("null"));
            say(format_args!("    {old} -> {new}   for key {key}, value {value}, timestamp {timestamp}, from {input}"));
        }
    }
    if *skipped > 0 {
        bail!("the shadow hasn't processed {skipped} records: the host failed");
    }
    if different > 0 {
        bail!(WaitError::Aborted(format!("the shadow differs in {different} of {compared} results")));
    }
    Ok(())
}

/// The report for programs: the same bytes for the same input.
fn json_of(report: &ShadowReport) -> serde_json::Value {
    let ShadowReport { compared, equal, ignored, skipped, groups, .. } = report;
    let group = |(key, group): (&GroupKey, &ShadowGroup)| {
        let GroupKey { function, class, place } = key;
        json!({
            "function": function, "class": class, "place": place, "records": group.records, "samples": group.samples,
        })
    };
    let groups: Vec<_> = groups.iter().map(group).collect();
    json!({"compared": compared, "equal": equal, "ignored": ignored, "skipped": skipped, "groups": groups})
}
