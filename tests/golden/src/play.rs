//! Runs a case through what `millrace replay` is made of: pipeline front end, tasks, guests, log and state.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_cli::data::open_tasks;
use millrace_cli::load::Loaded;
use millrace_cli::plugins::Guests;
use millrace_embedded::log::Log;
use millrace_embedded::replay::{Replay, ReplayRecord};
use millrace_embedded::{Worker, WorkerOptions};
use millrace_engine::record::Headers;
use millrace_engine::task::Produced;
use millrace_engine::topology::{TopicId, TopicKind, Topology};
use millrace_store::{Database, Durability, OpenOptions};
use tempfile::TempDir;

use crate::case::{Case, DEAD_LETTERS, Input, Output, Subject};
use crate::mode::Mode;

/// No commit but those that a mode asks for.
const NEVER: Duration = Duration::MAX;

/// Bytes for caches and buffers of a database. Those of the usual size would take longer to make than a case does.
const MEMORY: usize = 1 << 20;

/// A place for databases: in memory, where the system has that. One for each thread.
pub struct Scratch {
    folder: TempDir,
    cases: usize,
}

/// Why a case has no result.
pub type Stopped = Box<dyn std::error::Error>;

impl Scratch {
    /// An empty one.
    ///
    /// # Errors
    /// The folder can't be made.
    pub fn new() -> std::io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Ok(Self { folder: folder?, cases: 0 })
    }

    /// What comes out of a case in each of the modes, or why it can't be run to its end. Stops after the first mode of
    /// whose result `go_on` says so.
    ///
    /// A new database for each mode would take most of the time, so the modes of an operator share one: each has a
    /// partition of its own, and so tasks, clocks and state of its own. The modes of a pipeline have a database each:
    /// records of all partitions may meet behind a new key.
    pub fn play(
        &mut self,
        case: &Case,
        loaded: &Loaded,
        modes: &[Mode],
        mut go_on: impl FnMut(Mode, Result<Vec<Output>, Stopped>) -> bool,
    ) {
        self.cases += 1;
        let folder = self.folder.path().join(self.cases.to_string());
        let mut database = None;
        for (number, mode) in modes.iter().enumerate() {
            let (folder, partition) = match case.subject {
                Subject::Op(_) => (folder.clone(), number as u32),
                Subject::Pipeline(_) => {
                    database = None;
                    (folder.join(number.to_string()), 0)
                }
            };
            let mut run =
                Run { loaded, folder: &folder, database: &mut database, partition, mode: *mode, outputs: Vec::new() };
            let result = run.run(&case.inputs);
            if !go_on(*mode, result.map(|()| run.outputs)) {
                break;
            }
        }
        drop(database);
        // What is left is removed with the scratch folder.
        let _ = std::fs::remove_dir_all(&folder);
    }
}

/// A case on its way, in one of the modes.
struct Run<'l> {
    loaded: &'l Loaded,
    folder: &'l Path,
    database: &'l mut Option<Arc<Database>>,
    partition: u32,
    mode: Mode,
    outputs: Vec<Output>,
}

