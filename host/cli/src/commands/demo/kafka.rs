//! The demo on Kafka, as an app with topics of its own, so that it can run again and touches no other app.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use millrace_engine::ledger::Ledger;
use millrace_engine::record::InputRecord;
use millrace_engine::topology::{Topic, TopicKind, Topology};
use millrace_kafka::records::Connection;
use millrace_kafka::reset::Reset;
use millrace_kafka::topics::ClusterTopics;
use millrace_kafka::{Options, Report as Told, State, WorkerOptions};

use super::super::topic::write_all;
use super::look::{TopicSource, look};
use super::report::Report;
use crate::args;
use crate::input;
use crate::lines::{self, LineReader};
use crate::load::Loaded;

/// Name of the demo's app, and prefix of its topics.
pub(super) const APP: &str = "millrace-demo";

/// Creates the topics, fills them, runs the pipeline, and reports.
pub(super) fn demo(arguments: &args::Demo, loaded: &Loaded, bootstrap: &str) -> Result<()> {
    let topology = Arc::new(renamed(&loaded.topology));
    let mut connection = Connection::open(APP, bootstrap, &topology.kafka)?;
    clean_up(&mut connection, &topology, &arguments.data)?;
    let records = load_sample(&mut connection, &arguments.input(), &topology)?;
    let (ledger, took) = run(arguments, loaded, Arc::clone(&topology), bootstrap)?;
    let (database, _) = millrace_kafka::folder::open_to_read(&arguments.data)?;
    let found = look(arguments.kind, &topology, &database, &mut Records(&connection))?;
    Report { arguments, records, took, ledger: &ledger, found }.print()
}

/// The pipeline under the name of the demo's app.
fn renamed(topology: &Topology) -> Topology {
    let mut topology = topology.clone();
    for topic in &mut topology.topics {
        let name = match topic.kind {
            TopicKind::Repartition => topic.name.strip_prefix(&format!("{}-", topology.app)).unwrap_or(&topic.name),
            TopicKind::External | TopicKind::DeadLetters => &topic.name,
        };
        topic.name = format!("{APP}-{name}");
    }
    topology.app = APP.into();
    topology.settings.commit_interval = super::COMMIT_INTERVAL;
    topology
}

/// Deletes what an earlier demo has left, and creates the input and output topics.
fn clean_up(connection: &mut Connection, topology: &Topology, data: &Path) -> Result<()> {
    let reset = Reset::plan(connection, APP, None).context("a demo is running on this cluster")?;
    super::empty(data)?;
    reset.run(connection)?;
    let topics: Vec<&Topic> = topology.topics.iter().filter(|topic| topic.kind != TopicKind::Repartition).collect();
    let names: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
    connection.delete(&names)?;
    for topic in topics {
        // The sample has old timestamps: Kafka must not delete its records.
        let partitions = topic.partitions.unwrap_or(1);
        connection.create(&topic.name, (partitions, None), &[("retention.ms".into(), "-1".into())])?;
    }
    Ok(())
}

/// Writes the sample to the demo's topics, and returns the number of records by topic.
fn load_sample(connection: &mut Connection, path: &Path, topology: &Topology) -> Result<BTreeMap<String, u64>> {
    let mut reader = input::open(Some(path))?;
    let codecs = topology.topics.iter().map(|topic| (original(&topic.name).to_owned(), topic.key)).collect();
    let (mut text, mut records) = (Vec::new(), BTreeMap::new());
    while let Some(mut line) = reader.read(&codecs)? {
        if !topology.topics.iter().any(|topic| original(&topic.name) == line.topic) {
            bail!("nothing reads topic `{}`", line.topic);
        }
        line.topic = format!("{APP}-{}", line.topic).into();
        *records.entry(line.topic.to_string()).or_default() += 1;
        lines::print(&mut text, &line, None)?;
    }
    write_all(&mut ClusterTopics::new(connection), None, LineReader::new(text.as_slice()), None)?;
    Ok(records)
}

/// The name of a topic in the pipeline file.
fn original(name: &str) -> &str {
    name.strip_prefix(APP).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name)
}

/// Runs until all input is processed. Returns the counts, and the time from when the app was running to its last
/// commit.
fn run(
    arguments: &args::Demo,
    loaded: &Loaded,
    topology: Arc<Topology>,
    bootstrap: &str,
) -> Result<(Ledger, Duration)> {
    let data = arguments.data.clone();
    let options = Options { bootstrap: bootstrap.into(), data, worker: WorkerOptions::default(), until_idle: true };
    let (stop, mut ledger) = (AtomicBool::new(false), Ledger::default());
    let (mut ready, mut took) = (None, Duration::ZERO);
    let app = Loaded { plugins: Arc::new(loaded.plugins.renamed(Arc::clone(&topology))), topology }.on_kafka();
    millrace_kafka::run(&app, &options, &stop, &mut |told| match told {
        Told::State(State::Running) => _ = ready.get_or_insert_with(Instant::now),
        Told::Committed(committed, _) => {
            ledger.add(committed);
            if committed.consumed > 0 {
                took = ready.map_or(took, |ready| ready.elapsed());
            }
        }
        _ => {}
    })?;
    Ok((ledger, took))
}

/// Topics of the cluster.
struct Records<'a>(&'a Connection);

impl TopicSource for Records<'_> {
    fn each(&mut self, topic: &str, visit: &mut dyn FnMut(InputRecord)) -> Result<()> {
        let Some(partitions) = self.0.topics().get(topic).copied() else { return Ok(()) };
        let mut reading = self.0.read(topic)?;
        for partition in 0..partitions {
            reading.partition(partition, 0, &mut |record| {
                visit(record);
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }
}
