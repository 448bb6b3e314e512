//! An app with its topics and folders.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaResult;
use tempfile::TempDir;

use super::feeder::Feeder;
use super::input::{Answer, PARTITIONS, Shape, input};
use super::process::Process;
use super::records::Kafka;
use super::wait::{until, within};

pub use crate::support::copy_folder;
use crate::support::{guest_named, millrace_in};

const GUESTS: [&str; 2] = ["order_status.wasm", "product_sums.wasm"];

/// Settings of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Window of the join. After a broker was down, one topic may be available long before the other: the window must
    /// be wide enough that no record is late.
    pub within: &'static str,
    /// Lines under `[kafka]`, beside the session timeout.
    pub kafka: &'static str,
    /// Session timeout in milliseconds.
    pub session: u32,
    /// `max.message.bytes` of the topic `orders`.
    pub largest_order: usize,
    /// Whether the topic `orders` exists from the start.
    pub with_orders: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { within: "10s", kafka: "", session: 2_000, largest_order: 1_048_588, with_orders: true }
    }
}

impl Settings {
    /// The window in milliseconds.
    pub fn window_ms(&self) -> i64 {
        let (number, unit) = self.within.split_at(self.within.len() - 1);
        number.parse::<i64>().unwrap() * if unit == "m" { 60_000 } else { 1_000 }
    }
}

/// An app on a cluster, with its input.
pub struct App {
    pub name: String,
    pub kafka: Kafka,
    pub input: Arc<Vec<Answer>>,
    pub settings: Settings,
    bootstrap: String,
    folder: TempDir,
    started: Cell<usize>,
}

impl App {
    /// Creates its topics. Their names begin with its own, and no other app's name may begin with it.
    pub fn new(bootstrap: &str, name: &str, shape: Shape, settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for guest in GUESTS {
            std::fs::write(folder.path().join(guest), guest_named(guest)).unwrap();
        }
        std::fs::write(folder.path().join("pipeline.toml"), pipeline(name, settings)).unwrap();
        let app = Self {
            name: name.into(),
            kafka: Kafka::new(bootstrap, name),
            input: Arc::new(input(shape)),
            settings,
            bootstrap: bootstrap.into(),
            folder,
            started: Cell::new(0),
        };
        for topic in ["payments", "stock", "sums"] {
            app.create_topic(topic);
        }
        if settings.with_orders {
            app.create_topic("orders");
        }
        app
    }

    /// Creates one of its topics, for records of any age.
    pub fn create_topic(&self, topic: &str) {
        let largest = match topic {
            "orders" => self.settings.largest_order,
            _ => 4_000_000,
        };
        self.kafka.create(
            &self.topic(topic),
            PARTITIONS as i32,
            &[("retention.ms", "-1"), ("max.message.bytes", &largest.to_string())],
        );
    }

    /// The full name of one of its topics.
    pub fn topic(&self, topic: &str) -> String {
        format!("{}-{topic}", self.name)
    }

    /// A folder or file of the scenario.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a process on this folder.
    pub fn start(&self, data: &str) -> Process {
        self.launch(self.run(data, ""))
    }

    /// Starts a process that dies at a point, such as `stored:3`.
    pub fn start_with_fault(&self, data: &str, fault: &str) -> Process {
        let mut command = self.run(data, "");
        command.env("MILLRACE_FAULT", fault);
        self.launch(command)
    }

    /// Starts a process with more words on its command line, and with a more detailed log.
    pub fn start_with(&self, data: &str, words: &str) -> Process {
        let mut command = self.run(data, words);
        command.env("MILLRACE_LOG", "info,millrace_kafka=debug");
        self.launch(command)
    }

    fn run(&self, data: &str, words: &str) -> Command {
        self.command(&format!("run pipeline.toml --kafka {} --data {data} {words}", self.bootstrap))
    }

    fn launch(&self, command: Command) -> Process {
        let number = self.started.get();
        self.started.set(number + 1);
        Process::start(command, &self.path(&format!("process-{number}.log")))
    }

    /// The `millrace` command with these arguments, in the folder of the scenario.
    pub fn command(&self, words: &str) -> Command {
        let mut command = millrace_in(self.folder.path(), words);
        command.env("MILLRACE_LOG", "info");
        command
    }

