//! Runs a topology over lines of input, as `replay` does.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::canary::{ALL, Canary, CanaryFunction};
use millrace_engine::deployment::ShadowPlan;
use millrace_engine::ledger::Ledger;
use millrace_engine::logic::Logic;
use millrace_engine::partitioner::partition_of;
use millrace_engine::ports::DeploymentId;
use millrace_engine::record::{Header, InputRecord, TimestampType};
use millrace_engine::shadow::{ShadowLogic, Unlimited};
use millrace_engine::stage::Stage;
use millrace_engine::task::{Deployed, Prepared, Produced, Task, TaskOptions};
use millrace_engine::topology;
use millrace_engine::topology::{Call, TopicId, TopicKind, Topology};

use super::{Disk, Limits, Rules, Wild, with_shadow};

/// How to run.
#[derive(Clone, Debug)]
pub struct Play {
    /// Lines between two runs, and most records in a guest call.
    pub batch: usize,
    /// Lines between two commits.
    pub commit_every: usize,
    /// Whether all tasks are closed and opened after each commit.
    pub restart: bool,
    pub window_memory: usize,
    /// See `TaskOptions::pass_bytes`.
    pub pass_bytes: usize,
    /// Whether each task is committed and opened anew after each pass.
    pub restart_between: bool,
    pub limits: Limits,
    /// Whether a shadow gets all calls, too.
    pub shadow: bool,
    /// Whether a canary with the same rules gets a share of the keys, another one after each commit.
    pub canary: bool,
}

impl Play {
    /// One record at a time: all other ways must have the same results.
    pub const PLAIN: Self = Self {
        batch: 1,
        commit_every: usize::MAX,
        restart: false,
        window_memory: usize::MAX,
        pass_bytes: usize::MAX,
        restart_between: false,
        limits: Limits::NONE,
        shadow: false,
        canary: false,
    };

    pub fn ways(limits: Limits) -> Vec<Self> {
        let plain = Self { limits, ..Self::PLAIN };
        let mut ways = vec![plain.clone()];
        for batch in [1, 2, 7, 100, 100_000] {
            ways.push(Self { batch, ..plain.clone() });
            for (commit_every, window_memory) in [(1, usize::MAX), (3, usize::MAX), (3, 0), (5, 2_000)] {
                ways.push(Self { batch, commit_every, restart: true, window_memory, ..plain.clone() });
            }
            for (pass_bytes, restart_between) in [(1, false), (1, true), (1_500, true)] {
                ways.push(Self { batch, pass_bytes, restart_between, ..plain.clone() });
            }
        }
        ways
    }
}

/// Outputs to external topics, and the counts.
pub fn play(topology: &Arc<Topology>, lines: &[&str], way: &Play) -> (Vec<String>, Ledger) {
    let (outputs, ledger, _) = play_on(topology, lines, way);
    (outputs, ledger)
}

/// Outputs as records, each with the number of its input line.
pub fn play_records(topology: &Arc<Topology>, lines: &[&str], way: &Play) -> Vec<(u64, Produced)> {
    driven(topology, lines, way).outputs
}

/// Outputs, counts, and the state at the end.
pub fn play_on(topology: &Arc<Topology>, lines: &[&str], way: &Play) -> (Vec<String>, Ledger, Disk) {
    let driver = driven(topology, lines, way);
    let outputs = driver.outputs.iter().map(|(_, output)| driver.show(output)).collect();
    (outputs, driver.ledger, driver.disk)
}

fn driven(topology: &Arc<Topology>, lines: &[&str], way: &Play) -> Driver {
    let mut driver = Driver::new(topology.clone(), way.clone());
    for (number, line) in lines.iter().enumerate() {
        driver.line(number as u64, line);
        if (number + 1).is_multiple_of(way.batch) || topology.feeds_back() {
            driver.flush();
        }
        if (number + 1).is_multiple_of(way.commit_every) {
            driver.commit();
        }
    }
    driver.commit();
    driver
}

