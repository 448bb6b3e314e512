//! `millrace topic write`: lines as records.

use std::error::Error as StdError;
use std::io::BufRead;
use std::ops::ControlFlow;

use anyhow::{Context, Result, bail};
use millrace_embedded::run::wall_clock;
use millrace_engine::manifest::KeyCodec;
use millrace_topics::{OutgoingRecord, Receipt, Topics, Writer};

use super::outcome;
use crate::lines::{KeyCodecs, Line, LineReader};
use crate::say::say;

/// A batch has at most this many records: where a line is wrong, nothing of its batch is written.
const BATCH_RECORDS: usize = 10_000;

/// A batch takes at most this much memory, or has one record.
const BATCH_BYTES: usize = 16 << 20;

/// Writes the records of the input, and tells how many there were.
pub(super) fn write<E: StdError + Send + Sync + 'static>(
    topics: &mut dyn Topics<Error = E>,
    topic: Option<&str>,
    input: LineReader<impl BufRead>,
    key: Option<KeyCodec>,
) -> Result<()> {
    let receipt = write_all(topics, topic, input, key)?;
    let (sent, moved) = (receipt.sent, receipt.timestamps_moved);
    match receipt.handed_over {
        true => say(format_args!("{sent} records handed to the app that runs on this folder")),
        false => say(format_args!("{sent} records written")),
    }
    if moved > 0 {
        say(format_args!("{moved} of them with the timestamp 1 in place of 0, which the client takes for now"));
    }
    Ok(())
}

/// Writes all records; where that fails, the error says which lines are in the topics and which aren't.
pub(in crate::commands) fn write_all<E: StdError + Send + Sync + 'static>(
    topics: &mut dyn Topics<Error = E>,
    topic: Option<&str>,
    reader: LineReader<impl BufRead>,
    key: Option<KeyCodec>,
) -> Result<Receipt> {
    topic.map_or(Ok(0), |topic| topics.partitions(topic))?;
    let codecs: KeyCodecs = match topics.key_codecs()? {
        Some(recorded) => recorded.into_iter().map(|(name, codec)| (name, key.or(codec).unwrap_or_default())).collect(),
        None => KeyCodecs::same(key),
    };
    let mut lines = Lines { reader, codecs: codecs.with_default_topic(topic), topic };
    let mut writer = topics.writer()?;
    let stopped = write_batches(&mut lines, &mut *writer);
    outcome::judge(writer.finish(), stopped)
}

/// Writes batches until the input ends, or a line is wrong, or a record is known not to have been written.
fn write_batches<E: StdError + Send + Sync + 'static>(
    lines: &mut Lines<'_, impl BufRead>,
    writer: &mut dyn Writer<Error = E>,
) -> Result<()> {
    while lines.add_batch(writer)? {
        if let ControlFlow::Break(()) = writer.flush()? {
            break;
        }
    }
    Ok(())
}

/// Lines of input.
struct Lines<'a, R> {
    reader: LineReader<R>,
    codecs: KeyCodecs,
    /// The topic of the command, if it names one.
    topic: Option<&'a str>,
}

impl<R: BufRead> Lines<'_, R> {
    /// Adds the next records to a writer. Tells whether there were any.
    fn add_batch<E: StdError + Send + Sync + 'static>(&mut self, writer: &mut dyn Writer<Error = E>) -> Result<bool> {
        let (mut records, mut bytes) = (0, 0);
        while records < BATCH_RECORDS && bytes < BATCH_BYTES {
            let Some(line) = self.reader.read(&self.codecs)? else { break };
            let record = record_of(line, self.topic);
            let number = self.reader.number();
            let added = record.and_then(|record| {
                bytes += record.held();
                Ok(writer.add(OutgoingRecord { line: number, ..record })?)
            });
            added.with_context(|| self.reader.place())?;
            records += 1;
        }
        Ok(records > 0)
    }
}

/// The record of a line. A line for another topic than that of the command is a mistake.
fn record_of(line: Line<'_>, wanted: Option<&str>) -> Result<OutgoingRecord> {
    let headers = line.all_headers();
    let Line { topic, partition, key, value, timestamp, .. } = line;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != topic) {
        bail!("it is for topic `{topic}`, but the command writes to `{wanted}`");
    }
    let timestamp = timestamp.unwrap_or_else(wall_clock);
    Ok(OutgoingRecord { line: 0, topic: topic.into_owned(), partition, key, value, timestamp, headers })
}
