//! The expected fate of an input record at its source and at the rule after it, computed from the record.

use serde_json::Value;

use crate::harness::records::Record;
use crate::inputs::Inputs;
use crate::names::LARGEST_CHECKED;

/// The expected fate of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The record passes.
    Passes,
    /// It is a dead letter of this step, with this code.
    Refused { step: &'static str, code: &'static str },
    /// The rule skips it, and it is counted.
    Skipped,
}

/// Steps whose dead letters these are; what is too large is refused by a sink, which has no name.
pub const STEPS: [&str; 9] =
    ["payments", "stock", "readings", "clicks-a", "clicks-b", "events", "sane", "checked", "by-group"];

/// Code of what the sink refuses.
pub const TOO_LARGE: &str = "too-large";

/// Computes the fate of a record.
pub fn fate(inputs: &Inputs, topic: &'static str, record: &Record) -> Fate {
    if let Some(code) = source_refuses(inputs, record) {
        return Fate::Refused { step: topic, code };
    }
    let step = match topic {
        "readings" => "sane",
        "events" => "checked",
        _ => return Fate::Passes,
    };
    match obeyed(record) {
        Fate::Refused { code, .. } => Fate::Refused { step, code },
        Fate::Passes if topic == "events" && is_too_large(record) => Fate::Refused { step: "", code: TOO_LARGE },
        fate => fate,
    }
}

/// Whether the topic `checked` refuses the record.
pub fn is_too_large(record: &Record) -> bool {
    record.value.as_ref().is_some_and(|value| value.len() > LARGEST_CHECKED)
}

fn source_refuses(inputs: &Inputs, record: &Record) -> Option<&'static str> {
    let is_json = |value: &Vec<u8>| serde_json::from_slice::<Value>(value).is_ok();
    match record {
        Record { key: Some(key), .. } if key.len() != 8 => Some("bad-key"),
        Record { value: Some(value), .. } if !is_json(value) => Some("bad-value"),
        record if inputs.is_from_the_future(record) => Some("future-timestamp"),
        _ => None,
    }
}

/// The effect of the hostile rule, which does what the record asks for (`tests/guests/hostile`).
fn obeyed(record: &Record) -> Fate {
    let refused = |code| Fate::Refused { step: "", code };
    let Some(value) = &record.value else { return refused("null-value") };
    let Some(doc) = doc(value) else { return refused("bad-value") };
    match doc["do"].as_str() {
        None | Some("spin") => Fate::Passes,
        Some("skip") => Fate::Skipped,
        Some("panic") => refused("trap"),
        Some("loop") => refused("deadline"),
        Some("memory") => refused("memory-limit"),
        Some(_) => refused("asked"),
    }
}

/// A value that is a JSON object.
pub fn doc(value: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(value).ok().filter(Value::is_object)
}