fn header(word: &str) -> Option<Header> {
    let (name, value) = word.split_once('=')?;
    let value = (value != "-").then(|| Bytes::copy_from_slice(value.as_bytes()));
    Some(Header { name: Bytes::copy_from_slice(name.as_bytes()), value })
}

/// The time of the record that a dead letter shows.
fn original_time(letter: &Produced) -> i64 {
    let header = letter.headers.last(b"millrace-timestamp").unwrap().value.clone().unwrap();
    std::str::from_utf8(&header).unwrap().parse().unwrap()
}

/// The rules; with a wild shadow, if there is to be one.
fn rules(topology: &Arc<Topology>, shadow: bool) -> Box<dyn Logic> {
    if !shadow {
        return Box::new(Rules::new(topology));
    }
    let wild = || Wild { rules: Rules::new(topology), calls: 0 };
    let mut logic = ShadowLogic::new(wild(), wild(), Box::new(Unlimited), Arc::default());
    logic.adopt(&with_shadow(topology, ShadowPlan { share: ALL, budget: ALL, ignore: Vec::new() }));
    Box::new(logic)
}

struct Driver {
    topology: Arc<Topology>,
    way: Play,
    partitions: Arc<[u32]>,
    disk: Disk,
    tasks: Vec<Task>,
    stage: Stage,
    rules: Box<dyn Logic>,
    log: HashMap<(TopicId, u32), Vec<InputRecord>>,
    /// Offset of the next record of each input of each task.
    committed: HashMap<(usize, usize), i64>,
    outputs: Vec<(u64, Produced)>,
    /// The last line.
    turn: u64,
    ledger: Ledger,
    /// The driver's clock, which ticks advance.
    now: i64,
    commits: usize,
}

/// A canary with the same functions.
fn same_rules(topology: &Topology, weight: u32) -> Canary {
    let nodes = topology.subtopologies.iter().flat_map(|part| &part.nodes);
    let function = |call: &Call| {
        let ports = (0..call.manifest.ports.len() as u32).collect();
        (call.function, CanaryFunction { function: call.function, ports })
    };
    let functions = nodes.filter_map(|node| node.operator.call()).map(function).collect();
    Canary { id: DeploymentId(2), generation: 2, digest: "d2".into(), weight, functions }
}

impl Driver {
    fn new(topology: Arc<Topology>, way: Play) -> Self {
        let partitions: Arc<[u32]> = topology::partitions(&topology, &|_| None).expect("partitions").into();
        let disk = Disk::default();
        let rules = rules(&topology, way.shadow);
        let mut this = Self {
            topology,
            way,
            partitions,
            disk,
            tasks: Vec::new(),
            stage: Stage::default(),
            rules,
            log: HashMap::new(),
            committed: HashMap::new(),
            outputs: Vec::new(),
            turn: 0,
            ledger: Ledger::default(),
            now: 0,
            commits: 0,
        };
        this.open();
        this
    }

    fn open(&mut self) {
        self.tasks.clear();
        for (subtopology, shape) in self.topology.subtopologies.iter().enumerate() {
            let partitions = shape.inputs.iter().map(|topic| self.partitions[topic.0]).max().unwrap();
            for partition in 0..partitions {
                let task = self.open_task(self.tasks.len(), subtopology, partition);
                self.tasks.push(task);
            }
        }
    }

    /// A task with the records that it hasn't processed.
    fn open_task(&self, number: usize, subtopology: usize, partition: u32) -> Task {
        let mut deployed = vec![Deployed::new(DeploymentId(0), 1, "d1")];
        if self.way.canary {
            let weight = [3_000, 10_000, 1, 6_000][self.commits % 4];
            deployed[0].canary = Some(Arc::new(same_rules(&self.topology, weight)));
            deployed[0].reached += self.commits as u32;
        }
        let options = TaskOptions {
            batch: self.way.batch,
            window_memory: self.way.window_memory,
            record_bytes: self.way.limits.of_topics(&self.topology),
            state_bytes: self.way.limits.state_bytes,
            pass_bytes: self.way.pass_bytes,
            record_outputs: self.way.limits.record_outputs,
            ..TaskOptions::new(subtopology, partition, self.partitions.clone(), deployed.into())
        };
        let mut task = Task::open(self.topology.clone(), options, self.disk.partition(partition)).unwrap();
        for (input, topic) in task.inputs().to_vec().into_iter().enumerate() {
            let next = self.committed.get(&(number, input)).copied().unwrap_or(0) as usize;
            let records = self.log.get(&(topic, partition)).map_or(&[][..], Vec::as_slice);
            records[next..].iter().for_each(|record| task.offer(input, record.clone()));
        }
        task
    }

