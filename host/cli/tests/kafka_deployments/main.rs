//! Deployments on a real broker: rolling restarts, many swaps under load with processes that are killed in the middle of
//! one, and trials over several processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod canaries;
mod floods;
mod latency;
mod load;
mod restarts;
mod rewrites;
mod swaps;
mod trials;

use std::sync::OnceLock;

use millrace_broker::{Cluster, Options};
use serde_json::Value;

use support::{Place, Running, guest_named};

/// Passes records of `<app>-in` on to `<app>-out` with the name of the version that did, and counts them by key.
const PIPELINE: &str = r#"
app = "APP"
commit-interval = "100ms"

[plugins.swap]
component = "swap.wasm"

[[source]]
name = "in"
topic = "APP-in"
key = "string"

[[transform]]
name = "tag"
from = "in"
call = "swap.tag"

[[aggregate]]
name = "count"
from = "in"
call = "swap.count"

[[sink]]
from = "tag"
topic = "APP-out"

[[table]]
name = "counts"
from = "count"
"#;

/// An app on the cluster.
struct App {
    place: Place,
    bootstrap: String,
    kafka: String,
    name: &'static str,
}

/// The app's files and topics; `None` if Kafka can't run, and then the test counts as not run.
fn app(name: &'static str, partitions: u32) -> Option<App> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let start = || millrace_broker::for_test(Options::default()).unwrap();
    let bootstrap = CLUSTER.get_or_init(start).as_ref()?.bootstrap();
    let place = Place::new();
    place.write("swap.toml", PIPELINE.replace("APP", name));
    for version in ["swap.wasm", "swap_next.wasm"] {
        place.write(version, guest_named(version));
    }
    let app = App { place, kafka: format!("--kafka {bootstrap}"), bootstrap, name };
    for topic in ["in", "out"] {
        let settings = format!("--partitions {partitions} --config retention.ms=-1");
        app.millrace(&format!("topic create {name}-{topic} {settings}"));
    }
    Some(app)
}

impl App {
    /// Runs a command on the cluster to its end, and returns its output.
    fn millrace(&self, words: &str) -> String {
        self.place.millrace(&format!("{words} {}", self.kafka)).good()
    }

    /// Starts a process with two workers.
    fn start(&self, data: &str, more: &str, fault: Option<&str>) -> Running {
        let session = if more.contains("session.timeout.ms") { "" } else { "--set kafka.session.timeout.ms=6000" };
        let settings = format!("--set threads=2 {session} {more} {}", self.kafka);
        let mut command = self.place.command(&format!("run swap.toml --data {data} {settings}"));
        command.envs(fault.map(|fault| ("MILLRACE_FAULT", fault)));
        Running::start(command)
    }

    /// The same, once it runs.
    fn running(&self, data: &str) -> Running {
        let mut process = self.start(data, "", None);
        process.logged("running");
        process
    }

    /// The statuses of the deployments that are kept, by generation, and the verdict on the last one.
    fn statuses(&self) -> (Vec<(u64, String)>, String) {
        let lines = self.millrace("deployments list swap.toml --json");
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let status = |it: &Value| (it["generation"].as_u64().unwrap(), it["status"].as_str().unwrap().to_owned());
        let verdict = lines.last().map(|it| it["verdict"].as_str().unwrap_or_default().to_owned());
        (lines.iter().map(status).collect(), verdict.unwrap_or_default())
    }

    /// A deployment, with the counts or the report of its trial.
    fn show(&self, generation: u32) -> Value {
        let shown = self.millrace(&format!("deployments show swap.toml --json --generation {generation}"));
        serde_json::from_str(&shown).unwrap()
    }

    /// The dead letters.
    fn letters(&self) -> Vec<Value> {
        let lines = self.millrace(&format!("topic read {}-dlq --key string", self.name));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The numbers of the records that failed at the step `tag`.
    fn failed(&self) -> Vec<u64> {
        let letters = self.letters().into_iter();
        let of_tag = letters.filter(|letter| letter["headers"].to_string().contains("at step tag of"));
        of_tag.map(|letter| letter["value"]["n"].as_u64().unwrap()).collect()
    }

    fn write(&self, lines: &str) {
        let words = format!("topic write {}-in --key string {}", self.name, self.kafka);
        self.place.millrace_with(&words, lines).good();
    }

    /// The results, in the order of each partition.
    fn results(&self) -> Vec<Tagged> {
        let lines = self.millrace(&format!("topic read {}-out --key string", self.name));
        let tagged = |line: &str| {
            let it: Value = serde_json::from_str(line).unwrap();
            let (number, partition) = (it["value"]["n"].as_u64().unwrap(), it["partition"].as_u64().unwrap());
            Tagged { partition, number, by: it["value"]["by"].as_str().unwrap().to_owned() }
        };
        lines.lines().map(tagged).collect()
    }
}

/// A result.
struct Tagged {
    partition: u64,
    number: u64,
    /// The name of the version.
    by: String,
}

/// Records with these numbers, each with a key of its own.
fn records(numbers: std::ops::Range<u64>) -> String {
    let line =
        |n: u64| format!("{{\"key\":\"k{n}\",\"value\":{{\"n\":{n},\"amount\":1}},\"timestamp\":{}}}\n", 1_000 + n);
    numbers.map(line).collect()
}
