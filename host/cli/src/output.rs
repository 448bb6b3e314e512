//! The output of a replay.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// Standard output, or a file. The file is replaced when the output is complete; after an error it is unchanged. So it
/// may also be the input.
pub(crate) enum Output {
    /// A stream, written to directly.
    Stream(BufWriter<Box<dyn Write>>),
    /// A temporary file, and the path of the file that it will replace.
    File(BufWriter<NamedTempFile>, PathBuf),
}

impl Output {
    /// Opens a file for writing; without one, standard output.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stream(BufWriter::new(Box::new(io::stdout().lock())))) };
        let failed = || format!("{}: can't be written", path.display());
        // A pipe or a device can't be replaced.
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let file = std::fs::OpenOptions::new().write(true).open(path).with_context(failed)?;
            return Ok(Self::Stream(BufWriter::new(Box::new(file))));
        }
        // If it is a link, its target is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.into());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        folder.metadata().with_context(failed)?;
        let file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder);
        Ok(Self::File(BufWriter::with_capacity(1 << 16, file.with_context(failed)?), path))
    }

    /// Completes the output.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Stream(mut stream) => Ok(stream.flush()?),
            Self::File(file, path) => {
                let failed = || format!("{}: can't be written", path.display());
                let file = file.into_inner().map_err(io::IntoInnerError::into_error).with_context(failed)?;
                file.persist(&path).map_err(|error| error.error).with_context(failed)?;
                Ok(())
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.write(bytes),
            Self::File(file, path) => file.write(bytes).map_err(|error| named(path, &error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.flush(),
            Self::File(file, path) => file.flush().map_err(|error| named(path, &error)),
        }
    }
}

/// The error with the path of the file.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
