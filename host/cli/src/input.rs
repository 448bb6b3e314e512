//! The input of a command: a file or standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::lines::LineReader;
use crate::say::say;

/// Opens a file; standard input without one, or if its name is `-`.
///
/// # Errors
/// The file can't be read.
pub(crate) fn open(path: Option<&Path>) -> Result<LineReader<Box<dyn BufRead>>> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
        let input = io::stdin().lock();
        if input.is_terminal() {
            say("reading records from standard input, up to Ctrl-D");
        }
        return Ok(LineReader::new(Box::new(input)));
    };
    let name = path.display().to_string();
    if path.is_dir() {
        bail!("{name}: it is a folder, where a file of records is needed");
    }
    let file = File::open(path).with_context(|| format!("{name}: can't be read"))?;
    let lines: Box<dyn BufRead> = Box::new(BufReader::with_capacity(1 << 16, file));
    Ok(LineReader::new(lines).of_file(name))
}
