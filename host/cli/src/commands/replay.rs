//! `millrace replay`: records in, records out.

mod shadow;
mod summary;

use std::borrow::Cow;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use millrace_embedded::WorkerOptions;
use millrace_embedded::replay::{Replay, ReplayRecord};
use millrace_engine::task::Produced;
use millrace_engine::topology::{TopicId, TopicKind, Topology};
use millrace_store::Durability;

use super::run::log_lines;
use crate::args;
use crate::data;
use crate::input;
use crate::lines::{self, KeyCodecs, Line, LineReader};
use crate::load::load;
use crate::output::Output;
use summary::Summary;

/// Replays a file of records on a temporary log.
///
/// # Errors
/// The pipeline or the input is wrong, or the app had to stop.
pub fn replay(arguments: &args::Replay) -> Result<()> {
    let loaded = load(&arguments.pipeline)?;
    let topology = loaded.topology.clone();
    let mut reader = open_input(arguments)?;
    let mut output = Output::open(arguments.output.as_deref())?;
    let folder = tempfile::tempdir().context("no folder for the temporary log")?;
    let batch = arguments.batch as usize;
    let options = WorkerOptions { batch, durability: Durability::Buffered, ..WorkerOptions::default() };
    let (mut worker, mut guests) = data::open_worker(&loaded, folder.path(), options)?;
    if !arguments.shadow.is_empty() {
        guests = shadow::shadow(arguments, &loaded)?;
    }
    let mut printer = Printer { topology: &topology, line: Vec::new(), results: 0 };
    let interval = topology.settings.commit_interval;
    let put_out = |produced: &Produced| printer.print(produced, &mut output);
    let replay = Replay::new(&mut worker, &mut guests, batch, interval, put_out);
    let mut replay = replay.closing_windows(arguments.close_windows).reporting(log_lines);
    let codecs = codecs(&topology);
    let mut read = 0;
    loop {
        let record = match reader.read(&codecs)? {
            Some(line) => record(line, &topology),
            None => break,
        };
        let record = record.with_context(|| reader.place())?;
        replay.push(record).with_context(|| reader.place())?;
        read += 1;
    }
    let ledger = replay.finish()?;
    output.finish()?;
    let open_windows = worker.open_windows()?;
    Summary { read, written: printer.results, ledger: &ledger, open_windows }.print();
    guests.report().map_or(Ok(()), |report| shadow::report(&report, arguments.shadow_report.as_ref()))
}

fn open_input(arguments: &args::Replay) -> Result<LineReader<Box<dyn BufRead>>> {
    let path = arguments.input.as_ref();
    let Some(folder) = path.filter(|path| path.is_dir()) else { return input::open(path.map(PathBuf::as_path)) };
    let file = in_folder(folder, arguments);
    if !file.exists() {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        bail!("{}: the folder has no `{name}`, the file that is named after the pipeline", folder.display());
    }
    input::open(Some(&file))
}

/// The file in a folder that is named after the pipeline.
fn in_folder(folder: &Path, arguments: &args::Replay) -> PathBuf {
    let name = arguments.pipeline.files.first().and_then(|file| file.file_stem()).unwrap_or_default();
    folder.join(name).with_extension("jsonl")
}

/// The key codecs of the pipeline's topics.
pub fn codecs(topology: &Topology) -> KeyCodecs {
    topology.topics.iter().map(|topic| (topic.name.clone(), topic.key)).collect()
}

/// The record of a line, for a topic that the pipeline reads.
fn record(line: Line<'_>, topology: &Topology) -> Result<ReplayRecord> {
    let topic = read_topic(&line.topic, topology)?;
    let headers = line.all_headers();
    let Line { partition, key, value, timestamp, .. } = line;
    Ok(ReplayRecord { topic, partition, key, value, timestamp, headers })
}

fn read_topic(name: &str, topology: &Topology) -> Result<TopicId> {
    let tables = || topology.globals.iter().map(|table| &table.topic);
    let inputs = || topology.subtopologies.iter().flat_map(|part| &part.inputs).chain(tables());
    let found = topology.topics.iter().position(|topic| topic.name == name && topic.kind != TopicKind::Repartition);
    match found.map(TopicId) {
        Some(topic) if inputs().any(|input| *input == topic) => Ok(topic),
        _ => {
            let read = inputs().filter_map(|input| topology.topics.get(input.0));
            let read = read.filter(|topic| topic.kind != TopicKind::Repartition);
            let read: Vec<_> = read.map(|topic| format!("`{}`", topic.name)).collect();
            bail!("nothing in the pipeline reads topic `{name}`; it reads {}", read.join(", "))
        }
    }
}

/// Prints output records.
struct Printer<'t> {
    topology: &'t Topology,
    line: Vec<u8>,
    /// Number of results so far, without dead letters.
    results: u64,
}

impl Printer<'_> {
    fn print(&mut self, produced: &Produced, output: &mut dyn Write) -> Result<(), millrace_embedded::Error> {
        let failed = |error: io::Error| millrace_embedded::Error::Output(error);
        let Some(topic) = self.topology.topics.get(produced.topic.0) else { return Ok(()) };
        self.line.clear();
        let line = Line {
            topic: Cow::Borrowed(&topic.name),
            partition: Some(produced.partition),
            key: produced.key.clone(),
            value: produced.value.clone(),
            timestamp: Some(produced.timestamp),
            headers: produced.headers.clone(),
            window: None,
        };
        lines::print(&mut self.line, &line.with_own_window(), Some(topic.key)).map_err(failed)?;
        self.results += u64::from(topic.kind != TopicKind::DeadLetters);
        output.write_all(&self.line).map_err(failed)
    }
}
