//! Asking before something is changed that can't be taken back.

use std::io::{self, IsTerminal};

use anyhow::{Result, bail};

use crate::say::ask;

/// Whether a person agrees, who types the app's name. `nothing` says what hasn't happened without that.
pub(super) fn agreed(app: &str, nothing: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask on: say --yes; {nothing}");
    }
    ask("Type the app's name to go on: ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == app)
}