impl Run<'_> {
    fn run(&mut self, inputs: &[Input]) -> Result<(), Stopped> {
        match self.mode {
            Mode::Batch(_) | Mode::WithoutMemory => {
                let (mut worker, mut guests) = self.open()?;
                self.replay(&mut worker, &mut guests, inputs, 0)
            }
            Mode::Commit => {
                let (mut worker, mut guests) = self.open()?;
                let mut inputs = inputs.chunks(1).enumerate();
                inputs.try_for_each(|(at, input)| self.replay(&mut worker, &mut guests, input, at))
            }
            Mode::Restart { close_every } => inputs.chunks(1).enumerate().try_for_each(|(at, input)| {
                if at % close_every == close_every - 1 {
                    *self.database = None;
                }
                let (mut worker, mut guests) = self.open()?;
                self.replay(&mut worker, &mut guests, input, at)
            }),
        }
    }

    /// Opens the tasks as a new process would, and the database if it is closed.
    fn open(&mut self) -> Result<(Worker, Guests), Stopped> {
        let (loaded, topology) = (self.loaded, Arc::clone(&self.loaded.topology));
        let database = match self.database {
            Some(database) => Arc::clone(database),
            None => {
                let families = &Log::FAMILIES;
                let options = OpenOptions { families, memory: MEMORY, ..OpenOptions::new(&topology.stores) };
                Arc::clone(self.database.insert(Arc::new(Database::open(self.folder, &options)?)))
            }
        };
        let log = Arc::new(Log::open(Arc::clone(&database))?);
        Ok(open_tasks(loaded, database, log, self.options())?)
    }

    fn options(&self) -> WorkerOptions {
        let batch = match self.mode {
            Mode::Batch(batch) => batch,
            Mode::WithoutMemory => 2,
            Mode::Commit | Mode::Restart { .. } => 1,
        };
        let all = WorkerOptions::default();
        let window_memory = if self.mode == Mode::WithoutMemory { 0 } else { all.window_memory };
        WorkerOptions { batch, window_memory, durability: Durability::Buffered, ..all }
    }

    /// Takes these records, the first of which is the one with index `first`, and commits.
    fn replay(
        &mut self,
        worker: &mut Worker,
        guests: &mut Guests,
        inputs: &[Input],
        first: usize,
    ) -> Result<(), Stopped> {
        let batch = self.options().batch;
        let topology = Arc::clone(worker.topology());
        let mut produced = Vec::new();
        let mut replay = Replay::new(worker, guests, batch, NEVER, |record| {
            produced.push(record.clone());
            Ok(())
        });
        for input in inputs {
            replay.push(record(input, self.partition, &topology)?)?;
        }
        replay.finish()?;
        for record in produced {
            self.outputs.push(output(record, &topology, (inputs, first))?);
        }
        Ok(())
    }
}

fn record(input: &Input, partition: u32, topology: &Topology) -> Result<ReplayRecord, Stopped> {
    let topic = topology.topics.iter().position(|topic| topic.name == input.topic);
    let topic = TopicId(topic.ok_or_else(|| format!("nothing reads `{}`", input.topic))?);
    let bytes = |text: &Option<String>| text.clone().map(Bytes::from);
    let (key, value, timestamp) = (bytes(&input.key), bytes(&input.value), Some(input.timestamp));
    Ok(ReplayRecord { topic, partition: Some(partition), key, value, timestamp, headers: Headers::EMPTY })
}

/// An output of one of these inputs, the first of which is the one with index `first`.
fn output(record: Produced, topology: &Topology, (inputs, first): (&[Input], usize)) -> Result<Output, Stopped> {
    let Produced { topic, key, value, timestamp, headers, window, turn, .. } = record;
    let text = |bytes: Option<Bytes>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (topic, turn) = (topology.topics.get(topic.0).ok_or("a topic without a name")?, usize::try_from(turn)?);
    let (topic, timestamp) = match topic.kind {
        TopicKind::DeadLetters => {
            let header = |name: &str| headers.last(name.as_bytes()).and_then(|header| header.value.as_deref());
            let origin = header("kafka_dlt-original-topic");
            if origin != inputs.get(turn).map(|input| input.topic.as_bytes()) {
                return Err(format!("a dead letter names another topic than that of input {}", first + turn).into());
            }
            let time = header("millrace-timestamp").ok_or("a dead letter without the time of its record")?;
            (DEAD_LETTERS, str::from_utf8(time)?.parse()?)
        }
        TopicKind::External | TopicKind::Repartition => (topic.name.as_str(), timestamp),
    };
    let (window, after) = (window.map(Output::window_of), first + turn);
    Ok(Output { topic: topic.to_owned(), key: text(key), window, value: text(value), timestamp, after })
}
