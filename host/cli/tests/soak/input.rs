//! The input of a seed, in steps of half a second.
//!
//! Event time is the time of sending, a little out of order. Orders are answered by payments and stock within a second,
//! too late, twice or never. Keys of readings are new every minute and a half, so that the old ones fall silent.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::options::{Kind, Options};
use crate::support::Dice;

/// Length of a step.
pub const STEP: Duration = Duration::from_millis(500);

const STEP_MS: i64 = STEP.as_millis() as i64;

/// Header of records with bytes that are no text.
pub const HEADER: &str = "noise";

/// One of this many records is broken.
const POISON: u64 = 30;

/// Number of steps between slow readings.
const SLOW_EVERY: u64 = 240;

/// Number of slow readings: together slower than the transaction timeout.
const SLOW: i64 = 200;

/// Rounds of work for each of them: some 40 ms.
const SPIN: i64 = 20_000_000;

/// Twenty days, less than the lifetime of a producer's state on the broker; and ten years.
const OLD_MS: i64 = 20 * 86_400_000;
const FUTURE_MS: i64 = 3_650 * 86_400_000;

/// A day, which the sources allow. Only in streams without windows: it would close those of all records.
const AHEAD_MS: i64 = 86_400_000;

/// Timestamp of the records that close windows, after the present: more than their grace, less than the hour that a
/// broker allows.
const CLOSING_MS: i64 = 2_400_000;

/// A record to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: &'static str,
    /// Modulo the topic's number of partitions.
    pub partition: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// From the start of the run, in milliseconds.
    pub time: i64,
    pub header: Option<Vec<u8>>,
}

/// The input, step by step.
pub struct Input {
    dice: Dice,
    rate: u32,
    poison: bool,
    slow: bool,
    ahead: bool,
    step: u64,
    next_id: i64,
    /// Records that later steps send beside their own.
    later: BTreeMap<u64, Vec<Outgoing>>,
}

impl Input {
    pub fn new(options: &Options, seed: u64) -> Self {
        Self {
            dice: Dice::new(seed ^ 0x1219_u64.rotate_left(40)),
            rate: options.rate,
            poison: options.has(Kind::Poison),
            slow: options.has(Kind::Slow),
            ahead: options.has(Kind::Ahead),
            step: 0,
            next_id: 0,
            later: BTreeMap::new(),
        }
    }

    /// The records of the next step.
    pub fn next(&mut self) -> Vec<Outgoing> {
        let before = self.records_until(self.step);
        let count = self.records_until(self.step + 1) - before;
        let mut now = self.later.remove(&self.step).unwrap_or_default();
        for _ in 0..count {
            self.next_id += 1;
            match self.dice.below(100) {
                // An order has two records or so.
                0..=24 => self.order(&mut now),
                25..=59 => self.reading(&mut now),
                60..=79 => self.click(&mut now),
                _ => self.event(&mut now),
            }
        }
        if self.slow && self.step % SLOW_EVERY == SLOW_EVERY / 4 {
            self.slow_readings(&mut now);
        }
        self.step += 1;
        now
    }

    /// An order is one of these, and has two records.
    fn records_until(&self, step: u64) -> u64 {
        step * u64::from(self.rate) * STEP.as_millis() as u64 * 4 / 5 / 1_000
    }

    fn now(&mut self) -> i64 {
        self.step as i64 * STEP_MS + self.dice.below(STEP_MS as u64) as i64
    }

