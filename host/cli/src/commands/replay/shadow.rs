//! `replay --shadow`: another version of a plugin gets the calls of the one in the files, and its outcomes are compared.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use millrace_engine::canary::ALL;
use millrace_engine::deployment::{Act, AppDeployments, Author, Candidate, PluginLoader, ShadowPlan, Trial};
use millrace_engine::logic::Logic;
use millrace_engine::shadow::{Ignore, ShadowReport, Unlimited};
use millrace_engine::topology::DeployOnStart;

use crate::args;
use crate::commands::deploy::settings;
use crate::commands::shadow_report;
use crate::exit::WaitError;
use crate::load::{Loaded, load};
use crate::plugins::Guests;
use crate::say::say;

/// The plugins of the files, with a shadow beside them. The shadow gets the state versions that it would get when it is
/// deployed.
pub(super) fn shadow(arguments: &args::Replay, loaded: &Loaded) -> Result<Guests> {
    for pattern in &arguments.ignore {
        Ignore::parse(pattern).map_err(|reason| anyhow!("--ignore: {reason}"))?;
    }
    let other = load(&arguments.pipeline.with(settings(&arguments.shadow, &arguments.config, "--shadow")?))?;
    let names: Vec<_> = arguments.shadow.iter().map(|(name, _)| name).collect();
    let (mut app, author) = (AppDeployments::default(), Author::default());
    for candidate in loaded.plugins.candidates() {
        app.start(&candidate, DeployOnStart::New, &author)?;
    }
    let shadows = other.plugins.candidates().into_iter().filter(|candidate| names.contains(&&candidate.name));
    let is_active = |it: &Candidate| app.active(&it.name).is_some_and(|active| active.is_version(it));
    let (same, candidates): (Vec<Candidate>, Vec<_>) = shadows.partition(is_active);
    for Candidate { name, .. } in same {
        say(format_args!("shadow: `{name}` is the version in the files: no result differs"));
    }
    let components = candidates.iter().filter_map(|candidate| other.plugins.component(&candidate.component));
    loaded.plugins.add_all(components.collect());
    let trial = Some(Trial::Shadow(ShadowPlan { share: ALL, budget: ALL, ignore: arguments.ignore.clone() }));
    let staged = app.apply(&Act::Stage { candidates, trial }, &author).context("--shadow")?;
    app.apply(&Act::Activate(staged), &author)?;
    let plugins = app.load(&loaded.topology, loaded.plugins.as_ref()).map_err(|reason| anyhow!(reason))?;
    let mut guests = loaded.plugins.guests_with(Box::new(Unlimited));
    guests.adopt(&plugins);
    Ok(guests)
}

/// Prints the report, and writes it to a file if one is given.
///
/// # Errors
/// The file can't be written; or there is a difference: [`WaitError::Aborted`].
pub(super) fn report(report: &ShadowReport, file: Option<&PathBuf>) -> Result<()> {
    if let Some(file) = file {
        let text = serde_json::to_string(report)?;
        std::fs::write(file, format!("{text}\n")).with_context(|| format!("{}: can't be written", file.display()))?;
    }
    shadow_report::lines(report).iter().for_each(say);
    let ShadowReport { compared, equal, unfinished, .. } = report;
    let different = compared - equal;
    if *unfinished > 0 {
        bail!("the shadow hasn't processed {unfinished} records: the host failed");
    }
    if different > 0 {
        bail!(WaitError::Aborted(format!("the shadow differs in {different} of {compared} results")));
    }
    Ok(())
}
