//! A process that is killed after a commit in the middle of one record's work.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Kafka, OpenTransaction, Process, shared_broker, until};
use crate::support::{guest_named, millrace_in};

/// A record is in 2,000 windows, which all close at once. Their results come over many commits: each takes so much work
/// that a pass is longer than the commit interval, even on a fast machine.
const PIPELINE: &str = r#"
app = "unfinished"
commit-interval = "50ms"

[kafka]
"session.timeout.ms" = 20000

[plugins.slow]
component = "slow.wasm"

[[source]]
name = "in"
topic = "unfinished-in"
key = "i64"

[[aggregate]]
name = "latest"
from = "in"
call = "slow.latest"
window = { hopping = "2000s", every = "1s" }
emit = "final"

[[transform]]
name = "work"
from = "latest"
call = "slow.work"

[[sink]]
from = "work"
topic = "unfinished-out"
"#;

const WINDOWS: i64 = 2_000;

/// Of the four partitions, each of two processes has one of these: it has the first two or the last two.
const USED: [i32; 2] = [1, 2];

/// Keys of each partition: so few that the other process is done long before the killed one's session times out.
const KEYS: i64 = 15;

/// A timestamp after all windows of the earlier records.
const LATER: i64 = 10_000_000;

struct App {
    bootstrap: String,
    kafka: Kafka,
    folder: TempDir,
}

impl App {
    fn new(bootstrap: &str) -> Self {
        let (bootstrap, kafka) = (bootstrap.to_owned(), Kafka::new(bootstrap, "unfinished"));
        let app = Self { bootstrap, kafka, folder: tempfile::tempdir().unwrap() };
        std::fs::write(app.folder.path().join("slow.wasm"), guest_named("slow.wasm")).unwrap();
        std::fs::write(app.folder.path().join("unfinished.toml"), PIPELINE).unwrap();
        for (topic, partitions) in [("unfinished-in", 4), ("unfinished-out", 1)] {
            app.kafka.create(topic, partitions, &[("retention.ms", "-1")]);
        }
        app
    }

    fn command(&self, words: &str) -> Command {
        let mut command = millrace_in(self.folder.path(), &format!("{words} --kafka {}", self.bootstrap));
        command.env("MILLRACE_LOG", "info,millrace_kafka=debug");
        command
    }

    fn start(&self, data: &str, words: &str) -> Process {
        let command = self.command(&format!("run unfinished.toml --data {data} {words}"));
        Process::start(command, &self.folder.path().join(format!("{data}.log")))
    }

    /// Writes a record of each key, and one that closes the windows of all.
    fn feed(&self) {
        let write =
            self.command("topic write unfinished-in --key i64").stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = write.unwrap();
        let mut input = child.stdin.take().unwrap();
        let times = (0..KEYS).map(|key| (key, LATER)).chain([(KEYS, 2 * LATER)]);
        for (partition, (key, timestamp)) in USED.iter().flat_map(|used| times.clone().map(move |time| (used, time))) {
            let key = key + i64::from(*partition) * 1_000;
            let value = format!(r#"{{"id":{key},"rounds":40000}}"#);
            writeln!(input, r#"{{"partition":{partition},"key":{key},"value":{value},"timestamp":{timestamp}}}"#)
                .unwrap();
        }
        drop(input);
        assert!(child.wait().unwrap().success());
    }

    /// Whether an offset behind all input of a partition is committed.
    fn is_any_read(&self) -> bool {
        let positions = self.kafka.positions_of("unfinished-in", USED[0]..=USED[1]);
        positions.is_ok_and(|positions| positions.contains(&(KEYS + 1)))
    }

    /// Number of results of each key.
    fn results(&self) -> BTreeMap<Vec<u8>, i64> {
        let mut results = BTreeMap::new();
        for record in self.kafka.read("unfinished-out").into_iter().flatten() {
            *results.entry(record.key.unwrap()).or_default() += 1;
        }
        results
    }
}

/// The offsets of the records are committed with the first part of their results: they don't show that more are to
/// come.
#[test]
fn a_run_until_idle_finishes_the_work_of_a_process_that_was_killed() {
    let Some(broker) = shared_broker() else { return };
    let app = App::new(&broker);
    let killed = app.start("killed", "");
    until("it is a member", || app.kafka.members("unfinished").is_ok_and(|members| members == 1));
    // The app isn't done while this transaction is open.
    let open = OpenTransaction::with_an_offset(&broker, "unfinished-foreign", "unfinished", "unfinished-in", 0);
    let mut last = app.start("last", "--until-idle");
    // As soon as the second one has its partitions, the first one has only its own.
    until("both have partitions", || last.logged("state").iter().any(|entry| entry["to"] == "restoring"));
    // So that all results come from the other process.
    last.signal(Signal::SIGSTOP);
    app.feed();
    until("an offset behind the records that close the windows is committed", || app.is_any_read());
    killed.kill();
    last.signal(Signal::SIGCONT);
    open.end();
    let (ends, most) = (app.kafka.ends("unfinished-out", 1).unwrap(), KEYS * WINDOWS);
    assert!(ends[0].stable < most, "it was to be killed before it was done: {}", ends[0].stable);

    assert!(last.wait().success());
    let results = app.results();
    assert_eq!(results.len() as i64, 2 * KEYS, "all keys have results");
    assert!(results.values().all(|windows| *windows == WINDOWS), "of all windows, once: {results:?}");
    let asked = last.says("isn't committed up to its end yet");
    assert!(asked, "it was to be asked before the other one is missed: {:#?}", last.entries());
}
