//! Oracle 3: every record of the input is accounted for.
//!
//! Records that pass unchanged must be in the output as often as they were sent. Records of joins must be in the output
//! of the outer join, in pairs or alone. `sums.rs` counts the readings. A refused record must be one dead letter with
//! the reason. All others must be dropped, and must be expected to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::fates::{Fate, STEPS, TOO_LARGE, fate};
use crate::harness::records::Kafka;
use crate::inputs::{Inputs, flat};
use crate::names::{DEAD, full};
use crate::output::shown_key;
use crate::sums::{OUTER_MS, sides};

/// The fates of the input records, counted.
#[derive(Default)]
pub struct Accounts {
    input: usize,
    passed: usize,
    refused: BTreeMap<&'static str, usize>,
    skipped: usize,
}

/// Topic, partition and offset of a record of the input.
type Origin = (String, i32, i64);

impl Accounts {
    /// Looks up each record; returns those that are missing or superfluous.
    pub fn check(&mut self, kafka: &Kafka, inputs: &Inputs) -> Vec<String> {
        let refused = self.judge(inputs);
        let mut found = dead_letters(kafka, &refused);
        found.extend(passed_through(kafka, inputs, &["clicks-a", "clicks-b"], "clicks"));
        found.extend(passed_through(kafka, inputs, &["events"], "checked"));
        found.extend(joined(kafka, inputs));
        found
    }

    /// The codes of records that must be refused.
    pub fn codes(&self) -> BTreeSet<&'static str> {
        self.refused.keys().copied().collect()
    }

    /// The expected dead letters, with step and code.
    fn judge(&mut self, inputs: &Inputs) -> BTreeMap<Origin, (&'static str, &'static str)> {
        let mut refused = BTreeMap::new();
        for topic in inputs.topics().filter(|topic| *topic != "names") {
            for (partition, record) in inputs.records(topic) {
                self.input += 1;
                match fate(inputs, topic, record) {
                    Fate::Passes => self.passed += 1,
                    Fate::Skipped => self.skipped += 1,
                    Fate::Refused { step, code } => {
                        *self.refused.entry(code).or_default() += 1;
                        refused.insert((full(topic), partition, record.offset), (step, code));
                    }
                }
                // A step further: clicks whose group can't be told.
                let is_click = topic.starts_with("clicks") && fate(inputs, topic, record) == Fate::Passes;
                let ungrouped = match &record.value {
                    None => Some("null-value"),
                    Some(value) if crate::fates::doc(value).is_none() => Some("bad-value"),
                    Some(_) => None,
                };
                if let (true, Some(code)) = (is_click, ungrouped) {
                    refused.insert((full(topic), partition, record.offset), ("by-group", code));
                }
            }
        }
        refused
    }
}

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records: {} came through, {} were to be left out", self.input, self.passed, self.skipped)?;
        self.refused.iter().try_for_each(|(code, records)| write!(f, ", {records} refused as {code}"))
    }
}

fn dead_letters(kafka: &Kafka, refused: &BTreeMap<Origin, (&'static str, &'static str)>) -> Vec<String> {
    let mut letters: BTreeMap<Origin, Vec<(String, String, i32, i64)>> = BTreeMap::new();
    for (partition, letter) in flat(&kafka.read(&full(DEAD))) {
        let (step, code) = (letter.header("millrace-step"), letter.header("millrace-error-code"));
        if STEPS.contains(&step) || code == TOO_LARGE {
            let number = |name: &str| letter.header(name).parse().unwrap_or(-1);
            let topic = letter.header("__streams.errors.topic").to_owned();
            let origin = (topic, number("__streams.errors.partition") as i32, number("__streams.errors.offset"));
            let letter = (step.to_owned(), code.to_owned(), partition, letter.offset);
            letters.entry(origin).or_default().push(letter);
        }
    }
    let mut found = Vec::new();
    let origins = refused.keys().chain(letters.keys().filter(|origin| !refused.contains_key(*origin)));
    for origin in origins {
        let wanted = refused.get(origin);
        let got = letters.get(origin).map_or(&[][..], Vec::as_slice);
        let is_right = match (wanted, got) {
            (Some((step, code)), [(got_step, got_code, ..)]) => {
                code == got_code && (step == got_step || *code == TOO_LARGE)
            }
            _ => false,
        };
        if !is_right {
            let (topic, partition, offset) = origin;
            found.push(format!(
                "`{topic}` partition {partition} offset {offset} should be refused as {wanted:?}, and has the dead letters \
                 {got:?} (step, code, partition, offset)"
            ));
        }
    }
    shortened(found)
}

/// Records that pass unchanged.
fn passed_through(kafka: &Kafka, inputs: &Inputs, from: &[&'static str], to: &str) -> Vec<String> {
    type Places = Vec<String>;
    type Content<'r> = (&'r Option<Vec<u8>>, &'r Option<Vec<u8>>);
    let mut seen: BTreeMap<Content<'_>, (Places, Places)> = BTreeMap::new();
    for topic in from {
        let passing = inputs.records(topic).filter(|(_, record)| fate(inputs, topic, record) == Fate::Passes);
        for (partition, record) in passing {
            let place = format!("`{topic}` partition {partition} offset {}", record.offset);
            seen.entry((&record.key, &record.value)).or_default().0.push(place);
        }
    }
    let committed = kafka.read(&full(to));
    for (partition, record) in flat(&committed) {
        let place = format!("partition {partition} offset {}", record.offset);
        seen.entry((&record.key, &record.value)).or_default().1.push(place);
    }
    let differ = seen.iter().filter(|(_, (sent, came))| sent.len() != came.len());
    shortened(differ.map(|((key, _), (sent, came))| {
        format!("key {}, sent as {sent:?}, came out to `{to}` as {came:?}", shown_key(key.as_deref()))
    }))
}

/// The results of the outer join for a key: pairs, and records without a match.
fn joined(kafka: &Kafka, inputs: &Inputs) -> Vec<String> {
    let mut wanted: BTreeMap<i64, usize> = BTreeMap::new();
    for (key, (payments, stock)) in sides(inputs) {
        let meet = |time: i64, other: i64| inputs.meet(time, other, OUTER_MS);
        let is_lonely = |time: i64| !payments.iter().any(|(other, _)| meet(time, *other));
        let mut lonely = stock.iter().filter(|(time, _)| is_lonely(*time)).count();
        let mut pairs = 0;
        for (time, _) in &payments {
            let met = stock.iter().filter(|(other, _)| meet(*time, *other)).count();
            (pairs, lonely) = (pairs + met, lonely + usize::from(met == 0));
        }
        wanted.insert(key, pairs + lonely);
    }
    let mut got: BTreeMap<i64, usize> = BTreeMap::new();
    for record in kafka.read(&full("outer")).iter().flatten().filter(|record| record.key.is_some()) {
        *got.entry(record.number()).or_default() += 1;
    }
    let keys = wanted.keys().chain(got.keys().filter(|key| !wanted.contains_key(key)));
    let differ = keys.filter(|key| wanted.get(key) != got.get(key));
    shortened(differ.map(|key| {
        format!("key {key}: {:?} records should come out of the outer join, and {:?} do", wanted.get(key), got.get(key))
    }))
}

/// The first few, and their number.
fn shortened(all: impl IntoIterator<Item = String>) -> Vec<String> {
    const MOST: usize = 5;
    let mut all: Vec<_> = all.into_iter().collect();
    let more = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    all.extend((more > 0).then(|| format!("and {more} more of this kind")));
    all
}
