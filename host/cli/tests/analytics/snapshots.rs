//! All that comes out of each sample, line by line; and that neither the size of batches nor a restart after every
//! single record shows in it. Whether it is right is the question of `model.rs`; a snapshot shows what a change makes
//! of it, in order, with timestamps and dead letters.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millrace_cli::data::open_tasks;
use millrace_cli::lines::{self, Line, LineReader};
use millrace_cli::load::{Loaded, load};
use millrace_cli::plugins::Guests;
use millrace_cli::{args, commands};
use millrace_embedded::log::Log;
use millrace_embedded::replay::{Replay, ReplayRecord};
use millrace_embedded::{Worker, WorkerOptions};
use millrace_engine::task::Produced;
use millrace_engine::topology::{TopicId, Topology};
use millrace_store::{Database, Durability, OpenOptions};

use crate::{PIPELINES, place, sample};

/// Headers of dead letters that a snapshot shows. The others say the same again, or name the build of the plugin.
const SHOWN: [&str; 7] = [
    "__streams.errors.topic",
    "__streams.errors.offset",
    "millrace-step",
    "millrace-error-class",
    "millrace-error-code",
    "millrace-error-message",
    "millrace-failed-at",
];

/// A line of output as a snapshot has it.
fn shown(line: &str) -> String {
    let Some((record, headers)) = line.split_once(r#","headers":"#) else { return line.to_owned() };
    let headers: serde_json::Value = serde_json::from_str(headers.strip_suffix('}').unwrap()).unwrap();
    let headers: Vec<String> =
        SHOWN.iter().filter_map(|name| Some(format!("{name:?}:{}", headers.get(name)?))).collect();
    format!(r#"{record},"headers":{{{}}}}}"#, headers.join(","))
}

fn shown_lines(output: &str) -> String {
    output.lines().map(|line| shown(line) + "\n").collect()
}

#[test]
fn each_sample_comes_out_as_in_its_snapshot_with_any_batch_size() {
    let place = place();
    for (name, _) in PIPELINES {
        let replay = |batch: u32| {
            shown_lines(&place.millrace(&format!("replay {name}.toml --in {name}.jsonl --batch {batch}")).good())
        };
        let expected = replay(500);
        insta::assert_snapshot!(name, expected);
        for batch in [1, 7] {
            assert!(replay(batch) == expected, "{name} with --batch {batch} gives something else");
        }
    }
}

#[test]
fn a_restart_after_every_record_changes_nothing() {
    let place = place();
    for (name, _) in PIPELINES {
        let file = place.path(&format!("{name}.toml"));
        let loaded =
            load(&args::Pipeline { files: vec![file], set: Vec::new(), set_file: Vec::new(), more: Vec::new() })
                .unwrap();
        // In memory, where the system has that: opening a database waits for the disk several times.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let mut run = Restarting { loaded: &loaded, folder: folder.path(), database: None, output: Vec::new() };
        let records = run.replay(&sample(name));
        let expected = place.millrace(&format!("replay {name}.toml --in {name}.jsonl")).good();
        let (found, expected) = (timeless(&String::from_utf8(run.output).unwrap()), timeless(&expected));
        assert!(records > 200 && expected.len() > 20);
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "{name}, line {number}");
        }
        assert_eq!(found.len(), expected.len(), "{name}");
    }
}

/// Lines, and dead letters without the time of their failure: that is the clock of the replay, which begins anew with a
/// restart. It is the letter's own timestamp, and the last of the headers that are shown.
fn timeless(output: &str) -> Vec<String> {
    let without = |line: String| {
        let Some((record, headers)) = line.split_once(r#","headers":"#) else { return line };
        let (record, headers) =
            (record.rsplit_once(r#","timestamp":"#), headers.rsplit_once(r#","millrace-failed-at":"#));
        format!("{} {}", record.unwrap().0, headers.unwrap().0)
    };
    output.lines().map(|line| without(shown(line))).collect()
}

/// Records after which the database is closed, too: it is most of what a restart costs.
const CLOSE_EVERY: usize = 16;

/// A replay in which tasks, guests and log are opened anew for each record, as a new process would open them.
struct Restarting<'l> {
    loaded: &'l Loaded,
    folder: &'l Path,
    database: Option<Arc<Database>>,
    output: Vec<u8>,
}

impl Restarting<'_> {
    /// Takes all records of a text, and returns their number.
    fn replay(&mut self, text: &str) -> usize {
        let (codecs, mut number) = (commands::replay::codecs(&self.loaded.topology), 0);
        let mut reader = LineReader::new(text.as_bytes());
        while let Some(line) = reader.read(&codecs).unwrap() {
            if number % CLOSE_EVERY == CLOSE_EVERY - 1 {
                self.database = None;
            }
            self.replay_one(line);
            number += 1;
        }
        number
    }

    fn replay_one(&mut self, line: Line<'_>) {
        let topology = Arc::clone(&self.loaded.topology);
        let (mut worker, mut guests) = self.open();
        let output = &mut self.output;
        let mut replay = Replay::new(&mut worker, &mut guests, 1, Duration::MAX, |produced| {
            print(produced, &topology, output);
            Ok(())
        });
        replay.push(record(line, &topology)).unwrap();
        replay.finish().unwrap();
    }

    fn open(&mut self) -> (Worker, Guests) {
        let topology = Arc::clone(&self.loaded.topology);
        let database = self.database.get_or_insert_with(|| {
            let (families, memory) = (&Log::FAMILIES, 1 << 20);
            let options = OpenOptions { families, memory, ..OpenOptions::new(&topology.stores) };
            Arc::new(Database::open(self.folder, &options).unwrap())
        });
        let log = Arc::new(Log::open(Arc::clone(database)).unwrap());
        let options = WorkerOptions { batch: 1, durability: Durability::Buffered, ..WorkerOptions::default() };
        open_tasks(self.loaded, Arc::clone(database), log, options).unwrap()
    }
}

fn record(line: Line<'_>, topology: &Topology) -> ReplayRecord {
    let topic = topology.topics.iter().position(|topic| topic.name == line.topic).unwrap();
    let headers = line.all_headers();
    let Line { partition, key, value, timestamp, .. } = line;
    ReplayRecord { topic: TopicId(topic), partition, key, value, timestamp, headers }
}

/// As `replay` prints it.
fn print(produced: &Produced, topology: &Topology, output: &mut Vec<u8>) {
    let topic = &topology.topics[produced.topic.0];
    let line = Line {
        topic: topic.name.as_str().into(),
        partition: Some(produced.partition),
        key: produced.key.clone(),
        value: produced.value.clone(),
        timestamp: Some(produced.timestamp),
        headers: produced.headers.clone(),
        window: None,
    };
    lines::print(output, &line.with_own_window(), Some(topic.key)).unwrap();
}
