//! Topics of a data folder: the embedded log, record by record.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use millrace_embedded::catalog::Catalog;
use millrace_embedded::log::{Log, NewRecord, Tail, TopicId};
use millrace_embedded::run::{inbox_of, wall_clock};
use millrace_embedded::{Letter, send};
use millrace_engine::manifest::KeyCodec;
use millrace_engine::partitioner::partition_of;
use millrace_store::{Batch, Database, Durability};

use super::{CHUNK, Printer, Wanted, check_topic};
use crate::data;
use crate::input;
use crate::lines::{KeyCodecs, Line, Reader};
use crate::say::say;

/// Prints the records of a topic.
pub(super) fn read(folder: &Path, wanted: &Wanted<'_>, out: &mut impl Write) -> Result<()> {
    let Wanted { topic, partition, from, limit, key } = *wanted;
    let (_, log) = data::open_to_read(folder)?;
    let id = find(&log, topic)?;
    let codec = key.or(Catalog::load(&log)?.topics.get(topic).copied());
    let mut printer = Printer { topic, codec, left: limit, line: Vec::new() };
    for number in partitions(&log, id, topic, partition)? {
        let mut reader = log.reader(id, number, from)?;
        while printer.left > 0
            && let Some(record) = reader.next_record()?
        {
            printer.print(number, record, out)?;
        }
    }
    Ok(())
}

fn find(log: &Log, name: &str) -> Result<TopicId> {
    log.topic(name).ok_or_else(|| {
        let names: Vec<_> = log.topics().into_iter().map(|(name, _, _)| format!("`{name}`")).collect();
        match names.is_empty() {
            true => anyhow!("there is no topic `{name}`: the log has none yet; a pipeline makes its topics when it first runs, and `topic create` makes one"),
            false => anyhow!("there is no topic `{name}`; there are {}", names.join(", ")),
        }
    })
}

fn partitions(log: &Log, topic: TopicId, name: &str, only: Option<u32>) -> Result<std::ops::Range<u32>> {
    let count = log.partitions(topic);
    match only {
        Some(only) if only >= count => {
            bail!("topic `{name}` has no partition {only}: its last one is {}", count.saturating_sub(1))
        }
        Some(only) => Ok(only..only + 1),
        None => Ok(0..count),
    }
}

/// All topics with their numbers of partitions and records.
pub(super) fn list(folder: &Path) -> Result<Vec<(String, u32, i64)>> {
    let (_, log) = data::open_to_read(folder)?;
    let counted = log.topics().into_iter().map(|(name, id, partitions)| {
        let records = (0..partitions).map(|number| log.end_offset(id, number)).sum::<Result<i64, _>>()?;
        Ok((name, partitions, records))
    });
    counted.collect()
}

/// Makes a topic: with one partition, and with keys of bytes, where nothing else is said. One that is there stays as it is;
/// where nothing was said of its keys before, it can be said now.
pub(super) fn create(folder: &Path, topic: &str, partitions: Option<u32>, key: Option<KeyCodec>) -> Result<()> {
    let (database, log) = data::open(folder, &[])?;
    let mut catalog = Catalog::load(&log)?;
    let known = catalog.topics.get(topic).copied();
    let is_said = known.filter(|known| *known != KeyCodec::Bytes);
    if let (Some(known), Some(key)) = (is_said, key.filter(|key| Some(*key) != known)) {
        let (known, key) = (known.name(), key.name());
        bail!(
            "the topic `{topic}` is there, and its keys are {known}, not {key}: leave --key out, or take another name"
        );
    }
    let there = log.topic(topic).map(|id| log.partitions(id));
    log.create_topic(topic, partitions.or(there).unwrap_or(1))?;
    if is_said.is_none() {
        catalog.topics.insert(topic.to_owned(), key.unwrap_or(KeyCodec::Bytes));
        catalog.save(&database, &log)?;
    }
    Ok(())
}

