//! Where records are read from: a file, or standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};

/// The lines of a file; of standard input without one, or where its name is `-`.
///
/// # Errors
/// The file can't be read.
pub(crate) fn open(path: Option<&Path>) -> Result<Box<dyn BufRead>> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else { return Ok(Box::new(io::stdin().lock())) };
    let file = File::open(path).with_context(|| format!("{}: can't be read", path.display()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}
