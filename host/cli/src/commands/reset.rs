//! `millrace reset`: lets an app on Kafka start from the beginning.

use anyhow::{Result, bail};
use millrace_kafka::records::Connection;
use millrace_kafka::reset::Reset;

use super::agreement::agreed;
use crate::args;
use crate::say::note;

/// Lists what belongs to an app, asks for confirmation, and deletes it.
///
/// # Errors
/// The app is running, the folder isn't its own, nobody agrees, or a broker refuses.
pub fn reset(arguments: &args::Reset) -> Result<()> {
    let args::Reset { app, kafka, set, data, yes } = arguments;
    let mut connection = Connection::open(app, kafka, &set.all()?)?;
    let reset = Reset::plan(&connection, app, data.as_deref())?;
    if reset.is_empty() {
        note(format_args!("nothing to reset: there is nothing of the app `{app}`"));
        return Ok(());
    }
    note("To be deleted:");
    reset.parts().iter().for_each(|part| note(format_args!("  {part}")));
    note("What the app reads from others and writes for others stays, its dead letters too.");
    if !yes && !agreed(app, "nothing was deleted")? {
        bail!("nothing was deleted");
    }
    reset.run(&mut connection)?;
    let without_folder = if data.is_none() { "; what instances keep on disk is of no more use to them" } else { "" };
    note(format_args!("deleted: `{app}` starts anew, with the first records of its inputs{without_folder}"));
    Ok(())
}