    fn order(&mut self, now: &mut Vec<Outgoing>) {
        let (id, amount) = (self.next_id, self.dice.below(100) as i64);
        let placed = self.now();
        let missing = self.dice.below(40);
        for (number, topic) in ["payments", "stock"].into_iter().enumerate() {
            let late = if self.dice.below(30) == 0 { 15_000 } else { 0 };
            let time = placed + self.dice.below(1_000) as i64 + late;
            let sent = self.step + self.dice.below(4);
            let twice = self.dice.below(40) == 0;
            if missing == number as u64 {
                continue;
            }
            let value = format!(r#"{{"id":{id},"amount":{amount},"from":"{topic}"}}"#);
            let mut record = outgoing(topic, id, id, value, time);
            self.maybe_poison(&mut record);
            let copies = if twice { 2 } else { 1 };
            let place = if sent == self.step { &mut *now } else { self.later.entry(sent).or_default() };
            place.extend(std::iter::repeat_n(record, copies));
        }
    }

    fn reading(&mut self, now: &mut Vec<Outgoing>) {
        let time = self.now() - self.late();
        let partition = self.dice.below(3) as i64;
        let epoch = self.step as i64 / 180;
        let key = (epoch * 20 + self.dice.below(20) as i64) * 3 + partition;
        // Some come twice.
        let id = self.next_id - self.dice.below(20).saturating_sub(17) as i64;
        let value = format!(r#"{{"id":{id},"amount":{}}}"#, self.dice.below(100));
        let mut record = outgoing("readings", partition, key, value, time);
        self.maybe_poison(&mut record);
        now.push(record);
    }

    /// A third is late by up to two seconds, and a few by more than windows wait for.
    fn late(&mut self) -> i64 {
        match self.dice.below(60) {
            0 => 20_000,
            1..=20 => self.dice.below(2_000) as i64,
            _ => 0,
        }
    }

    fn click(&mut self, now: &mut Vec<Outgoing>) {
        let (id, time) = (self.next_id, self.now());
        let topic = if self.dice.below(2) == 0 { "clicks-a" } else { "clicks-b" };
        let value = format!(r#"{{"id":{id},"amount":{}}}"#, self.dice.below(100));
        let mut record = outgoing(topic, self.dice.below(15) as i64, id % 500, value, time);
        self.maybe_poison(&mut record);
        now.push(record);
    }

    fn event(&mut self, now: &mut Vec<Outgoing>) {
        let (id, time) = (self.next_id, self.now());
        let value = format!(r#"{{"id":{id}}}"#);
        let mut record = outgoing("events", self.dice.below(60) as i64, id, value, time);
        self.maybe_poison(&mut record);
        now.push(record);
    }

    fn slow_readings(&mut self, now: &mut Vec<Outgoing>) {
        for number in 0..SLOW {
            let (time, id) = (self.now(), -1 - number - self.step as i64 * SLOW);
            let value = format!(r#"{{"id":{id},"amount":1,"do":"spin","times":{SPIN}}}"#);
            now.push(outgoing("readings", number, -1 - number, value, time));
        }
    }

    /// Breaks some records. Takes the same random numbers for the others.
    fn maybe_poison(&mut self, record: &mut Outgoing) {
        let (kind, noise) = (self.dice.below(15 * POISON), self.dice.below(256) as u8);
        if !self.poison {
            return;
        }
        let (id, text) =
            (self.next_id, |what: &str, id: i64| Some(format!(r#"{{"id":{id},"amount":1,{what}}}"#).into_bytes()));
        let obeys = matches!(record.topic, "readings" | "events");
        match kind {
            0 => record.key = Some(vec![noise; 3]),
            1 => record.key = None,
            2 => record.value = None,
            3 => record.value = Some(b"{\"id\":".to_vec()),
            4 => record.value = Some(vec![0xff, 0xfe, noise]),
            5 => record.value = Some(Vec::new()),
            6 => record.value = Some(format!(r#"{{"id":{id},"amount":"many"}}"#).into_bytes()),
            7 if !matches!(record.topic, "payments" | "stock") => record.value = Some(b"[1,2]".to_vec()),
            8 => record.header = Some(vec![0xc3, 0x28, noise]),
            9 => record.time -= OLD_MS,
            10 => record.time += FUTURE_MS,
            11 if record.topic == "events" => {
                record.value = text(&format!(r#""note":"{}""#, "x".repeat(150_000)), id);
            }
            11 if obeys => record.value = text(r#""do":"skip""#, id),
            12 if obeys => {
                let harm = ["panic", "panic", "fail", "memory"][usize::from(noise) % 4];
                record.value = text(&format!(r#""do":"{harm}""#), id);
            }
            // It takes a second of CPU to be sure of one.
            13 if obeys && noise < 64 => record.value = text(r#""do":"loop""#, id),
            14 if self.ahead && matches!(record.topic, "clicks-a" | "clicks-b" | "events") => record.time += AHEAD_MS,
            _ => {}
        }
    }
}

fn outgoing(topic: &'static str, partition: i64, key: i64, value: String, time: i64) -> Outgoing {
    let (key, value) = (Some(key.to_be_bytes().to_vec()), Some(value.into_bytes()));
    Outgoing { topic, partition, key, value, time, header: None }
}

/// Rows of the global table, which come before all other records.
pub fn names() -> Vec<Outgoing> {
    let name = |key: i64| outgoing("names", key, key, format!(r#"{{"name":"n{key}"}}"#), 0);
    (0..3_000).filter(|key| key % 3 != 0).map(name).collect()
}

/// Header of a record that closes windows.
pub const CLOSER: &str = "closer";

/// Records that close all windows, after everything else is processed. Their keys are new.
pub fn closers(time: i64) -> Vec<Outgoing> {
    let closer = |topic, partition: i64| {
        let value = format!(r#"{{"id":{},"amount":0}}"#, -1_000_000_000 - partition);
        let record = outgoing(topic, partition, -1_000_000_000 - partition, value, time + CLOSING_MS);
        Outgoing { header: Some(CLOSER.as_bytes().to_vec()), ..record }
    };
    let joined = (0..4).flat_map(|partition| ["payments", "stock"].map(|topic| closer(topic, partition)));
    joined.chain((0..3).map(|partition| closer("readings", partition))).collect()
}
