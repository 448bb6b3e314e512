//! The event time of a record: its timestamp, or a field of its value.

use std::borrow::Cow;

use crate::json;
use crate::record::{END_OF_TIME, InputRecord, Timestamp};
use crate::rfc3339;
use crate::topology::{Ahead, EventTime, OnAhead};
use crate::unit::{hint, whole};

/// Extracts event times from the records of a source.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimestampExtractor {
    pub(crate) event: EventTime,
    pub(crate) ahead: Option<Ahead>,
}

/// Why a record has no valid time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTime {
    /// The field is missing or null, or the value is no object.
    #[error("the value has no field `{0}` with its time")]
    Missing(String),
    /// The field is a text, but no time.
    #[error("the field `{field}` is \"{text}\", and no time as in RFC 3339, such as \"2024-05-01T10:00:00Z\": {error}")]
    Text { field: String, text: String, error: rfc3339::TimeError },
    /// The field is a number, but no whole number of 64 bits.
    #[error(
        "the field `{field}` is {text}, and no whole number of milliseconds since the epoch, such as 1714557600000"
    )]
    Number { field: String, text: String },
    /// The field is neither a number nor a text.
    #[error(
        "the field `{field}` is {kind}: a time is a whole number of milliseconds since the epoch, such as 1714557600000, or a \
         text as in RFC 3339, such as \"2024-05-01T10:00:00Z\""
    )]
    Unreadable { field: String, kind: &'static str },
    /// The time is later than [`END_OF_TIME`].
    #[error("its timestamp {0} is later than {END_OF_TIME}")]
    TooLate(Timestamp),
    /// The time is before the epoch.
    #[error("its timestamp {0} is negative")]
    Negative(Timestamp),
    /// The time is further ahead of the record's arrival than the source allows.
    #[error("its time {time} is {by} ms ahead of the clock, and {limit} are the most{}", hint(*.time))]
    Future { time: Timestamp, by: i64, limit: i64 },
}

impl BadTime {
    /// The code in counters and dead letters.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::Text { .. } | Self::Number { .. } | Self::Unreadable { .. } | Self::TooLate(_) => {
                "bad-time"
            }
            Self::Negative(_) => "negative-timestamp",
            Self::Future { .. } => "future-timestamp",
        }
    }
}

/// Most characters of a field's text in a message.
const SHOWN: usize = 40;

impl TimestampExtractor {
    /// The event time of a record: never negative, and never later than [`END_OF_TIME`].
    pub(crate) fn of(&self, record: &InputRecord) -> Result<Timestamp, BadTime> {
        let time = match &self.event {
            EventTime::Record => record.timestamp,
            EventTime::Field(name) => read(record, name)?,
        };
        if time < 0 {
            return Err(BadTime::Negative(time));
        }
        match self.ahead {
            Some(Ahead { limit, then }) if time > record.arrived.saturating_add(limit) => match then {
                OnAhead::Clamp => Ok(record.arrived.max(0)),
                OnAhead::DeadLetter => Err(BadTime::Future { time, by: time.saturating_sub(record.arrived), limit }),
            },
            _ if time > END_OF_TIME => Err(BadTime::TooLate(time)),
            _ => Ok(time),
        }
    }
}

fn read(record: &InputRecord, name: &str) -> Result<Timestamp, BadTime> {
    let text = record.value.as_deref().and_then(|value| json::field(value, name));
    let text = text.ok_or_else(|| BadTime::Missing(name.to_owned()))?;
    let field = || name.to_owned();
    match text.as_bytes().first() {
        Some(b'"') => match characters(text) {
            Some(text) => {
                rfc3339::parse(&text).map_err(|error| BadTime::Text { field: field(), text: shown(&text), error })
            }
            None => Err(BadTime::Unreadable { field: field(), kind: "a text with half a surrogate pair" }),
        },
        Some(b'-' | b'0'..=b'9') => whole(text).ok_or_else(|| BadTime::Number { field: field(), text: shown(text) }),
        Some(b'{') => Err(BadTime::Unreadable { field: field(), kind: "an object" }),
        Some(b'[') => Err(BadTime::Unreadable { field: field(), kind: "a list" }),
        _ => Err(BadTime::Unreadable { field: field(), kind: "a truth value" }),
    }
}

/// The characters of a JSON string. They are copied only if some are escaped.
fn characters(text: &str) -> Option<Cow<'_, str>> {
    match text.contains('\\') {
        false => text.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed),
        true => serde_json::from_str(text).ok().map(Cow::Owned),
    }
}

