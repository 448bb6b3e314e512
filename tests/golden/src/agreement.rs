//! Whether outputs are those of Kafka Streams.
//!
//! Those of an operator have to be the same text. Values of a pipeline are compared as JSON: a number may be written in
//! another way, and the order of fields is free. Ids of alerts are free too, but not of what they are a function.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::case::{Case, Output, Subject};

/// The field of an output whose text is free.
const FREE: &str = "alertId";

/// Whether a case came out as from Kafka Streams: in each topic the same records in the same order.
pub fn is_same(case: &Case, found: &[Output]) -> bool {
    match case.subject {
        Subject::Op(_) => found == case.outputs,
        Subject::Pipeline(_) => {
            let (found, expected) = (by_topic(found), by_topic(&case.outputs));
            let mut ids = Ids::default();
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| ids.is_like(found, expected))
        }
    }
}

/// Pipelines write to several topics, among which there is no order.
pub(crate) fn by_topic(outputs: &[Output]) -> Vec<&Output> {
    let mut outputs: Vec<_> = outputs.iter().collect();
    outputs.sort_by_key(|output| &output.topic);
    outputs
}

/// Our ids, each with that of Kafka Streams, which says of what it is a function: two alerts that have one id of ours
/// have one of theirs.
#[derive(Default)]
pub(crate) struct Ids(BTreeMap<String, String>);

impl Ids {
    pub(crate) fn is_like(&mut self, found: &Output, expected: &Output) -> bool {
        // The keys of Kafka Streams have no window any more, and the values tell it.
        let Output { topic, key, window: _, value: _, timestamp, after } = expected;
        let is_same =
            found.topic == *topic && found.key == *key && found.timestamp == *timestamp && found.after == *after;
        is_same
            && match (&found.value, &expected.value) {
                (Some(found), Some(expected)) => self.is_like_text(found, expected),
                (found, expected) => found == expected,
            }
    }

    /// A dead letter's value need not be JSON.
    fn is_like_text(&mut self, found: &str, expected: &str) -> bool {
        let json = |text| serde_json::from_str::<Value>(text);
        match (json(found), json(expected)) {
            (Ok(found), Ok(expected)) => self.is_like_value(&found, &expected),
            _ => found == expected,
        }
    }

    fn is_like_value(&mut self, found: &Value, expected: &Value) -> bool {
        match (found, expected) {
            (Value::Number(found), Value::Number(expected)) => is_equal(found, expected),
            (Value::Array(found), Value::Array(expected)) => {
                found.len() == expected.len()
                    && found.iter().zip(expected).all(|(found, expected)| self.is_like_value(found, expected))
            }
            (Value::Object(found), Value::Object(expected)) => {
                found.len() == expected.len()
                    && expected.iter().all(|(name, expected)| match (found.get(name), expected) {
                        (Some(Value::String(found)), Value::String(expected)) if name == FREE => {
                            self.0.entry(found.clone()).or_insert_with(|| expected.clone()) == expected
                        }
                        (found, expected) => found.is_some_and(|found| self.is_like_value(found, expected)),
                    })
            }
            (found, expected) => found == expected,
        }
    }
}

/// Integers exactly; a number with a point has the value of a double on both sides.
fn is_equal(found: &Number, expected: &Number) -> bool {
    match (found.as_i64(), expected.as_i64()) {
        (Some(found), Some(expected)) => found == expected,
        _ => found.as_f64() == expected.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_like(found: &str, expected: &str) -> bool {
        Ids::default().is_like_text(found, expected)
    }

    #[test]
    fn fields_have_no_order_and_numbers_no_form() {
        assert!(is_like(r#"{"a":10,"b":[1e3]}"#, r#"{"b":[1000.0],"a":10.0}"#));
        assert!(!is_like(r#"{"a":10}"#, r#"{"a":10,"b":null}"#));
        assert!(!is_like(r#"{"a":"10"}"#, r#"{"a":10}"#));
        assert!(!is_like("9007199254740993", "9007199254740992"));
        assert!(!is_like("0.30000000000000004", "0.3"));
    }

    #[test]
    fn an_id_of_ours_stands_for_one_of_theirs() {
        let mut ids = Ids::default();
        let mut alert = |ours: &str, theirs: &str| {
            let value = |id: &str| format!(r#"{{"alertId":"{id}"}}"#);
            ids.is_like_text(&value(ours), &value(theirs))
        };
        assert!(alert("1", "a") && alert("2", "b") && alert("1", "a"));
        assert!(alert("3", "a"), "they may tell apart what is the same payment twice");
        assert!(!alert("1", "b"));
    }
}