    /// Reads `topic key value @time`, with `-` for null, and `name=value` at the end for a header; `tick - - @time`
    /// advances the clock.
    fn line(&mut self, turn: u64, line: &str) {
        self.turn = turn;
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap_or_else(|| panic!("too short: {line}"));
        let (topic, key, value, time) = (word(), word(), word(), word());
        let timestamp = time.strip_prefix('@').unwrap().parse().unwrap();
        if topic == "tick" {
            return self.tick(turn, timestamp);
        }
        let field = |text: &str| (text != "-").then(|| Bytes::copy_from_slice(text.as_bytes()));
        let topic = TopicId(self.topology.topics.iter().position(|known| known.name == topic).expect(topic));
        let key = field(key);
        let partition = partition_of(key.as_deref(), turn as i64, self.partitions[topic.0]);
        let record = Produced {
            topic,
            partition,
            key,
            value: field(value),
            timestamp,
            headers: words.filter_map(header).collect::<Vec<_>>().into(),
            window: None,
            turn,
            arrived: self.now,
        };
        self.stage.put(Stage::OUTSIDE, record);
    }

    /// Appends to a topic, and offers the record to the task that reads it.
    fn append(&mut self, record: Produced) {
        let log = self.log.entry((record.topic, record.partition)).or_default();
        let input = InputRecord {
            offset: log.len() as i64,
            timestamp: record.timestamp,
            timestamp_type: TimestampType::CreateTime,
            key: record.key,
            value: record.value,
            headers: record.headers,
            arrived: record.arrived,
            turn: record.turn,
        };
        log.push(input.clone());
        for task in &mut self.tasks {
            if let Some(index) = task.inputs().iter().position(|topic| *topic == record.topic)
                && task.partition() == record.partition
            {
                task.offer(index, input);
                return;
            }
        }
    }

    /// Advances the clock, after all earlier lines.
    fn tick(&mut self, turn: u64, now: i64) {
        self.flush();
        self.now = self.now.max(now);
        let mut produced = Vec::new();
        for task in 0..self.tasks.len() {
            let mut outputs = self.tasks[task].tick(self.rules.as_mut(), self.now, turn).unwrap();
            while self.tasks[task].ready() {
                outputs.extend(self.tasks[task].run(self.rules.as_mut(), usize::MAX).unwrap());
            }
            for output in outputs {
                self.stage.put(task + 1, output.clone());
                produced.push((turn, task, output));
            }
        }
        self.show_all(produced);
        self.flush();
    }

    fn flush(&mut self) {
        let mut produced = Vec::new();
        if self.topology.feeds_back() {
            self.deliver_all();
            while self.tasks.iter().any(Task::ready) {
                for part in 0..self.topology.subtopologies.len() {
                    self.run_part(part, &mut produced);
                    self.deliver_all();
                }
            }
        } else {
            for part in 0..self.topology.subtopologies.len() {
                for topic in self.topology.subtopologies[part].inputs.clone() {
                    self.stage.take(topic).into_iter().for_each(|record| self.append(record));
                }
                self.run_part(part, &mut produced);
            }
            self.deliver_all();
        }
        assert!(!self.tasks.iter().any(Task::ready), "all records are processed");
        self.show_all(produced);
    }

    fn show_all(&mut self, mut produced: Vec<(u64, usize, Produced)>) {
        produced.sort_by_key(|(turn, task, _)| (*turn, *task));
        for (turn, _, output) in produced {
            if self.topology.topics[output.topic.0].kind != TopicKind::Repartition {
                self.outputs.push((turn, output));
            }
        }
    }

