//! Times on the command line.

use jiff::Timestamp;
use millrace_pipeline::duration;

/// An instant, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Milliseconds since the epoch.
    At(i64),
    /// Milliseconds before now.
    Ago(i64),
}

impl Moment {
    /// It, in milliseconds since the epoch.
    pub fn at(self, now: i64) -> i64 {
        match self {
            Self::At(at) => at,
            Self::Ago(before) => now.saturating_sub(before),
        }
    }
}

/// Reads an instant in RFC 3339, or a duration before now.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at.as_millisecond()));
    }
    let ago = duration(text).ok().and_then(|ago| i64::try_from(ago.as_millis()).ok());
    ago.map(Moment::Ago).ok_or_else(|| {
        "expected a time such as 2026-11-28T12:00:00Z, or how long ago it was, such as 90m or 2h".to_owned()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_or_a_duration_before_now() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(Moment::At(1_000)));
        assert_eq!(moment("90m").unwrap().at(6_000_000), 600_000);
        assert_eq!(moment("5s").unwrap().at(i64::MIN), i64::MIN);
        for wrong in ["", "yesterday", "5", "2026-11-28"] {
            assert!(moment(wrong).unwrap_err().starts_with("expected a time such as"), "{wrong}");
        }
    }
}
