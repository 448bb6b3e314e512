//! `millrace check`: mistakes in pipeline files, and what would become of an app's state.

use anyhow::{Result, bail};
use millrace_embedded::deploy;
use millrace_engine::contents::{Contents, StateChange};
use millrace_kafka::deployments::Deployments;
use millrace_kafka::records::Connection;

use crate::args;
use crate::data;
use crate::load::load;
use crate::say::note;

/// The command that deletes state which no step of an app on Kafka uses.
const ON_KAFKA: &str = "; to delete the state, run `millrace topics gc` once the app has run with these files";

/// Checks a pipeline.
///
/// # Errors
/// It has mistakes, or a step would misread the state that is there.
pub(super) fn check(arguments: &args::Check) -> Result<()> {
    let loaded = load(&arguments.pipeline)?;
    let topology = &loaded.topology;
    let (changes, deletion) = match (&arguments.kafka, &arguments.against) {
        (Some(bootstrap), _) => {
            let connection = Connection::open(&topology.app, bootstrap, &topology.kafka)?;
            (Deployments::of(&connection, &topology.app)?.state_changes(topology)?, ON_KAFKA)
        }
        (None, Some(folder)) => (deploy::state_changes(&data::open_to_read(folder)?.1, topology)?, ""),
        (None, None) => return Ok(()),
    };
    let mut refused = Vec::new();
    for (store, Contents { step, entries, .. }, change) in changes {
        match change {
            StateChange::Kept => note(format_args!("step `{step}` keeps its state in `{store}`")),
            StateChange::Empty => note(format_args!("step `{step}` begins with empty state in `{store}`")),
            StateChange::Orphan => note(format_args!(
                "no step uses the state in `{store}`, of {entries} in step `{step}`: if the step was renamed, give it its \
                 old name to keep the state{deletion}"
            )),
            StateChange::Refused(changed) => refused.push(changed.to_string()),
        }
    }
    if !refused.is_empty() {
        bail!(refused.join("\n"));
    }
    Ok(())
}