    /// Sends all input.
    pub fn feed_all(&self) {
        self.feed(None).finish();
    }

    /// Sends the input at this number of records a second.
    pub fn feed(&self, rate: Option<u32>) -> Feeder {
        Feeder::start(&self.bootstrap, &self.name, Arc::clone(&self.input), rate)
    }

    /// All topics of the app, with the internal ones, and their numbers of partitions.
    pub fn topics(&self) -> KafkaResult<BTreeMap<String, i32>> {
        self.kafka.topics(&format!("{}-", self.name))
    }

    /// The lag of the app, over its inputs, its repartition topic and its table.
    pub fn lag(&self) -> KafkaResult<i64> {
        let own = [self.topic("payments"), self.topic("stock"), self.topic("orders")];
        let mut lag = 0;
        for (topic, partitions) in self.topics()? {
            if own.contains(&topic) || topic.ends_with("-repartition") {
                let ends = self.kafka.ends(&topic, partitions)?;
                let positions = self.kafka.positions(&topic, partitions)?;
                lag += ends.iter().zip(positions).map(|(end, position)| end.high - position.max(0)).sum::<i64>();
            }
        }
        Ok(lag)
    }

    /// Number of records in `orders`, committed or not.
    pub fn put_out(&self) -> i64 {
        let ends = self.kafka.ends(&self.topic("orders"), PARTITIONS as i32);
        ends.map_or(0, |ends| ends.iter().map(|end| end.high).sum())
    }

    /// Number of committed offsets in `orders`, with those of transaction markers.
    pub fn committed(&self) -> i64 {
        let ends = self.kafka.ends(&self.topic("orders"), PARTITIONS as i32);
        ends.map_or(0, |ends| ends.iter().map(|end| end.stable).sum())
    }

    /// Waits for this many more output records.
    pub fn wait_for_more(&self, records: i64) {
        let before = self.put_out();
        until("more is put out", || self.put_out() >= before + records);
    }

    /// Waits until all input is processed and committed.
    pub fn wait_until_caught_up(&self, patience: Duration) {
        let mut last = None;
        let caught_up = || {
            last = self.lag().ok();
            last == Some(0)
        };
        // The failure says whether the lag still shrinks.
        let caught = std::panic::AssertUnwindSafe(|| within(patience, "everything is processed", caught_up));
        if std::panic::catch_unwind(caught).is_err() {
            panic!("not all was processed in {patience:?}; what is left: {last:?}");
        }
    }
}

impl Drop for App {
    /// After a failure, prints the logs of the processes.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut text = String::new();
        for number in 0..self.started.get() {
            let log = std::fs::read_to_string(self.path(&format!("process-{number}.log"))).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let from = lines.len().saturating_sub(25);
            text += &format!("--- {}, process {number} ---\n{}\n", self.name, lines[from..].join("\n"));
        }
        eprintln!("{text}");
    }
}

/// A join, a table of its results, and after a change of keys an aggregate.
fn pipeline(app: &str, Settings { within, kafka, session, .. }: Settings) -> String {
    let heartbeat = session / 5;
    format!(
        r#"
app = "{app}"
dlq = "{app}-dead"
commit-interval = "100ms"
threads = 2

[kafka]
"session.timeout.ms" = {session}
"heartbeat.interval.ms" = {heartbeat}
{kafka}

[plugins.order-status]
component = "order_status.wasm"

[plugins.product-sums]
component = "product_sums.wasm"

[[source]]
name = "payments"
topic = "{app}-payments"
key = "i64"
partitions = {PARTITIONS}

[[source]]
name = "stock"
topic = "{app}-stock"
key = "i64"
partitions = {PARTITIONS}

[[join]]
name = "resolve"
left = "payments"
right = "stock"
within = "{within}"
call = "order-status.resolve"

[[sink]]
from = "resolve"
topic = "{app}-orders"

[[table]]
name = "orders"
topic = "{app}-orders"
key = "i64"

[[transform]]
name = "by-product"
from = "resolve"
call = "product-sums.by_product"

[[aggregate]]
name = "sums"
from = "by-product"
call = "product-sums.sums"

[[sink]]
from = "sums"
topic = "{app}-sums"
"#
    )
}
