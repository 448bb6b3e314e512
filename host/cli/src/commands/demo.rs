//! `millrace demo`: runs a sample through its pipeline, and shows the results.

mod business;
mod embedded;
mod kafka;
mod look;
mod report;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::args;
use crate::load::load;

/// The longest time from a record to its committed result.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// Loads the sample, runs the pipeline, and shows the results.
///
/// # Errors
/// The pipeline or the sample is missing or wrong, or the data folder or the cluster is.
pub fn demo(arguments: &args::Demo) -> Result<()> {
    let pipeline = arguments.pipeline();
    if !pipeline.exists() {
        let path = pipeline.display();
        bail!(
            "{path} doesn't exist: run the demo from the folder of the project, or name the files with --pipeline and --in"
        );
    }
    // Settings of the command line override those of the pipeline file.
    let set = arguments.set.all()?.into_iter().map(|(name, value)| (format!("kafka.{name}"), value)).collect();
    let files = vec![pipeline];
    let loaded = load(&args::Pipeline { files, set, set_file: Vec::new(), more: Vec::new() })?;
    match &arguments.kafka {
        None => embedded::demo(arguments, &loaded),
        Some(bootstrap) => kafka::demo(arguments, &loaded, bootstrap),
    }
}

/// Empties the folder of an earlier demo; refuses any other.
fn empty(data: &Path) -> Result<()> {
    if !data.exists() {
        return Ok(());
    }
    let app = millrace_kafka::folder::app_of(data)?;
    if let Some(app) = app.filter(|app| app != kafka::APP) {
        bail!("{} isn't the folder of a demo: it belongs to the app `{app}`", data.display());
    }
    let mut entries = data.read_dir().with_context(|| format!("{}: can't be read", data.display()))?;
    let ours = ["db", "inbox", "catalog.json", "instance.json"];
    let is_ours = |name: &std::ffi::OsStr| ours.iter().any(|ours| name == *ours);
    if let Some(other) = entries.find_map(|entry| entry.ok().filter(|entry| !is_ours(&entry.file_name()))) {
        bail!("{} isn't the folder of a demo: it has {}", data.display(), other.path().display());
    }
    std::fs::remove_dir_all(data).with_context(|| format!("{}: can't be emptied", data.display()))
}
