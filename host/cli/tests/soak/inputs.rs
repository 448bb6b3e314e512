//! The input, read back from the topics.

use std::collections::BTreeMap;

use crate::harness::records::{Kafka, Record};
use crate::names::{INPUTS, full};

/// All records that were fed, by topic and partition.
pub struct Inputs {
    topics: BTreeMap<&'static str, Vec<Vec<Record>>>,
    /// The start of the run, in milliseconds since the epoch.
    pub base: i64,
}

impl Inputs {
    /// Reads them.
    pub fn read(kafka: &Kafka, base: i64) -> Self {
        let topics = INPUTS.iter().map(|topic| (*topic, kafka.read(&full(topic)))).collect();
        Self { topics, base }
    }

    /// Partitions of a topic.
    pub fn of(&self, topic: &str) -> &[Vec<Record>] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// Records of a topic, with their partitions.
    pub fn records(&self, topic: &str) -> impl Iterator<Item = (i32, &Record)> {
        flat(self.of(topic))
    }

    /// All topics.
    pub fn topics(&self) -> impl Iterator<Item = &'static str> {
        self.topics.keys().copied()
    }

    /// Number of all records.
    pub fn count(&self) -> usize {
        self.topics.values().flatten().map(Vec::len).sum()
    }

    /// Whether a record's timestamp is further ahead of the clock than the sources allow. `replay` has no clock to
    /// tell.
    pub fn is_from_the_future(&self, record: &Record) -> bool {
        const DAY: i64 = 86_400_000;
        record.timestamp > self.base + 30 * DAY
    }

    /// Whether records of these timestamps match in a join by its `within`. A record from long before the run is late
    /// for all windows, and matches none, not even one of the same timestamp.
    pub fn meet(&self, one: i64, other: i64, within: i64) -> bool {
        const HOUR: i64 = 3_600_000;
        one.min(other) > self.base - HOUR && (one - other).abs() <= within
    }

    /// Checks that offsets have no gaps from 0 on, as in `replay`.
    pub fn gaps(&self) -> Vec<String> {
        let mut found = Vec::new();
        for topic in self.topics() {
            for (partition, records) in self.of(topic).iter().enumerate() {
                let gap = records.iter().enumerate().find(|(number, record)| record.offset != *number as i64);
                if let Some((number, record)) = gap {
                    found.push(format!(
                        "`{topic}` partition {partition}: record {number} has the offset {}",
                        record.offset
                    ));
                }
            }
        }
        found
    }
}

/// Records with their partitions.
pub fn flat(partitions: &[Vec<Record>]) -> impl Iterator<Item = (i32, &Record)> {
    let partitions = partitions.iter().enumerate();
    partitions.flat_map(|(partition, records)| records.iter().map(move |record| (partition as i32, record)))
}
