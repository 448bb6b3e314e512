//! The demo on the embedded driver.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result};
use millrace_embedded::log::{Log, NewRecord, Tail};
use millrace_embedded::run::{self, RunOptions};
use millrace_embedded::{Worker, WorkerOptions};
use millrace_engine::partitioner::partition_of;
use millrace_engine::record::InputRecord;
use millrace_store::{Batch, Durability};

use super::super::replay::codecs;
use super::look::{TopicSource, look};
use super::report::Report;
use crate::args;
use crate::data;
use crate::input;
use crate::load::Loaded;

/// Runs the demo, and reports.
pub(super) fn demo(arguments: &args::Demo, loaded: &Loaded) -> Result<()> {
    super::empty(&arguments.data)?;
    let (mut worker, mut guests) = data::open_worker(loaded, &arguments.data, WorkerOptions::default())?;
    let records = load_sample(&arguments.input(), &worker)?;
    let options = RunOptions {
        commit_interval: super::COMMIT_INTERVAL,
        until_idle: true,
        inbox: run::inbox_of(&arguments.data),
        deployer: None,
    };
    let start = Instant::now();
    run::run(&mut worker, &mut guests, options, &AtomicBool::new(false), |_| ())?;
    let took = start.elapsed();
    let found = look(arguments.kind, worker.topology(), worker.log().database(), &mut Records(worker.log()))?;
    Report { arguments, records, took, ledger: worker.ledger(), found }.print()
}

/// Appends the sample to the log, and returns the number of records by topic.
fn load_sample(path: &Path, worker: &Worker) -> Result<BTreeMap<String, u64>> {
    let mut reader = input::open(Some(path))?;
    let codecs = codecs(worker.topology());
    let log: &Arc<Log> = worker.log();
    let (mut tail, mut records, mut number) = (Tail::new(log), BTreeMap::new(), 0);
    while let Some(line) = reader.read(&codecs)? {
        let topic = log.topic(&line.topic).with_context(|| format!("nothing reads topic `{}`", line.topic))?;
        let partition =
            line.partition.unwrap_or_else(|| partition_of(line.key.as_deref(), number, log.partitions(topic)));
        let (name, headers) = (line.topic.to_string(), line.all_headers());
        let (key, value) = (line.key, line.value);
        let timestamp = line.timestamp.unwrap_or_else(run::wall_clock);
        tail.append(topic, partition, NewRecord { timestamp, key, value, headers })?;
        number += 1;
        *records.entry(name).or_default() += 1;
    }
    let mut batch = Batch::new(log.database());
    let appended = log.prepare(&mut tail, &mut batch)?;
    log.database().write(batch, Durability::Buffered)?;
    appended.publish();
    Ok(records)
}

/// Topics of the embedded log.
struct Records<'a>(&'a Log);

impl TopicSource for Records<'_> {
    fn each(&mut self, topic: &str, visit: &mut dyn FnMut(InputRecord)) -> Result<()> {
        let Some(id) = self.0.topic(topic) else { return Ok(()) };
        for partition in 0..self.0.partitions(id) {
            for record in self.0.reader(id, partition, 0)? {
                visit(record?);
            }
        }
        Ok(())
    }
}