    fn deliver_all(&mut self) {
        self.stage.take_all().into_iter().for_each(|record| self.append(record));
    }

    fn run_part(&mut self, part: usize, produced: &mut Vec<(u64, usize, Produced)>) {
        for task in 0..self.tasks.len() {
            while self.tasks[task].subtopology() == part && self.tasks[task].ready() {
                for output in self.tasks[task].run(self.rules.as_mut(), usize::MAX).unwrap() {
                    self.stage.put(task + 1, output.clone());
                    produced.push((output.turn, task, output));
                }
                self.restart_between(task);
            }
        }
    }

    /// Commits a task and opens it anew. With pending results, a commit would change outputs, so this writes a part of
    /// the transaction instead.
    fn restart_between(&mut self, task: usize) {
        if !self.way.restart_between {
            return;
        }
        if !self.tasks[task].may_commit() {
            let prepared = self.tasks[task].prepare_part();
            return self.store(task, prepared);
        }
        self.commit_task(task);
        let (part, partition) = (self.tasks[task].subtopology(), self.tasks[task].partition());
        self.tasks[task] = self.open_task(task, part, partition);
    }

    /// Emits pending results until there are none.
    fn flush_pending(&mut self) {
        loop {
            self.flush();
            if self.tasks.iter().all(Task::is_flushed) {
                return;
            }
            let mut produced = Vec::new();
            for number in 0..self.tasks.len() {
                while !self.tasks[number].is_flushed() {
                    for output in self.tasks[number].flush(self.rules.as_mut(), self.now, self.turn).unwrap() {
                        self.stage.put(number + 1, output.clone());
                        produced.push(output);
                    }
                    self.restart_between(number);
                }
            }
            let external = |output: &Produced| self.topology.topics[output.topic.0].kind != TopicKind::Repartition;
            self.outputs.extend(produced.into_iter().filter(external).map(|output| (output.turn, output)));
        }
    }

    fn commit(&mut self) {
        self.flush_pending();
        (0..self.tasks.len()).for_each(|task| self.commit_task(task));
        self.commits += 1;
        if self.way.restart {
            self.open();
        }
    }

    fn commit_task(&mut self, number: usize) {
        let prepared = self.tasks[number].prepare();
        self.store(number, prepared);
    }

    fn store(&mut self, number: usize, prepared: Prepared) {
        let task = &self.tasks[number];
        let meta = self.topology.subtopologies[task.subtopology()].meta;
        for (key, _) in prepared.changes.iter().filter(|change| change.store == meta).flat_map(|it| &it.entries) {
            assert_eq!(self.topology.meta_owner(key), Some(task.subtopology()), "{key:?} has one owner");
        }
        self.disk.commit(task.partition(), &prepared.changes);
        for (input, position) in prepared.offsets.iter().enumerate() {
            if let Some(next) = position.next {
                self.committed.insert((number, input), next);
            }
        }
        self.ledger.add(&prepared.ledger);
    }

    fn show(&self, output: &Produced) -> String {
        let field = |bytes: &Option<Bytes>| {
            bytes.as_ref().map_or("-".into(), |bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let topic = &self.topology.topics[output.topic.0];
        // A dead letter has the time of the failure; a header has the record's time.
        let time = match topic.kind {
            TopicKind::DeadLetters => original_time(output),
            _ => output.timestamp,
        };
        let mut line = format!("{} {} {} @{time}", topic.name, field(&output.key), field(&output.value));
        if let Some(window) = output.window {
            line += &format!(" [{},{}]", window.start, window.end);
        }
        if topic.kind == TopicKind::DeadLetters {
            let header = |name: &str| field(&output.headers.last(name.as_bytes()).unwrap().value);
            let (code, step) = (header("millrace-error-code"), header("millrace-step"));
            let (origin, offset) = (header("__streams.errors.topic"), header("__streams.errors.offset"));
            line += &format!(" {code} at {step} from {origin}/{offset}");
        }
        line
    }
}
