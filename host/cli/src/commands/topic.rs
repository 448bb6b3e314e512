//! `millrace topic`: records by hand, in a data folder or on Kafka.

mod folder;
mod kafka;

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::InputRecord;

use crate::args::{At, TopicCommand};
use crate::data;
use crate::input;
use crate::lines::{self, Line};
use crate::say::say;

pub(super) use kafka::write as write_to_kafka;
use kafka::{Written, connect};

/// Records of one write: a mistake in a line before is told with nothing of them written.
const CHUNK: usize = 10_000;

/// Does what is to be done with topics.
///
/// # Errors
/// The data folder or the cluster, the topic or the input is wrong.
pub fn topic(command: TopicCommand) -> Result<()> {
    match command {
        TopicCommand::Read { topic, place, partition, from, limit, key } => {
            let limit = limit.unwrap_or(u64::MAX);
            let wanted = Wanted { topic: &topic, partition, from, limit, key: key.map(KeyCodec::from) };
            let mut out = BufWriter::new(io::stdout().lock());
            match place.at()? {
                At::Folder(folder) => folder::read(&data::folder(folder)?, &wanted, &mut out)?,
                At::Kafka(bootstrap, set) => kafka::read(&connect(bootstrap, &set)?, &wanted, &mut out)?,
            }
            Ok(out.flush()?)
        }
        TopicCommand::Write { topic, place, input, key } => {
            let (topic, input, key) = (topic.as_deref(), input.as_deref(), key.map(KeyCodec::from));
            match place.at()? {
                At::Folder(folder) => folder::write(&data::folder(folder)?, topic, input, key),
                At::Kafka(bootstrap, set) => {
                    let connection = connect(bootstrap, &set)?;
                    let written = kafka::write(&connection, topic, input::open(input)?, key)?;
                    tell(&written);
                    Ok(())
                }
            }
        }
        TopicCommand::List { place } => list(match place.at()? {
            At::Folder(folder) => folder::list(&data::folder(folder)?)?,
            At::Kafka(bootstrap, set) => kafka::list(&connect(bootstrap, &set)?)?,
        }),
        TopicCommand::Create { topic, place, partitions, replication_factor, key, config } => match place.at()? {
            At::Folder(folder) => folder::create(&data::folder(folder)?, &topic, partitions, key.map(Into::into)),
            At::Kafka(bootstrap, set) => {
                Ok(connect(bootstrap, &set)?.create(&topic, (partitions.unwrap_or(1), replication_factor), &config)?)
            }
        },
    }
}

fn tell(written: &Written) {
    say(format_args!("{} records written", written.records));
    if written.moved > 0 {
        let moved = written.moved;
        say(format_args!("{moved} of them with the timestamp 1 in place of 0, which the client takes for now"));
    }
}

/// What is to be read.
struct Wanted<'a> {
    topic: &'a str,
    partition: Option<u32>,
    from: i64,
    limit: u64,
    key: Option<KeyCodec>,
}

/// Prints records, up to a limit.
struct Printer<'a> {
    topic: &'a str,
    codec: Option<KeyCodec>,
    left: u64,
    line: Vec<u8>,
}

impl Printer<'_> {
    fn print(&mut self, partition: u32, record: InputRecord, out: &mut impl Write) -> Result<()> {
        self.left = self.left.saturating_sub(1);
        self.line.clear();
        let InputRecord { key, value, timestamp, headers, .. } = record;
        let (topic, partition, timestamp) = (Cow::Borrowed(self.topic), Some(partition), Some(timestamp));
        let line = Line { topic, partition, key, value, timestamp, headers, window: None };
        lines::print(&mut self.line, &line.with_own_window(), self.codec)?;
        Ok(out.write_all(&self.line)?)
    }
}

/// Prints topics with their numbers of partitions and records.
fn list(topics: Vec<(String, u32, i64)>) -> Result<()> {
    let mut out = io::stdout().lock();
    let width = topics.iter().map(|(name, _, _)| name.len()).max().unwrap_or(0).max(5);
    writeln!(out, "{:width$}  partitions  records", "topic")?;
    for (name, partitions, records) in topics {
        writeln!(out, "{name:width$}  {partitions:>10}  {records:>7}")?;
    }
    Ok(())
}

/// A line that names another topic than the command is a mistake.
fn check_topic(topic: &str, wanted: Option<&str>) -> Result<()> {
    match wanted {
        Some(wanted) if wanted != topic => bail!("it is for topic `{topic}`, but the command writes to `{wanted}`"),
        _ => Ok(()),
    }
}
