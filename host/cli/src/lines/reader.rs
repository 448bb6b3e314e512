//! A file of lines.

use std::io::{self, BufRead, Read};

use millrace_engine::size::shown;

use super::{KeyCodecs, Line, LineError, parse};

/// Why reading a line failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input can't be read: check the file.
    #[error("the input can't be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not a record: correct the input.
    #[error("{}{error}", prefix(input))]
    Line {
        /// The file; none for standard input.
        input: Option<String>,
        /// The mistake in the line.
        error: LineError,
    },
}

/// The name of a file, in front of a message about one of its lines.
fn prefix(file: &Option<String>) -> String {
    file.as_ref().map(|file| format!("{file}, ")).unwrap_or_default()
}

/// The byte order mark that some editors put before the first line of a file in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The longest line, in bytes: longer than the largest record in base64, and small enough for memory.
const LINE_LIMIT_BYTES: u64 = 256 << 20;

/// Reads records line by line. Skips empty lines, and a byte order mark before a line: files that were concatenated may
/// have one in the middle.
pub struct LineReader<R> {
    input: R,
    file: Option<String>,
    buffer: Vec<u8>,
    number: u64,
    limit: u64,
}

impl<R: BufRead> LineReader<R> {
    /// A reader of this input.
    pub fn new(input: R) -> Self {
        Self::with_limit(input, LINE_LIMIT_BYTES)
    }

    /// A reader that refuses lines of more than `limit` bytes.
    pub(super) fn with_limit(input: R, limit: u64) -> Self {
        Self { input, file: None, buffer: Vec::new(), number: 0, limit }
    }

    /// The same with the name of its file, for messages.
    #[must_use]
    pub fn of_file(self, name: String) -> Self {
        Self { file: Some(name), ..self }
    }

    /// The next record; `None` at the end. After a wrong line, the next call continues with the line after it.
    ///
    /// # Errors
    /// When the input can't be read, or the line is not a record.
    pub fn read(&mut self, codecs: &KeyCodecs) -> Result<Option<Line<'_>>, ReadError> {
        loop {
            self.buffer.clear();
            // One more byte, for the line end.
            let read = self.input.by_ref().take(self.limit + 1).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if read as u64 > self.limit && !self.buffer.ends_with(b"\n") {
                let error = self.too_long()?;
                return Err(ReadError::Line { input: self.file.clone(), error });
            }
            if self.buffer.starts_with(MARK) {
                self.buffer.drain(..MARK.len());
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        let line = parse(self.buffer.trim_ascii(), self.number, codecs);
        line.map(Some).map_err(|error| ReadError::Line { input: self.file.clone(), error })
    }

    /// Skips the rest of a line that is too long.
    fn too_long(&mut self) -> Result<LineError, io::Error> {
        self.buffer = Vec::new();
        loop {
            let rest = self.input.fill_buf()?;
            let (length, ends) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (rest.len(), rest.is_empty()),
            };
            self.input.consume(length);
            if ends {
                break;
            }
        }
        let (line, limit) = (self.number, shown(usize::try_from(self.limit).unwrap_or(usize::MAX)));
        let help = "each record is a line of its own: look for the line ends".into();
        Ok(LineError { line, field: None, reason: format!("it has more than {limit}"), help })
    }

    /// The place of the last line that was read, for messages.
    pub fn place(&self) -> String {
        format!("{}line {}", prefix(&self.file), self.number)
    }

    /// Number of the last line that was read, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }
}
