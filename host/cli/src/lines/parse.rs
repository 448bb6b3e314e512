//! From a line to a record.

use std::borrow::Cow;

use bytes::Bytes;
use millrace_engine::record::{Headers, Timestamp, Window};
use millrace_pipeline::nearest;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{KeyCodecs, Line, LineError, headers, json, key};

/// Reads one line, given its number (from 1) and the codecs of keys.
///
/// # Errors
/// When the line is not a record; see [the shapes of fields](super).
pub fn parse<'a>(line: &'a [u8], number: u64, codecs: &KeyCodecs) -> Result<Line<'a>, LineError> {
    let at_line =
        |problem: Problem| LineError { line: number, field: problem.field, reason: problem.reason, help: problem.help };
    let fields = Fields::of(line).map_err(at_line)?;
    let topic = fields.topic(codecs.default_topic.as_deref()).map_err(at_line)?;
    Ok(Line {
        partition: fields.partition().map_err(at_line)?,
        key: fields.key(codecs, &topic).map_err(at_line)?,
        value: fields.value().map_err(at_line)?,
        timestamp: fields.timestamp().map_err(at_line)?,
        headers: fields.headers().map_err(at_line)?,
        window: fields.window().map_err(at_line)?,
        topic,
    })
}

/// A [`LineError`] without the number of its line.
struct Problem {
    field: Option<&'static str>,
    reason: String,
    help: String,
}

impl Problem {
    fn of_field(field: &'static str, reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self { field: Some(field), reason: reason.into(), help: help.into() }
    }

    fn of_line(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self { field: None, reason: reason.into(), help: help.into() }
    }
}

/// The fields as JSON text, not checked yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow, default)]
    topic: Option<&'a RawValue>,
    #[serde(borrow, default)]
    partition: Option<&'a RawValue>,
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    key_base64: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value_base64: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    window: Option<&'a RawValue>,
}

