//! Asks for confirmation before a change that can't be undone.

use std::io::{self, IsTerminal};

use anyhow::{Result, bail};

use crate::say::ask;

/// Asks for the app's name, and returns whether it was typed. `nothing` is the text for a refusal without a terminal.
pub(super) fn agreed(app: &str, nothing: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask on: say --yes; {nothing}");
    }
    ask("Type the app's name to go on: ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == app)
}