/// The beginning of a text.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Headers, TimestampType};

    fn time(extractor: &TimestampExtractor, value: Option<&str>) -> Result<Timestamp, &'static str> {
        extractor.of(&record(value)).map_err(|bad| bad.code())
    }

    fn record(value: Option<&str>) -> InputRecord {
        InputRecord {
            offset: 0,
            timestamp: 7,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: value.map(|value| value.to_owned().into()),
            headers: Headers::EMPTY,
            arrived: 100,
            turn: 0,
        }
    }

    #[test]
    fn a_field_has_milliseconds_or_a_time_as_text() {
        let field = TimestampExtractor { event: EventTime::Field("at".into()), ahead: None };
        let cases = [
            (Some(r#"{"at":5}"#), Ok(5)),
            (Some(r#"{"id":1,"at": "1970-01-01T00:00:02Z"}"#), Ok(2_000)),
            (Some(r#"{"at":"1970-01-01\u005400:00:02Z"}"#), Ok(2_000)),
            (Some(r#"{"at":2305843009213693951}"#), Ok(END_OF_TIME)),
            (Some(r#"{"at":9223372036854775807}"#), Err("bad-time")),
            (Some(r#"{"at":-1}"#), Err("negative-timestamp")),
            (Some(r#"{"at":"1969-01-01T00:00:02Z"}"#), Err("negative-timestamp")),
            (Some(r#"{"at":9223372036854775808}"#), Err("bad-time")),
            (Some(r#"{"at":5.0}"#), Ok(5)),
            (Some(r#"{"at":1.7145576e12}"#), Ok(1_714_557_600_000)),
            (Some(r#"{"at":5.5}"#), Err("bad-time")),
            (Some(r#"{"at":"5"}"#), Err("bad-time")),
            (Some(r#"{"at":{"at":5}}"#), Err("bad-time")),
            (Some(r#"{"at":null}"#), Err("bad-time")),
            (Some(r#"{"other":5}"#), Err("bad-time")),
            (Some("5"), Err("bad-time")),
            (Some("{"), Err("bad-time")),
            (None, Err("bad-time")),
        ];
        for (value, expected) in cases {
            assert_eq!(time(&field, value), expected, "{value:?}");
        }
    }

    #[test]
    fn the_message_has_the_error_in_a_field_and_the_right_form() {
        let field = TimestampExtractor { event: EventTime::Field("at".into()), ahead: None };
        let right = "a time is a whole number of milliseconds since the epoch, such as 1714557600000, or a text as in RFC 3339, \
                     such as \"2024-05-01T10:00:00Z\"";
        let text = "and no time as in RFC 3339, such as \"2024-05-01T10:00:00Z\"";
        let cases = [
            ("{}", "the value has no field `at` with its time".to_owned()),
            (r#"{"at":true}"#, format!("the field `at` is a truth value: {right}")),
            (r#"{"at":[1]}"#, format!("the field `at` is a list: {right}")),
            (r#"{"at":"\ud83d"}"#, format!("the field `at` is a text with half a surrogate pair: {right}")),
            (
                r#"{"at":1714557600.123}"#,
                "the field `at` is 1714557600.123, and no whole number of milliseconds since the epoch, such as \
                 1714557600000"
                    .to_owned(),
            ),
            (
                r#"{"at":"2024-05-01T10:00:00"}"#,
                format!(
                    "the field `at` is \"2024-05-01T10:00:00\", {text}: it has no zone: `Z` or an offset such as \
                     `+02:00` must follow the seconds"
                ),
            ),
            (
                r#"{"at":"1714557600000"}"#,
                format!(
                    "the field `at` is \"1714557600000\", {text}: it is digits in quotes; as milliseconds since the \
                     epoch, a time is a number without quotes"
                ),
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(field.of(&record(Some(value))).map_err(|bad| bad.to_string()), Err(expected), "{value}");
        }
    }

    #[test]
    fn the_message_for_a_time_far_ahead_names_the_unit_that_it_looks_like() {
        let ahead = Some(Ahead { limit: 3_600_000, then: OnAhead::DeadLetter });
        let field = TimestampExtractor { event: EventTime::Field("at".into()), ahead };
        let cases = [
            (
                1_714_557_600_000_000_i64,
                "its time 1714557600000000 is 1714557599999900 ms ahead of the clock, and 3600000 are the most; it looks \
                 like microseconds, and milliseconds are expected",
            ),
            (
                1_714_557_600_000,
                "its time 1714557600000 is 1714557599900 ms ahead of the clock, and 3600000 are the most",
            ),
        ];
        for (at, expected) in cases {
            let bad = field.of(&record(Some(&format!("{{\"at\":{at}}}"))));
            assert_eq!(bad.map_err(|bad| bad.to_string()), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_time_too_far_ahead_is_replaced_by_the_arrival_or_rejected() {
        let extractor =
            |then| TimestampExtractor { event: EventTime::Field("at".into()), ahead: Some(Ahead { limit: 10, then }) };
        let both = |value| [OnAhead::Clamp, OnAhead::DeadLetter].map(|then| time(&extractor(then), Some(value)));
        assert_eq!(both(r#"{"at":110}"#), [Ok(110), Ok(110)]);
        assert_eq!(both(r#"{"at":111}"#), [Ok(100), Err("future-timestamp")]);
        assert_eq!(both(r#"{"at":9223372036854775807}"#), [Ok(100), Err("future-timestamp")]);
        assert_eq!(time(&TimestampExtractor::default(), None), Ok(7));
    }
}
