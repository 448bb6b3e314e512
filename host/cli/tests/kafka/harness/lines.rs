//! Records as the lines of JSON that `millrace replay` reads and writes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::records::Record;

/// The line of a record for `replay`.
pub fn line(
    topic: &str,
    partition: i32,
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    timestamp: i64,
    headers: &[(String, Option<Vec<u8>>)],
) -> String {
    let bytes = |name: &str, bytes: Option<&[u8]>| match bytes {
        None => format!(r#""{name}":null"#),
        Some(bytes) => format!(r#""{name}Base64":"{}""#, BASE64.encode(bytes)),
    };
    let (key, value) = (bytes("key", key), bytes("value", value));
    let pair = |(name, value): &(String, Option<Vec<u8>>)| {
        let value = value.as_ref().map(|value| serde_json::json!({ "base64": BASE64.encode(value) }));
        serde_json::json!([name, value]).to_string()
    };
    let headers = headers.iter().map(pair).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"topic":"{topic}","partition":{partition},{key},{value},"timestamp":{timestamp},"headers":[{headers}]}}"#
    )
}

/// A line of `replay`'s output.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    pub topic: &'a str,
    timestamp: i64,
    key: Option<Value>,
    key_base64: Option<&'a str>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    value_base64: Option<&'a str>,
    headers: Option<Value>,
    window: Option<[i64; 2]>,
}

impl<'a> Line<'a> {
    /// Reads it.
    pub fn parse(line: &'a str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The record, with keys of the codec `i64` as numbers and others as base64. It has no offset.
    pub fn record(&self) -> Record {
        let key = match (&self.key, self.key_base64) {
            (Some(Value::Number(number)), _) => number.as_i64().map(|number| number.to_be_bytes().to_vec()),
            (Some(Value::String(text)), _) => Some(decoded(text)),
            (_, raw) => raw.map(decoded),
        };
        // An Option of raw JSON is also there for a null.
        let text = self.value.map(RawValue::get).filter(|text| *text != "null");
        let value = text.map(|text| text.as_bytes().to_vec()).or_else(|| self.value_base64.map(decoded));
        Record { offset: -1, key, value, timestamp: self.timestamp, headers: self.headers() }
    }

    /// An object where names are text and differ, and a list of pairs where not. Behind a plain key, a topic has the
    /// bounds of the window in headers, which come last.
    fn headers(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let mut headers = self.own_headers();
        if let (Some([start, end]), Some(Value::Number(_))) = (self.window, &self.key) {
            let bound = |name: &str, time: i64| (name.to_owned(), Some(time.to_be_bytes().to_vec()));
            headers.extend([bound("millrace-window-start", start), bound("millrace-window-end", end)]);
        }
        headers
    }

    fn own_headers(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let bytes = |value: &Value| match value {
            Value::String(text) => Some(text.clone().into_bytes()),
            Value::Object(raw) => raw["base64"].as_str().map(decoded),
            _ => None,
        };
        match &self.headers {
            Some(Value::Object(fields)) => fields.iter().map(|(name, value)| (name.clone(), bytes(value))).collect(),
            Some(Value::Array(pairs)) => {
                let name = |pair: &Value| String::from_utf8_lossy(&bytes(&pair[0]).unwrap_or_default()).into_owned();
                pairs.iter().map(|pair| (name(pair), bytes(&pair[1]))).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn decoded(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
