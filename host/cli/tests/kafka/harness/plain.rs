//! An app with a pipeline of the scenario's own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tempfile::TempDir;

use super::process::Process;
use super::records::{Kafka, config};
use super::wait::until;
use crate::support::{guest_named, millrace_in};

/// An app, on a cluster.
pub struct Plain {
    pub name: String,
    pub kafka: Kafka,
    bootstrap: String,
    folder: TempDir,
    started: Cell<usize>,
    producer: BaseProducer,
}

impl Plain {
    /// An app with this pipeline. `APP` in it stands for the app's name, with which its topics' names begin.
    pub fn new(bootstrap: &str, name: &str, pipeline: &str, topics: &[(&str, i32)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(bootstrap);
        config.set("enable.idempotence", "true").set("linger.ms", "5");
        let app = Self {
            name: name.into(),
            kafka: Kafka::new(bootstrap, name),
            bootstrap: bootstrap.into(),
            folder,
            started: Cell::new(0),
            producer: config.create().unwrap(),
        };
        app.change(pipeline);
        for (topic, partitions) in topics {
            app.kafka.create(&app.topic(topic), *partitions, &[("retention.ms", "-1")]);
        }
        app
    }

    /// The same with these plugins.
    pub fn with_guests(self, guests: &[&str]) -> Self {
        for guest in guests {
            std::fs::write(self.folder.path().join(guest), guest_named(guest)).unwrap();
        }
        self
    }

    /// Sets the pipeline of processes that start later.
    pub fn change(&self, pipeline: &str) {
        std::fs::write(self.folder.path().join("pipeline.toml"), pipeline.replace("APP", &self.name)).unwrap();
    }

    /// The full name of one of its topics.
    pub fn topic(&self, topic: &str) -> String {
        format!("{}-{topic}", self.name)
    }

    /// Starts a process on this folder.
    pub fn start(&self, data: &str) -> Process {
        let number = self.started.get();
        self.started.set(number + 1);
        let words = format!("run pipeline.toml --kafka {} --data {data}", self.bootstrap);
        Process::start(self.command(&words), &self.log(number))
    }

    /// The `millrace` command with these arguments, in the folder of the scenario.
    pub fn command(&self, words: &str) -> Command {
        let mut command = millrace_in(self.folder.path(), words);
        command.env("MILLRACE_LOG", "info");
        command
    }

    fn log(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("process-{number}.log"))
    }

    /// Writes records with these values to a partition. Each value is also the key. Returns when the records are
    /// acknowledged.
    pub fn write(&self, topic: &str, partition: i32, values: impl IntoIterator<Item = i64>) {
        let topic = self.topic(topic);
        for value in values {
            let (key, text) = (value.to_string(), format!("{{\"id\":{value}}}"));
            let record = BaseRecord::to(&topic).partition(partition).key(&key).payload(&text);
            self.producer.send(record).unwrap();
            self.producer.poll(std::time::Duration::ZERO);
        }
        self.producer.flush(super::PATIENCE).unwrap();
    }

    /// Writes records, one per line, to the partitions of the lines or of their keys. `key` is the codec of the keys.
    pub fn write_lines(&self, topic: &str, key: &str, lines: impl IntoIterator<Item = String>) {
        let words = format!("topic write {} --kafka {} --key {key}", self.topic(topic), self.bootstrap);
        let mut child = self.command(&words).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = BufWriter::new(child.stdin.take().unwrap());
        lines.into_iter().for_each(|line| writeln!(input, "{line}").unwrap());
        drop(input);
        assert!(child.wait().unwrap().success());
    }

    /// Number of committed outputs of each value.
    pub fn all_results(&self, topic: &str) -> BTreeMap<i64, usize> {
        let mut found: BTreeMap<i64, usize> = BTreeMap::new();
        for record in self.kafka.read(&self.topic(topic)).into_iter().flatten() {
            let key = String::from_utf8(record.key.expect("results have keys")).unwrap();
            *found.entry(key.parse().unwrap()).or_default() += 1;
        }
        found
    }

    /// Waits until the committed outputs satisfy a condition.
    pub fn wait_for(&self, topic: &str, so: impl Fn(&BTreeMap<i64, usize>) -> bool) {
        until(&format!("{topic} has what it is to have"), || so(&self.all_results(topic)));
    }

    /// Waits until the group has this many members.
    pub fn wait_for_members(&self, members: usize) {
        until(&format!("{members} are members"), || self.kafka.members(&self.name).is_ok_and(|now| now == members));
    }
}

impl Drop for Plain {
    /// After a failure, prints the logs of the processes.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for number in 0..self.started.get() {
            let log = std::fs::read_to_string(self.log(number)).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let from = lines.len().saturating_sub(25);
            eprintln!("--- {}, process {number} ---\n{}", self.name, lines[from..].join("\n"));
        }
    }
}
