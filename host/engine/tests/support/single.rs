//! A single task, for tests beyond lines of text.

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::ledger::Ledger;
use millrace_engine::ports::DeploymentId;
use millrace_engine::record::{Headers, InputRecord, TimestampType};
use millrace_engine::refused::{Fingerprint, Refused};
use millrace_engine::task::{Deployed, InputPosition, Produced, Task, TaskError, TaskOptions};
use millrace_engine::topology::{TopicId, Topology};

use super::{Disk, Rules, topology};

pub struct Single {
    pub topology: Arc<Topology>,
    pub disk: Disk,
    pub task: Task,
    rules: Rules,
}

impl Single {
    /// The first sub-topology of a pipeline, with this number of partitions for each topic.
    pub fn new(steps: &str, partitions: u32) -> Self {
        let (topology, disk) = (topology(steps), Disk::default());
        let task = open(&topology, &disk, options(&topology, partitions));
        let rules = Rules::new(&topology);
        Self { topology, disk, task, rules }
    }

    /// Offers a record without a turn: its event time orders it.
    pub fn offer(&mut self, topic: &str, offset: i64, value: impl AsRef<[u8]>, timestamp: i64, arrived: i64) {
        let wanted = |id: &TopicId| self.topology.topics[id.0].name == topic;
        let input = self.task.inputs().iter().position(wanted).expect("an input");
        let record = InputRecord {
            offset,
            timestamp,
            timestamp_type: TimestampType::CreateTime,
            key: Some(Bytes::from("k")),
            value: Some(Bytes::copy_from_slice(value.as_ref())),
            headers: Headers::EMPTY,
            arrived,
            turn: 0,
        };
        self.task.offer(input, record);
    }

    pub fn run(&mut self) -> Vec<Produced> {
        self.try_run().unwrap()
    }

    pub fn try_run(&mut self) -> Result<Vec<Produced>, TaskError> {
        self.task.run(&mut self.rules, usize::MAX)
    }

    /// Commits, and returns the positions of the inputs and the counts.
    pub fn commit(&mut self) -> (Vec<InputPosition>, Ledger) {
        let prepared = self.task.prepare();
        self.disk.commit(0, &prepared.changes);
        (prepared.offsets, prepared.ledger)
    }

    pub fn reopen(&mut self) {
        self.reopen_firing(usize::MAX);
    }

    /// Reopens the task, with this limit of timers per tick.
    pub fn reopen_firing(&mut self, timers: usize) {
        self.task = open(&self.topology, &self.disk, TaskOptions { timers, ..options(&self.topology, 1) });
    }

    /// Reopens the task; a topic has refused a record of the key `k` with this value and time.
    pub fn reopen_refusing(&mut self, topic: &str, value: &str, timestamp: i64, reason: &str) {
        let place = self.topology.topics.iter().position(|known| known.name == topic).expect("a topic");
        let mut refused = Refused::default();
        refused.learn(TopicId(place), Fingerprint::of(Some(b"k"), Some(value.as_bytes()), timestamp), reason.into());
        let refused = Some(Arc::new(refused));
        self.task = open(&self.topology, &self.disk, TaskOptions { refused, ..options(&self.topology, 1) });
    }

    pub fn tick(&mut self, now: i64) -> Vec<Produced> {
        self.task.tick(&mut self.rules, now, 0).unwrap()
    }
}

fn options(topology: &Topology, partitions: u32) -> TaskOptions {
    let deployed = [Deployed::new(DeploymentId(0), 1, "d")];
    let partitions = topology.topics.iter().map(|_| partitions).collect();
    TaskOptions { batch: 100, ..TaskOptions::new(0, 0, partitions, deployed.into()) }
}

fn open(topology: &Arc<Topology>, disk: &Disk, options: TaskOptions) -> Task {
    Task::open(topology.clone(), options, disk.partition(0)).unwrap()
}

/// The value of a record, as text.
pub fn value(record: &Produced) -> String {
    String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap()
}

/// A header of a record, as text.
pub fn header(record: &Produced, name: &str) -> String {
    let header = record.headers.last(name.as_bytes()).unwrap();
    String::from_utf8(header.value.clone().unwrap().to_vec()).unwrap()
}