/// Appends records: to the log itself, or where an app runs on it, through its inbox.
pub(super) fn write(folder: &Path, topic: Option<&str>, input: Option<&Path>, key: Option<KeyCodec>) -> Result<()> {
    let source = input::open(input)?;
    // A folder that isn't one yet is a mistake here: a pipeline makes it, or `topic create`.
    data::open_to_read(folder)?;
    let (database, log) = match data::open(folder, &[]) {
        Ok(own) => own,
        Err(error) if is_locked(&error) => {
            let (_, log) = data::open_to_read(folder)?;
            return forward(folder, Lines::new(source, &log, topic, key)?);
        }
        Err(error) => return Err(error),
    };
    append(&database, &log, Lines::new(source, &log, topic, key)?)
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(millrace_store::Error::Locked { .. }))
}

fn append(database: &Arc<Database>, log: &Arc<Log>, mut lines: Lines<'_>) -> Result<()> {
    let mut count = 0;
    loop {
        let mut tail = Tail::new(log);
        let letters = lines.chunk()?;
        if letters.is_empty() {
            break;
        }
        count += letters.len();
        for Letter { topic, partition, record } in letters {
            tail.append(find(log, &topic)?, partition, record)?;
        }
        let mut batch = Batch::new(database);
        let appended = log.prepare(&mut tail, &mut batch)?;
        database.write(batch, Durability::Synced)?;
        appended.publish();
    }
    say(format_args!("{count} records written"));
    Ok(())
}

fn forward(folder: &Path, mut lines: Lines<'_>) -> Result<()> {
    let inbox: PathBuf = inbox_of(folder);
    let mut count = 0;
    for part in 0.. {
        let letters = lines.chunk()?;
        if letters.is_empty() {
            break;
        }
        count += letters.len();
        let name = format!("{:020}-{:010}-{part:06}", wall_clock(), std::process::id());
        send(&inbox, &name, &letters)?;
    }
    say(format_args!("{count} records handed to the app that runs on this folder"));
    Ok(())
}

/// What records are read from.
type Input = Reader<Box<dyn BufRead>>;

/// Lines of input as letters to partitions.
struct Lines<'a> {
    reader: Input,
    codecs: KeyCodecs,
    log: Arc<Log>,
    topic: Option<&'a str>,
    sequence: i64,
}

impl<'a> Lines<'a> {
    fn new(reader: Input, log: &Arc<Log>, topic: Option<&'a str>, key: Option<KeyCodec>) -> Result<Self> {
        if let Some(topic) = topic {
            find(log, topic)?;
        }
        let catalog = Catalog::load(log)?.topics;
        let codec = |name: &String| key.or(catalog.get(name).copied()).unwrap_or_default();
        let names = log.topics().into_iter().map(|(name, _, _)| name);
        let codecs: KeyCodecs = names.map(|name| (name.clone(), codec(&name))).collect();
        let codecs = codecs.with_default_topic(topic);
        Ok(Self { reader, codecs, log: Arc::clone(log), topic, sequence: 0 })
    }

    /// The next records; none at the end. Those before them are written when it is called again.
    fn chunk(&mut self) -> Result<Vec<Letter>> {
        let written = self.reader.number();
        self.letters().with_context(|| match written {
            0 => "nothing was written".to_owned(),
            _ => format!("lines up to {written} were written, and none after it"),
        })
    }

    fn letters(&mut self) -> Result<Vec<Letter>> {
        let mut letters = Vec::new();
        while letters.len() < CHUNK {
            let Some(line) = self.reader.read(&self.codecs)? else { break };
            let letter = letter(&self.log, line, self.topic, self.sequence);
            letters.push(letter.with_context(|| self.reader.place())?);
            self.sequence += 1;
        }
        Ok(letters)
    }
}

fn letter(log: &Log, line: Line<'_>, wanted: Option<&str>, sequence: i64) -> Result<Letter> {
    let headers = line.all_headers();
    let Line { topic, partition, key, value, timestamp, .. } = line;
    check_topic(&topic, wanted)?;
    let id = find(log, &topic)?;
    let partition = match partition {
        Some(number) => partitions(log, id, &topic, Some(number))?.start,
        None => partition_of(key.as_deref(), sequence, log.partitions(id)),
    };
    let record = NewRecord { timestamp: timestamp.unwrap_or_else(wall_clock), key, value, headers };
    Ok(Letter { topic: topic.into_owned(), partition, record })
}