/// Makes `None` of a missing field only. A null in `value` is a tombstone; in other fields a null is the same as no
/// field, as many tools write it.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Fields<'a> {
    fn of(line: &'a [u8]) -> Result<Self, Problem> {
        if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
            return Err(Problem::of_line(
                "it begins with the byte order mark of UTF-16",
                "lines are in UTF-8: convert the file",
            ));
        }
        let text = std::str::from_utf8(line).map_err(|error| {
            Problem::of_line(
                format!("not UTF-8 from byte {} on", error.valid_up_to() + 1),
                "raw bytes go into `valueBase64`, `keyBase64` or {\"base64\": ..} in a header",
            )
        })?;
        if !text.trim_start().starts_with('{') {
            return Err(Problem::of_line(
                "not a JSON object",
                r#"a line is a record such as {"topic":"orders","key":42,"value":{"id":42},"timestamp":1700000000000}"#,
            ));
        }
        serde_json::from_str(text).map_err(|error| {
            if is_of_kcat(text) {
                return Problem::of_line("it is a line of `kcat -J`, whose fields have other names", KCAT);
            }
            let text = error.to_string();
            let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
            let (reason, help) = match reason.split_once(", expected ") {
                Some((reason, names)) => (reason, expected(reason, names)),
                None if error.is_data() => (reason, "each field may come once".to_owned()),
                None => (reason, "a line is one JSON object".to_owned()),
            };
            Problem::of_line(format!("{reason} (column {})", error.column()), help)
        })
    }

    fn topic(&self, default: Option<&str>) -> Result<Cow<'a, str>, Problem> {
        let help = r#"name the topic, as in "topic":"orders""#;
        if let (None, Some(default)) = (self.topic, default) {
            return Ok(Cow::Owned(default.to_owned()));
        }
        let raw = self.topic.ok_or_else(|| Problem::of_field("topic", "missing", help))?.get();
        match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            None | Some("") => Err(Problem::of_field("topic", format!("{raw} is not the name of a topic"), help)),
            Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
            Some(_) => serde_json::from_str(raw)
                .map(Cow::Owned)
                .map_err(|error| Problem::of_field("topic", error.to_string(), help)),
        }
    }

    fn partition(&self) -> Result<Option<u32>, Problem> {
        let help = "a partition is a number from 0 on; leave it out and the key decides";
        self.partition.map(|raw| number(raw, "partition", help)).transpose()
    }

    fn key(&self, codecs: &KeyCodecs, topic: &str) -> Result<Option<Bytes>, Problem> {
        match (self.key, self.key_base64) {
            (Some(_), Some(_)) => Err(both("key", "keyBase64")),
            (None, Some(raw)) => bytes(raw, "keyBase64").map(Some),
            (None, None) => Ok(None),
            (Some(raw), None) => {
                let codec = codecs.of(topic);
                let key = key::parse(raw.get(), codec);
                key.map(Some).map_err(|reason| match codecs.unknown(topic) {
                    Some(help) => Problem::of_field("topic", format!("there is no topic `{topic}` here"), help),
                    None => Problem::of_field("key", reason, key::help(codec)),
                })
            }
        }
    }

    fn value(&self) -> Result<Option<Bytes>, Problem> {
        match (self.value, self.value_base64) {
            (Some(plain), Some(_)) if plain.get() != "null" => Err(both("value", "valueBase64")),
            (_, Some(raw)) => bytes(raw, "valueBase64").map(Some),
            (None, None) => Err(Problem::of_field("value", "missing", r#"a tombstone is "value":null"#)),
            (Some(raw), None) if raw.get() == "null" => Ok(None),
            (Some(raw), None) => Ok(Some(Bytes::from(json::compact(raw.get()).into_owned()))),
        }
    }

    fn timestamp(&self) -> Result<Option<Timestamp>, Problem> {
        let help = "a timestamp is a number of milliseconds since the epoch, such as 1700000000000";
        self.timestamp.map(|raw| number(raw, "timestamp", help)).transpose()
    }

    fn headers(&self) -> Result<Headers, Problem> {
        let help = r#"headers are {"name":"text"}, or [["name","text"],..] where a name comes twice; null and {"base64":".."} are values too"#;
        let Some(raw) = self.headers else { return Ok(Headers::EMPTY) };
        headers::parse(raw.get()).map_err(|reason| Problem::of_field("headers", reason, help))
    }

    fn window(&self) -> Result<Option<Window>, Problem> {
        let Some(raw) = self.window else { return Ok(None) };
        match serde_json::from_str::<(Timestamp, Timestamp)>(raw.get()) {
            Ok((start, end)) => Ok(Some(Window { start, end })),
            Err(_) => {
                let help = "a window is [start, end] in milliseconds since the epoch";
                Err(Problem::of_field("window", format!("{raw} is not a window"), help))
            }
        }
    }
}

/// Help with the known fields, and the nearest one first.
fn expected(reason: &str, names: &str) -> String {
    let given = reason.split('`').nth(1).unwrap_or_default();
    match nearest(given, names.split('`').skip(1).step_by(2)) {
        Some(meant) => format!("did you mean `{meant}`? expected {names}"),
        None => format!("expected {names}"),
    }
}

/// Help for lines of kcat, if their values are JSON.
const KCAT: &str = "`jq -c '{topic, partition, key, value: (.payload | fromjson? // .), timestamp: .ts}'` makes lines of this form of them";

/// Whether kcat (kafkacat) has printed this line.
fn is_of_kcat(text: &str) -> bool {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only their presence counts")]
    struct KcatLine {
        offset: serde::de::IgnoredAny,
        tstype: serde::de::IgnoredAny,
        ts: serde::de::IgnoredAny,
        payload: serde::de::IgnoredAny,
    }
    serde_json::from_str::<KcatLine>(text).is_ok()
}

fn number<T: std::str::FromStr>(raw: &RawValue, field: &'static str, help: &str) -> Result<T, Problem> {
    raw.get().parse().map_err(|_| Problem::of_field(field, format!("{raw} does not fit"), help))
}

fn bytes(raw: &RawValue, field: &'static str) -> Result<Bytes, Problem> {
    serde_json::from_str::<Cow<'_, str>>(raw.get())
        .map_err(|_| format!("{raw} is not a string"))
        .and_then(|encoded| key::base64(&encoded))
        .map_err(|reason| Problem::of_field(field, reason, r#"base64 with padding, such as "AAEC"; "" for no bytes"#))
}

fn both(plain: &'static str, raw: &'static str) -> Problem {
    Problem::of_field(raw, format!("`{plain}` is there too"), "a line has only one of the two")
}
