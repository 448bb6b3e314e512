//! `millrace reset`: an app on Kafka starts anew.

use std::io::{self, Write};

use anyhow::{Result, bail};
use millrace_kafka::records::Connection;
use millrace_kafka::reset::Reset;

use super::agreement::agreed;
use crate::args;

/// Shows what there is of an app, asks, and deletes it.
///
/// # Errors
/// The app is running, the folder isn't its own, nobody agrees, or a broker refuses.
pub fn reset(arguments: &args::Reset) -> Result<()> {
    let args::Reset { app, kafka, set, data, yes } = arguments;
    let mut connection = Connection::open(app, kafka, &set.settings)?;
    let reset = Reset::plan(&connection, app, data.as_deref())?;
    let mut out = io::stdout().lock();
    if reset.is_empty() {
        return Ok(writeln!(out, "nothing to reset: there is nothing of the app `{app}`")?);
    }
    let parts = reset.parts();
    writeln!(out, "To be deleted:")?;
    for part in &parts {
        writeln!(out, "  {part}")?;
    }
    writeln!(out, "What the app reads from others and writes for others stays, its dead letters too.")?;
    out.flush()?;
    if !yes && !agreed(app, "nothing was deleted")? {
        bail!("nothing was deleted");
    }
    reset.run(&mut connection)?;
    let without_folder = if data.is_none() { "; what instances keep on disk is of no more use to them" } else { "" };
    Ok(writeln!(out, "deleted: `{app}` starts anew, with the first records of its inputs{without_folder}")?)
}
