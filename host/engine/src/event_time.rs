//! When a record happened: by its timestamp or by a field of its value, and what is wrong with that.

use std::borrow::Cow;

use crate::json;
use crate::record::{END_OF_TIME, InputRecord, Timestamp};
use crate::rfc3339;
use crate::topology::{Ahead, EventTime, OnAhead};

/// How a source tells the time of its records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timing {
    pub(crate) event: EventTime,
    pub(crate) ahead: Option<Ahead>,
}

/// Why a record has no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTime {
    /// The field isn't there, is null, or the value is no object.
    #[error("the value has no field `{0}` with its time")]
    Missing(String),
    /// The field is something else than a time.
    #[error("the field `{0}` is neither an integer of milliseconds nor a time as in RFC 3339")]
    Unreadable(String),
    /// It is later than anything can be.
    #[error("its timestamp is later than {END_OF_TIME}")]
    TooLate,
    /// It is before the epoch.
    #[error("its timestamp is negative")]
    Negative,
    /// It is later than the arrival, by more than the source allows.
    #[error("its time is {by} ms ahead of the clock, and {limit} are the most")]
    Future { by: i64, limit: i64 },
}

impl BadTime {
    /// The code in counters and dead letters.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::Unreadable(_) | Self::TooLate => "bad-time",
            Self::Negative => "negative-timestamp",
            Self::Future { .. } => "future-timestamp",
        }
    }
}

impl Timing {
    /// The event time of a record: never negative, and never later than [`END_OF_TIME`].
    pub(crate) fn of(&self, record: &InputRecord) -> Result<Timestamp, BadTime> {
        let time = match &self.event {
            EventTime::Record => record.timestamp,
            EventTime::Field(name) => read(record, name)?,
        };
        if time < 0 {
            return Err(BadTime::Negative);
        }
        match self.ahead {
            Some(Ahead { limit, then }) if time > record.arrived.saturating_add(limit) => match then {
                OnAhead::Clamp => Ok(record.arrived.max(0)),
                OnAhead::DeadLetter => Err(BadTime::Future { by: time.saturating_sub(record.arrived), limit }),
            },
            _ if time > END_OF_TIME => Err(BadTime::TooLate),
            _ => Ok(time),
        }
    }
}

fn read(record: &InputRecord, name: &str) -> Result<Timestamp, BadTime> {
    let text = record.value.as_deref().and_then(|value| json::field(value, name));
    let text = text.ok_or_else(|| BadTime::Missing(name.to_owned()))?;
    let time = match text.starts_with('"') {
        true => serde_json::from_str::<Cow<'_, str>>(text).ok().and_then(|text| rfc3339::parse(&text)),
        false => text.parse().ok(),
    };
    time.ok_or_else(|| BadTime::Unreadable(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Headers, TimestampType};

    fn time(timing: &Timing, value: Option<&str>) -> Result<Timestamp, &'static str> {
        let record = InputRecord {
            offset: 0,
            timestamp: 7,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: value.map(|value| value.to_owned().into()),
            headers: Headers::EMPTY,
            arrived: 100,
            turn: 0,
        };
        timing.of(&record).map_err(|bad| bad.code())
    }

    #[test]
    fn a_field_is_milliseconds_or_a_time_as_text() {
        let field = Timing { event: EventTime::Field("at".into()), ahead: None };
        let cases = [
            (Some(r#"{"at":5}"#), Ok(5)),
            (Some(r#"{"id":1,"at": "1970-01-01T00:00:02Z"}"#), Ok(2_000)),
            (Some(r#"{"at":"1970-01-01\u005400:00:02Z"}"#), Ok(2_000)),
            (Some(r#"{"at":2305843009213693951}"#), Ok(END_OF_TIME)),
            (Some(r#"{"at":9223372036854775807}"#), Err("bad-time")),
            (Some(r#"{"at":-1}"#), Err("negative-timestamp")),
            (Some(r#"{"at":"1969-01-01T00:00:02Z"}"#), Err("negative-timestamp")),
            (Some(r#"{"at":9223372036854775808}"#), Err("bad-time")),
            (Some(r#"{"at":5.0}"#), Err("bad-time")),
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
    fn a_time_that_is_too_far_ahead_is_that_of_the_arrival_or_none() {
        let timing = |then| Timing { event: EventTime::Field("at".into()), ahead: Some(Ahead { limit: 10, then }) };
        let both = |value| [OnAhead::Clamp, OnAhead::DeadLetter].map(|then| time(&timing(then), Some(value)));
        assert_eq!(both(r#"{"at":110}"#), [Ok(110), Ok(110)]);
        assert_eq!(both(r#"{"at":111}"#), [Ok(100), Err("future-timestamp")]);
        assert_eq!(both(r#"{"at":9223372036854775807}"#), [Ok(100), Err("future-timestamp")]);
        assert_eq!(time(&Timing::default(), None), Ok(7));
    }
}
