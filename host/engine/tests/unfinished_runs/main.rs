//! Unfinished runs: a commit interrupts a run, and another task resumes it, with limits, after a refusal, or with
//! another pipeline file.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod refusing;
mod resuming;
#[path = "../support/mod.rs"]
mod support;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use millrace_engine::ports::{Backend, BackendError, DeploymentId, Scan, StoreChanges, StoreId};
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::refused::{Fingerprint, Refused};
use millrace_engine::task::{Deployed, Produced, Task, TaskError, TaskOptions};
use millrace_engine::topology::{TopicId, Topology};
use support::{Disk, Rules, header, topology, value};

/// A folder whose stores have names, so that another pipeline file finds them.
#[derive(Clone, Default)]
struct Folder {
    disk: Disk,
    names: Arc<Mutex<Vec<String>>>,
}

/// The folder for the tasks of one pipeline.
struct PipelineFolder {
    backend: Box<dyn Backend>,
    stores: Vec<StoreId>,
}

impl Folder {
    fn stores(&self, topology: &Topology) -> Vec<StoreId> {
        let mut names = self.names.lock().unwrap();
        let mut place = |name: &String| {
            names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            })
        };
        topology.stores.iter().map(|store| StoreId(place(&store.name))).collect()
    }

    fn for_pipeline(&self, topology: &Topology) -> PipelineFolder {
        PipelineFolder { backend: self.disk.partition(0), stores: self.stores(topology) }
    }

    fn commit(&self, topology: &Topology, mut changes: Vec<StoreChanges>) {
        let stores = self.stores(topology);
        changes.iter_mut().for_each(|change| change.store = stores[change.store.0]);
        self.disk.commit(0, &changes);
    }

    /// Stored parts of unfinished runs.
    fn parts(&self, topology: &Topology) -> Vec<(Bytes, Bytes)> {
        let mut parts = Vec::new();
        let meta = topology.subtopologies[0].meta;
        let seen = self.for_pipeline(topology);
        seen.scan(meta, b"rest/", Some(b"rest0"), &mut |key, value| {
            parts.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            Scan::Continue
        })
        .unwrap();
        parts
    }

    /// The keys of these parts, with the bytes of each entry.
    fn part_sizes(&self, topology: &Topology) -> Vec<(String, usize)> {
        let shown =
            |(key, value): (Bytes, Bytes)| (String::from_utf8_lossy(&key).into_owned(), key.len() + value.len());
        self.parts(topology).into_iter().map(shown).collect()
    }
}

impl Backend for PipelineFolder {
    fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.backend.get(self.stores[store.0], key)
    }

    fn scan(
        &self,
        store: StoreId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Scan,
    ) -> Result<(), BackendError> {
        self.backend.scan(self.stores[store.0], from, to, visit)
    }
}

/// A task with one pass for each item that its steps emit.
struct Case {
    topology: Arc<Topology>,
    folder: Folder,
    task: Task,
}

fn options(topology: &Topology, part: usize) -> TaskOptions {
    let deployed = [Deployed::new(DeploymentId(0), 1, "d")];
    let partitions = topology.topics.iter().map(|_| 1).collect();
    TaskOptions { pass_bytes: 1, ..TaskOptions::new(part, 0, partitions, deployed.into()) }
}

impl Case {
    fn new(steps: &str, folder: &Folder) -> Self {
        Self::part(&topology(steps), 0, folder)
    }

    fn part(topology: &Arc<Topology>, part: usize, folder: &Folder) -> Self {
        Self::with(topology, options(topology, part), folder).unwrap_or_else(|error| panic!("{error}"))
    }

    fn with(topology: &Arc<Topology>, options: TaskOptions, folder: &Folder) -> Result<Self, TaskError> {
        let task = Task::open(Arc::clone(topology), options, Box::new(folder.for_pipeline(topology)))?;
        Ok(Self { topology: Arc::clone(topology), folder: folder.clone(), task })
    }

    fn error(steps: &str, folder: &Folder) -> String {
        let topology = topology(steps);
        Self::with(&topology, options(&topology, 0), folder).err().unwrap().to_string()
    }

    /// Offers a record with the key `k`; its offset is its time.
    fn offer(&mut self, topic: &str, value: &str, timestamp: i64) {
        let input = self.task.inputs().iter().position(|id| self.topology.topics[id.0].name == topic).unwrap();
        let record = InputRecord {
            offset: timestamp,
            timestamp,
            timestamp_type: TimestampType::CreateTime,
            key: Some(Bytes::from("k")),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Headers::EMPTY,
            arrived: 0,
            turn: 0,
        };
        self.task.offer(input, record);
    }

    /// Runs one pass, then commits.
    fn pass(&mut self) -> Vec<Produced> {
        let produced = self.task.run(&mut Rules::new(&self.topology), usize::MAX).unwrap();
        self.commit();
        produced
    }

    /// Counts of dropped and failed records.
    fn commit(&mut self) -> Vec<String> {
        let prepared = self.task.prepare();
        self.folder.commit(&self.topology, prepared.changes);
        prepared.ledger.counts().map(|(step, what, code, n)| format!("{step} {} {code} {n}", what.name())).collect()
    }

    /// The outputs of all remaining passes.
    fn all(&mut self) -> Vec<String> {
        let mut shown = Vec::new();
        while self.task.ready() {
            let produced = self.pass();
            shown.extend(produced.iter().map(|record| self.show(record)));
        }
        shown
    }

    fn show(&self, record: &Produced) -> String {
        format!("{} {}", self.topology.topics[record.topic.0].name, value(record).trim_end())
    }
}

fn source(name: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\ntopic = \"{name}\"\nvalue = \"bytes\"\n")
}

fn step(table: &str, name: &str, from: &str, call: &str) -> String {
    format!("[[{table}]]\nname = \"{name}\"\nfrom = \"{from}\"\ncall = \"t.{call}\"\n")
}

fn merge(name: &str, from: &[&str]) -> String {
    format!("[[merge]]\nname = \"{name}\"\nfrom = {from:?}\n")
}

fn sink(from: &str, topic: &str) -> String {
    format!("[[sink]]\nfrom = \"{from}\"\ntopic = \"{topic}\"\n")
}

/// A source, and a step with one pass for each record.
fn plain(name: &str) -> String {
    source(name) + &step("transform", &format!("big-{name}"), name, "many") + &sink(&format!("big-{name}"), "out")
}

/// Numbers of partitions: one for the topic `a`, two for others.
fn narrow_a(topology: &Topology) -> Arc<[u32]> {
    topology.topics.iter().map(|topic| if topic.name == "a" { 1 } else { 2 }).collect()
}

/// A sink that stands before the step that ends a pass.
fn sink_first() -> String {
    source("in") + &sink("in", "raw") + &step("transform", "big", "in", "many") + &sink("big", "out")
}
