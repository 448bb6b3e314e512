//! The output of `millrace replay` for the input in the topics.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;

use crate::harness::lines::{Line, line};
use crate::harness::records::Record;
use crate::input::CLOSER;
use crate::inputs::Inputs;
use crate::names::full;
use crate::place::Place;

/// The outputs of a replay, a file for each topic.
pub struct Replayed(BTreeMap<String, PathBuf>);

impl Replayed {
    /// Replays the input.
    pub fn make(place: &Place, inputs: &Inputs) -> Self {
        write_input(place, inputs);
        place.write_pipeline_with_partitions("replay.toml", |topic| {
            let topic = topic.strip_prefix("soak-").unwrap_or(topic);
            inputs.of(topic).len() as i32
        });
        let said = place.command("replay replay.toml --in input.jsonl --out expected.jsonl").output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        Self(by_topic(place))
    }

    /// The output to a topic, in order. These records have no offsets.
    pub fn read(&self, topic: &str) -> Vec<Record> {
        let Some(path) = self.0.get(&full(topic)) else { return Vec::new() };
        let lines = BufReader::new(File::open(path).unwrap()).lines();
        lines.map(|line| Line::parse(&line.unwrap()).record()).collect()
    }
}

fn by_topic(place: &Place) -> BTreeMap<String, PathBuf> {
    let mut files: BTreeMap<String, (PathBuf, BufWriter<File>)> = BTreeMap::new();
    for text in BufReader::new(File::open(place.path("expected.jsonl")).unwrap()).lines() {
        let text = text.unwrap();
        let topic = Line::parse(&text).topic.to_owned();
        let (_, file) = files.entry(topic).or_insert_with_key(|topic| {
            let path = place.path(&format!("expected-{topic}.jsonl"));
            (path.clone(), BufWriter::new(File::create(path).unwrap()))
        });
        writeln!(file, "{text}").unwrap();
    }
    drop(std::fs::remove_file(place.path("expected.jsonl")));
    files.into_iter().map(|(topic, (path, _))| (topic, path)).collect()
}

/// Where the next record of a partition lies, and when it is its turn.
struct Head<'i> {
    topic: &'static str,
    partition: usize,
    records: &'i [Record],
    turn: i64,
}

/// Records of all partitions are taken in the order of their times, the global table's first. A time that is far off is
/// nobody's turn: such a record comes right behind the one before it. Those that close windows come last.
fn write_input(place: &Place, inputs: &Inputs) {
    let mut file = BufWriter::new(File::create(place.path("input.jsonl")).unwrap());
    let mut heads: Vec<_> = inputs
        .topics()
        .flat_map(|topic| {
            let partitions = inputs.of(topic).iter().enumerate();
            partitions.map(move |(partition, records)| Head { topic, partition, records, turn: inputs.base })
        })
        .collect();
    for head in &mut heads {
        head.advance();
    }
    while let Some(head) = heads.iter_mut().filter(|head| !head.records.is_empty()).min_by_key(|head| head.turn) {
        let (record, rest) = head.records.split_first().unwrap();
        writeln!(file, "{}", input_line(inputs, head, record)).unwrap();
        head.records = rest;
        head.advance();
    }
    file.flush().unwrap();
}

impl Head<'_> {
    fn advance(&mut self) {
        const FAR: i64 = 3_600_000;
        let Some(record) = self.records.first() else { return };
        if self.topic == "names" {
            self.turn = i64::MIN;
        } else if record.headers.iter().any(|(name, _)| name == CLOSER) {
            self.turn = i64::MAX;
        } else if (record.timestamp - self.turn).abs() < FAR {
            self.turn = record.timestamp;
        }
    }
}

fn input_line(inputs: &Inputs, head: &Head<'_>, record: &Record) -> String {
    let (topic, partition) = (full(head.topic), head.partition as i32);
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    if inputs.is_from_the_future(record) {
        // Something in its place that is refused too.
        return line(&topic, partition, (key, Some(b"from the future")), inputs.base, &record.headers);
    }
    line(&topic, partition, (key, value), record.timestamp, &record.headers)
}
