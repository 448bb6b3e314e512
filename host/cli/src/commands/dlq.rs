//! `millrace dlq`: dead letters, of Millrace and of others.

mod groups;
mod list;
mod reading;
mod show;

use anyhow::Result;

use crate::args::DlqCommand;

/// Runs a command on dead letters.
///
/// # Errors
/// A topic or a letter isn't there, or can't be read.
pub fn dlq(command: &DlqCommand) -> Result<()> {
    match command {
        DlqCommand::Groups { letters, json } => groups::groups(letters, *json),
        DlqCommand::List { letters, limit, json } => list::list(letters, limit.unwrap_or(u64::MAX), *json),
        DlqCommand::Export { letters, limit } => list::export(letters, limit.unwrap_or(u64::MAX)),
        DlqCommand::Show { id, place, key, json } => show::show(id, place, key.map(Into::into), *json),
    }
}
