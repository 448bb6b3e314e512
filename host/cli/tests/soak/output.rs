//! Oracle 1: the committed output equals that of `replay`.

use std::collections::BTreeMap;

use crate::fates::{TOO_LARGE, is_too_large};
use crate::harness::records::{Kafka, Record};
use crate::inputs::flat;
use crate::names::{DEAD, OUTPUTS, Same, full};
use crate::quiet::Shown;
use crate::replayed::Replayed;

/// The place of a record: partition and offset. Replayed records have no offset.
type At = (i32, i64);

/// The compared parts of a record: timestamp, value and headers.
type Essence = (i64, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

/// Key, or nothing, to its records.
type Keyed<'r> = BTreeMap<Option<&'r [u8]>, Vec<(At, &'r Record)>>;

/// Compares all topics; returns the differences. Records the number of records of each topic.
pub fn compare(kafka: &Kafka, replayed: &Replayed, shown: &mut Shown<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (topic, _, same) in OUTPUTS {
        let mut expected = replayed.read(topic);
        if topic == "checked" {
            // The broker refuses them, which `replay` doesn't know of; see `fates.rs`.
            expected.retain(|record| !is_too_large(record));
        }
        let committed = kafka.read(&full(topic));
        let count = committed.iter().map(Vec::len).sum();
        println!("  `{topic}`: {count} records");
        shown.outputs.push((topic, expected.len(), count));
        found.extend(differences(topic, same, &expected, &committed));
    }
    let letters = kafka.read(&full(DEAD));
    shown.letters = letters.iter().flatten().map(|letter| letter.header("millrace-error-code").to_owned()).collect();
    found.extend(dead_letters(letters.iter().flatten(), replayed));
    found.extend(shown.missing());
    found
}

fn differences(topic: &str, same: Same, expected: &[Record], committed: &[Vec<Record>]) -> Option<String> {
    let mut wanted = Keyed::new();
    for record in expected {
        wanted.entry(record.key.as_deref()).or_default().push(((-1, -1), record));
    }
    let mut got = Keyed::new();
    for (partition, record) in flat(committed) {
        got.entry(record.key.as_deref()).or_default().push(((partition, record.offset), record));
    }
    let keys = wanted.keys().chain(got.keys().filter(|key| !wanted.contains_key(*key)));
    let none = Vec::new();
    let differ: Vec<_> = keys
        .filter_map(|key| {
            let (wanted, got) = (wanted.get(key).unwrap_or(&none), got.get(key).unwrap_or(&none));
            // Without a key, records of all partitions come together.
            let same = if key.is_none() && same == Same::Order { Same::Records } else { same };
            Some(format!("key {}: {}", shown_key(*key), difference(same, wanted, got)?))
        })
        .collect();
    let first = differ.iter().take(3).map(|text| format!("\n    {text}")).collect::<String>();
    (!differ.is_empty()).then(|| format!("`{topic}`: {} keys differ from a replay, such as{first}", differ.len()))
}

/// The differences for one key.
fn difference(same: Same, wanted: &[(At, &Record)], got: &[(At, &Record)]) -> Option<String> {
    let essence = |record: &Record| match same {
        Same::Last => (0, record.value.clone(), Vec::new()),
        Same::Pairs => (record.timestamp, record.value.clone(), Vec::new()),
        Same::Order | Same::Records => (record.timestamp, record.value.clone(), record.headers.clone()),
    };
    let sorted = |records: &[(At, &Record)]| {
        let mut all: Vec<_> = records.iter().map(|(at, record)| (essence(record), *at)).collect();
        match same {
            Same::Order => {}
            Same::Records | Same::Pairs => all.sort(),
            Same::Last => drop(all.drain(..all.len().saturating_sub(1))),
        }
        all
    };
    let (wanted, got) = (sorted(wanted), sorted(got));
    let place = (0..wanted.len().max(got.len()))
        .find(|place| wanted.get(*place).map(|(record, _)| record) != got.get(*place).map(|(record, _)| record))?;
    let shown = |entry: Option<&(Essence, At)>| match entry {
        None => "nothing more".to_owned(),
        Some(((time, value, headers), _)) => {
            format!("{} at {time} with {} headers", shown_value(value.as_deref()), headers.len())
        }
    };
    let at = match got.get(place) {
        Some((_, (partition, offset))) => format!(" (partition {partition}, offset {offset})"),
        None => String::new(),
    };
    Some(format!(
        "{} records and not {}; number {place} should be {} and is {}{at}",
        got.len(),
        wanted.len(),
        shown(wanted.get(place)),
        shown(got.get(place)),
    ))
}

/// Dead letters by origin, step and code. `accounts.rs` checks those of the sink.
fn dead_letters<'r>(committed: impl Iterator<Item = &'r Record>, replayed: &Replayed) -> Option<String> {
    let name = |letter: &Record| {
        let header = |name: &str| letter.header(name).to_owned();
        let place = match letter.header("millrace-step") {
            // A pair is said to come from the record that came second.
            "sums" => ["", "", &shown_value(letter.value.as_deref())].map(str::to_owned),
            _ => ["topic", "partition", "offset"].map(|part| header(&format!("__streams.errors.{part}"))),
        };
        // Only a clock can tell these; in a replay, something else is refused in their place.
        let code = header("millrace-error-code").replace("future-timestamp", "bad-value");
        (code != TOO_LARGE).then(|| (place, header("millrace-step"), code))
    };
    let mut counts: BTreeMap<([String; 3], String, String), (i64, i64)> = BTreeMap::new();
    for letter in replayed.read(DEAD).iter().filter_map(name) {
        counts.entry(letter).or_default().0 += 1;
    }
    for letter in committed.filter_map(name) {
        counts.entry(letter).or_default().1 += 1;
    }
    let differ: Vec<_> = counts.iter().filter(|(_, (wanted, got))| wanted != got).collect();
    let mut first = String::new();
    for ((place, step, code), (wanted, got)) in differ.iter().take(3) {
        let [topic, partition, offset] = place;
        first +=
            &format!("\n    {topic} partition {partition} offset {offset}, step `{step}`, {code}: {got}, not {wanted}");
    }
    (!differ.is_empty()).then(|| format!("dead letters: {} differ from a replay, such as{first}", differ.len()))
}

/// A key as a number, where it is one.
pub fn shown_key(key: Option<&[u8]>) -> String {
    match key {
        None => "null".into(),
        Some(key) => match key.try_into() {
            Ok(number) => i64::from_be_bytes(number).to_string(),
            Err(_) => key.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
    }
}

fn shown_value(value: Option<&[u8]>) -> String {
    let text = value.map_or("null".into(), |value| String::from_utf8_lossy(value).into_owned());
    text.chars().take(200).collect()
}
