//! Reasons in the processes' logs for partitions that have stopped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::progress::{LONGEST, Place};

/// Time for which an entry explains a stop: the app repeats a warning every 30 s, and a sample may be late.
const HOLDS: Duration = Duration::from_secs(60);

/// Beginnings of entries about a partition that isn't read, with its topic and number.
const OF_A_PARTITION: [&str; 2] =
    ["a partition can't be read, and is tried again", "nothing comes from a partition that isn't read to its end"];

/// Beginnings of entries about a task that isn't open. All of its inputs have the partition in the entry; the topic may
/// be a changelog.
const OF_A_TASK: [&str; 2] =
    ["a partition can't be processed yet, and is tried again", "the local state can't be used and is restored"];

/// Beginnings of entries about a worker or the whole process, which name no partition.
const OF_A_PROCESS: [&str; 17] = [
    "waiting",
    "the cluster doesn't answer: waiting for it",
    "the group's members or the inputs' partitions can't be had",
    "members of the group divide the inputs into tasks in different ways",
    "the group doesn't take this process, which tries again",
    "an input can't be read, and is looked for again",
    "the group's assignment could not be followed",
    "the global table waits for its topic",
    "this process can't run a task, and leaves the group",
    "a transaction waits for the broker",
    "a transaction failed: going on from what is committed",
    "a worker failed: another one takes over",
    "a call to Kafka hangs",
    "workers didn't hand their tasks over in time",
    "rows of global tables can't be written",
    "a rule is slow: the records of its partitions wait for it",
    "a run took too long and was cut off",
];

/// The logs, as far as they were read. Times count from the start of the run, and are those of reading.
#[derive(Default)]
pub struct Logs {
    read: BTreeMap<String, u64>,
    partitions: BTreeMap<Place, Duration>,
    tasks: BTreeMap<i32, Duration>,
    process: Option<(Duration, String)>,
    /// The state of each process, and since when it is in it.
    states: BTreeMap<String, (Duration, String)>,
    /// The logs of the processes that run.
    pub running: Vec<String>,
}

impl Logs {
    /// Reads the new lines of the logs in a folder.
    pub fn read(&mut self, now: Duration, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("process-") && name.ends_with(".log") {
                let from = self.read.get(&name).copied().unwrap_or(0);
                let text = whole_lines(&entry.path(), from);
                self.read.insert(name.clone(), from + text.len() as u64);
                String::from_utf8_lossy(&text).lines().for_each(|line| self.hear(now, &name, line));
            }
        }
    }

    /// Takes a line of a log.
    pub fn hear(&mut self, now: Duration, log: &str, line: &str) {
        self.states.entry(log.to_owned()).or_insert((now, "created".to_owned()));
        let Ok(entry) = serde_json::from_str::<Value>(line) else { return };
        let fields = &entry["fields"];
        let Some(message) = fields["message"].as_str() else { return };
        let begins = |with: &[&str]| with.iter().any(|beginning| message.starts_with(beginning));
        let partition = fields["partition"].as_i64().map(|number| number as i32);
        match (fields["topic"].as_str(), partition) {
            (Some(topic), Some(partition)) if begins(&OF_A_PARTITION) => {
                self.partitions.insert((topic.to_owned(), partition), now);
            }
            (_, Some(partition)) if begins(&OF_A_TASK) => {
                let others = fields["partitions"].as_str().unwrap_or_default().split(", ");
                let others = others.filter_map(|place| place.rsplit_once('-')?.1.parse().ok());
                self.tasks.extend(others.chain([partition]).map(|partition| (partition, now)));
            }
            _ if begins(&OF_A_PROCESS) => self.process = Some((now, message.to_owned())),
            _ if message == "state" => {
                self.states.insert(log.to_owned(), (now, fields["to"].as_str().unwrap_or_default().to_owned()));
            }
            _ => {}
        }
    }

    /// The reason in the logs for a partition that has stopped at this time. A state of a process explains it while it
    /// lasts, for at most [`LONGEST`].
    pub fn reason(&self, place: &Place, since: Duration, now: Duration) -> Option<String> {
        let holds = |said: Duration| said >= since && now.saturating_sub(said) <= HOLDS;
        if self.partitions.get(place).or(self.tasks.get(&place.1)).is_some_and(|said| holds(*said)) {
            return Some("a process names it".into());
        }
        if let Some((_, message)) = self.process.as_ref().filter(|(said, _)| holds(*said)) {
            return Some(message.clone());
        }
        let is_busy =
            |(entered, state): &(Duration, String)| state != "running" && now.saturating_sub(*entered) <= LONGEST;
        let mut states = self.running.iter().filter_map(|log| Some((log, self.states.get(log)?)));
        let (log, (_, state)) = states.find(|(_, state)| is_busy(state))?;
        Some(format!("the process of {log} is {state}"))
    }
}

/// The content of a file from a position on; an incomplete last line comes with the next call.
fn whole_lines(path: &Path, from: u64) -> Vec<u8> {
    let (mut file, mut text) = (File::open(path).unwrap(), Vec::new());
    file.seek(SeekFrom::Start(from)).unwrap();
    file.read_to_end(&mut text).unwrap();
    text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    text
}
