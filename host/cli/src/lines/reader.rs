//! A file of lines.

use std::io::{self, BufRead};

use super::{KeyCodecs, Line, LineError, parse};

/// Reading lines has failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input can't be read: the file is to be looked at.
    #[error("the input can't be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not a record: the input is to be mended.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// The byte order mark that some editors put before the first line of a file in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads records line by line. Empty lines are passed over, and so is a byte order mark.
pub struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Reader<R> {
    /// A reader of this input.
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), number: 0 }
    }

    /// The next record; `None` at the end. Another call after a line that is wrong goes on with the line after it.
    ///
    /// # Errors
    /// When the input can't be read, or the line is not a record.
    pub fn read(&mut self, codecs: &KeyCodecs) -> Result<Option<Line<'_>>, ReadError> {
        loop {
            self.buffer.clear();
            if self.input.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.number == 1 && self.buffer.starts_with(MARK) {
                self.buffer.drain(..MARK.len());
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(parse(self.buffer.trim_ascii(), self.number, codecs)?))
    }

    /// Number of the line read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }
}
