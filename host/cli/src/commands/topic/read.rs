//! `millrace topic read`: records as lines.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use anyhow::Result;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::InputRecord;
use millrace_topics::{Selection, Topics};

use crate::lines::{self, Line};
use crate::say::say;

/// Prints the selected records.
pub(super) fn read<E: StdError + Send + Sync + 'static>(
    topics: &mut dyn Topics<Error = E>,
    selection: &Selection<'_>,
    key: Option<KeyCodec>,
) -> Result<()> {
    let recorded =
        || Ok::<_, E>(topics.key_codecs()?.and_then(|codecs| codecs.get(selection.topic).copied().flatten()));
    let codec = key.map_or_else(recorded, |key| Ok(Some(key)))?;
    let mut printer =
        Printer { topic: selection.topic, codec, line: Vec::new(), out: BufWriter::new(io::stdout().lock()) };
    let mut printed = Ok(());
    let uncommitted = topics.read(selection, &mut |partition, record| {
        printed = printer.print(partition, record);
        if printed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    printed?;
    if uncommitted > 0 {
        say(format_args!(
            "{uncommitted} more offsets aren't committed yet: they belong to an open transaction, or come after one"
        ));
    }
    Ok(printer.out.flush()?)
}

/// Prints records, one a line.
struct Printer<'a, W> {
    topic: &'a str,
    codec: Option<KeyCodec>,
    /// The line of the last record: kept for its allocation.
    line: Vec<u8>,
    out: W,
}

impl<W: Write> Printer<'_, W> {
    fn print(&mut self, partition: u32, record: InputRecord) -> Result<()> {
        self.line.clear();
        let InputRecord { key, value, timestamp, headers, .. } = record;
        let (topic, partition, timestamp) = (Cow::Borrowed(self.topic), Some(partition), Some(timestamp));
        let line = Line { topic, partition, key, value, timestamp, headers, window: None };
        lines::print(&mut self.line, &line.with_own_window(), self.codec)?;
        Ok(self.out.write_all(&self.line)?)
    }
}
