//! `millrace demo`: the sample orders through their pipeline, and what became of them.

mod look;
mod report;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use millrace_embedded::log::{Log, NewRecord, Tail};
use millrace_embedded::run::{self, RunOptions};
use millrace_embedded::{Worker, WorkerOptions};
use millrace_engine::partitioner::partition_of;
use millrace_store::{Batch, Durability};

use super::replay::codecs;
use crate::args;
use crate::data;
use crate::lines::Reader;
use crate::load::load;
use report::Report;

/// Loads the sample, runs the pipeline, and shows what happened.
///
/// # Errors
/// The pipeline or the sample is missing or wrong, or the data folder can't be written.
pub fn demo(arguments: &args::Demo) -> Result<()> {
    if !arguments.pipeline.exists() {
        let path = arguments.pipeline.display();
        bail!(
            "{path} isn't there: run the demo from the folder of the project, or name the files with --pipeline and --in"
        );
    }
    let loaded = load(&args::Pipeline { files: vec![arguments.pipeline.clone()], set: Vec::new() })?;
    empty(&arguments.data)?;
    let (mut worker, mut guests) = data::open_worker(&loaded, &arguments.data, WorkerOptions::default())?;
    let records = load_sample(&arguments.input, &worker)?;
    let options = RunOptions {
        commit_interval: Duration::from_millis(100),
        until_idle: true,
        inbox: run::inbox_of(&arguments.data),
    };
    let start = Instant::now();
    run::run(&mut worker, &mut guests, &options, &AtomicBool::new(false), |_| ())?;
    let took = start.elapsed();
    let found = look::look(&worker)?;
    let report = Report { arguments, records, took, ledger: worker.ledger(), found };
    report.print()
}

/// Empties the folder of an earlier demo; refuses any other.
fn empty(data: &Path) -> Result<()> {
    if !data.exists() {
        return Ok(());
    }
    let mut entries = data.read_dir().with_context(|| format!("{}: can't be read", data.display()))?;
    let is_ours = |name: &std::ffi::OsStr| name == "db" || name == "inbox";
    if let Some(other) = entries.find_map(|entry| entry.ok().filter(|entry| !is_ours(&entry.file_name()))) {
        bail!("{} isn't the folder of a demo: it has {}", data.display(), other.path().display());
    }
    std::fs::remove_dir_all(data).with_context(|| format!("{}: can't be emptied", data.display()))
}

/// Appends the sample to the log, and tells how many records it has.
fn load_sample(path: &Path, worker: &Worker) -> Result<u64> {
    let file = File::open(path).with_context(|| format!("{}: can't be read", path.display()))?;
    let mut reader = Reader::new(BufReader::new(file));
    let codecs = codecs(worker.topology());
    let log: &Arc<Log> = worker.log();
    let (mut tail, mut records) = (Tail::new(log), 0);
    while let Some(line) = reader.read(&codecs).with_context(|| path.display().to_string())? {
        let topic = log.topic(&line.topic).with_context(|| format!("nothing reads topic `{}`", line.topic))?;
        let partition =
            line.partition.unwrap_or_else(|| partition_of(line.key.as_deref(), records as i64, log.partitions(topic)));
        let (key, value, headers) = (line.key, line.value, line.headers);
        let timestamp = line.timestamp.unwrap_or_else(run::wall_clock);
        tail.append(topic, partition, NewRecord { timestamp, key, value, headers })?;
        records += 1;
    }
    let mut batch = Batch::new(log.database());
    let appended = log.prepare(&mut tail, &mut batch)?;
    log.database().write(batch, Durability::Buffered)?;
    appended.publish();
    Ok(records)
}
