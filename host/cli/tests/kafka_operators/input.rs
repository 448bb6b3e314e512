//! The input: out of order, with ties, duplicates, tombstones and pauses.

use std::collections::VecDeque;

use serde_json::json;

use super::PARTITIONS;
use super::support::Dice;

/// Records of each of the two streams in a partition.
const RECORDS: usize = 1_500;

/// Keys of a partition.
const KEYS: u64 = 7;

/// Lines for all topics, in an order in which a task on Kafka takes them if all are there when it starts: of its
/// inputs, that with the lowest timestamp at its head; ties go to the first in the pipeline file. Rows of the global
/// table come first, since an instance has them before it takes anything else.
pub fn lines(seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut lines = names();
    for partition in 0..PARTITIONS {
        let mut left = stream("every-left", partition, &mut dice);
        let mut right = stream("every-right", partition, &mut dice);
        while let Some(line) = next(&mut left, &mut right) {
            lines.push_str(&line);
        }
    }
    lines
}

fn next(left: &mut VecDeque<(u64, String)>, right: &mut VecDeque<(u64, String)>) -> Option<String> {
    let first = match (left.front(), right.front()) {
        (Some((time, _)), Some((other, _))) if other < time => right,
        (Some(_), _) => left,
        _ => right,
    };
    first.pop_front().map(|(_, line)| line)
}

fn names() -> String {
    let name = |key| json!({"topic": "every-names", "key": key, "value": {"name": format!("n{key}")}, "timestamp": 1});
    let keys = (0..PARTITIONS * KEYS).filter(|key| key % 3 != 0);
    keys.map(|key| format!("{}\n", name(key))).collect()
}

/// Keys are chosen by partition here, and the partition is said with each record.
fn stream(topic: &str, partition: u64, dice: &mut Dice) -> VecDeque<(u64, String)> {
    let mut time = 1_700_000_000_000;
    let mut records = VecDeque::new();
    for number in 0..RECORDS {
        // Now and then nothing comes for longer than windows last.
        time += if dice.below(60) == 0 { 5_000 + dice.below(60_000) } else { dice.below(120) };
        let late = if dice.below(4) == 0 { dice.below(1_500) } else { 0 };
        let key = partition * KEYS + dice.below(KEYS);
        // Some come twice.
        let id = number as u64 - dice.below(3).min(number as u64);
        let value = if topic.ends_with("right") && dice.below(15) == 0 {
            json!(null)
        } else {
            json!({"id": id * PARTITIONS + partition, "amount": dice.below(100)})
        };
        let timestamp = time - late;
        let line = json!({"topic": topic, "partition": partition, "key": key, "value": value, "timestamp": timestamp});
        records.push_back((timestamp, format!("{line}\n")));
    }
    records
}
