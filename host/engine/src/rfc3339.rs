//! Times as text, by RFC 3339: `2026-11-21T17:03:53.25+01:00`.

use crate::record::Timestamp;

/// The part of a text that is missing, or isn't valid in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimeError {
    #[error("it is digits in quotes; as milliseconds since the epoch, a time is a number without quotes")]
    Number,
    #[error("it doesn't begin with a date as in `2024-05-01`: a year of four digits, a month and a day of two")]
    Date,
    #[error("there is no month {0}")]
    Month(i64),
    #[error("the month has no day {0}")]
    Day(i64),
    #[error("it is a date without a time of day, as in `T10:00:00Z` behind the date")]
    DateOnly,
    #[error("between date and time of day there must be a `T` or one blank")]
    Separator,
    #[error(
        "the time of day isn't as in `10:00:00`: hours, minutes and seconds of two digits, with colons between them"
    )]
    TimeOfDay,
    #[error("it has no seconds, as in `10:00:00`")]
    Seconds,
    #[error("hour {0} isn't between 00 and 23; midnight is `00:00:00` of the day that begins")]
    Hour(i64),
    #[error("minute {0} isn't between 00 and 59")]
    Minute(i64),
    #[error("second {0} isn't between 00 and 60")]
    Second(i64),
    #[error("a part of a second follows a dot and not a comma")]
    Comma,
    #[error("no digits follow the dot behind the seconds")]
    Fraction,
    #[error("it has no zone: `Z` or an offset such as `+02:00` must follow the seconds")]
    Zone,
    #[error("there is a blank before the zone")]
    Blank,
    #[error("its zone is neither `Z` nor an offset such as `+02:00`")]
    NoOffset,
    #[error("its offset has no minutes, as in `+02:00`")]
    OffsetMinutes,
    #[error("its offset has no colon between hours and minutes, as in `+02:00`")]
    OffsetColon,
    #[error("its offset has more than 23 hours or 59 minutes")]
    Offset,
    #[error("something follows the zone")]
    Rest,
}

/// Parses a time, for text that a person has written. Milliseconds since the epoch.
///
/// # Errors
/// Names the part of the text that isn't valid.
pub fn milliseconds(text: &str) -> Result<Timestamp, String> {
    parse(text).map_err(|error| error.to_string())
}

/// Parses a time into milliseconds since the epoch, without smaller parts. A leap second counts as the second after it,
/// as usual.
///
/// # Errors
/// The text isn't a time, or its date doesn't exist.
pub(crate) fn parse(text: &str) -> Result<Timestamp, TimeError> {
    let mut rest = text.as_bytes();
    let (year, month, day) =
        date(&mut rest).ok_or_else(|| if is_number(text) { TimeError::Number } else { TimeError::Date })?;
    let last = days_of(year, month).ok_or(TimeError::Month(month))?;
    if day == 0 || day > last {
        return Err(TimeError::Day(day));
    }
    let (hour, minute, second) = time_of_day(&mut rest)?;
    let millis = fraction(&mut rest)?;
    let offset = offset(&mut rest)?;
    if !rest.is_empty() {
        return Err(TimeError::Rest);
    }
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset;
    Ok((minutes * 60 + second) * 1_000 + millis)
}

fn is_number(text: &str) -> bool {
    text.starts_with(|sign: char| sign.is_ascii_digit() || "+-".contains(sign)) && text.parse::<f64>().is_ok()
}

fn date(rest: &mut &[u8]) -> Option<(i64, i64, i64)> {
    Some((digits(rest, 4)?, after(rest, b"-")?, after(rest, b"-")?))
}

fn time_of_day(rest: &mut &[u8]) -> Result<(i64, i64, i64), TimeError> {
    match rest.first() {
        None => return Err(TimeError::DateOnly),
        Some(b'T' | b't' | b' ') => {}
        Some(_) => return Err(TimeError::Separator),
    }
    let hour = after(rest, b"Tt ").ok_or(TimeError::TimeOfDay)?;
    let minute = after(rest, b":").ok_or(TimeError::TimeOfDay)?;
    if rest.first() != Some(&b':') {
        return Err(TimeError::Seconds);
    }
    let second = after(rest, b":").ok_or(TimeError::TimeOfDay)?;
    match (hour, minute, second) {
        (24.., ..) => Err(TimeError::Hour(hour)),
        (_, 60.., _) => Err(TimeError::Minute(minute)),
        (_, _, 61..) => Err(TimeError::Second(second)),
        time => Ok(time),
    }
}

/// A number with exactly `count` digits.
fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (number, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    number.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

/// A number of two digits after one of these signs.
fn after(rest: &mut &[u8], signs: &[u8]) -> Option<i64> {
    let (sign, behind) = rest.split_first()?;
    *rest = behind;
    if signs.contains(sign) { digits(rest, 2) } else { None }
}

/// Milliseconds of an optional fraction of a second.
fn fraction(rest: &mut &[u8]) -> Result<i64, TimeError> {
    if rest.first() == Some(&b',') {
        return Err(TimeError::Comma);
    }
    let Some(behind) = rest.strip_prefix(b".") else { return Ok(0) };
    let length = behind.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let (part, behind) = behind.split_at_checked(length).filter(|_| length > 0).ok_or(TimeError::Fraction)?;
    *rest = behind;
    let three = part.iter().chain(b"000").take(3);
    Ok(three.fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0')))
}

/// Minutes east of Greenwich.
fn offset(rest: &mut &[u8]) -> Result<i64, TimeError> {
    let (sign, behind) = rest.split_first().ok_or(TimeError::Zone)?;
    *rest = behind;
    let east = match sign {
        b'Z' | b'z' => return Ok(0),
        b'+' => 1,
        b'-' => -1,
        b' ' => return Err(TimeError::Blank),
        _ => return Err(TimeError::NoOffset),
    };
    let hours = digits(rest, 2).ok_or(TimeError::NoOffset)?;
    match rest.first() {
        None => return Err(TimeError::OffsetMinutes),
        Some(b':') => {}
        Some(_) => return Err(TimeError::OffsetColon),
    }
    let minutes = after(rest, b":").ok_or(TimeError::OffsetMinutes)?;
    if hours < 24 && minutes < 60 { Ok(east * (hours * 60 + minutes)) } else { Err(TimeError::Offset) }
}

/// A time as text, to the second. Years after 9999 have more digits than RFC 3339 allows.
pub(crate) fn show(time: Timestamp) -> String {
    let (day, second) = (time.div_euclid(86_400_000), time.div_euclid(1_000).rem_euclid(86_400));
    let (year, month, date) = civil(day);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

fn days_of(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(28 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))),
        _ => None,
    }
}

const DAYS_OF_400_YEARS: i64 = 146_097;

/// Days from 1 March of the year 0 to the epoch.
const EPOCH: i64 = 719_468;

/// Days since the epoch, counted in years that begin in March, so that a leap day is a year's last (H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_OF_400_YEARS + year * 365 + year / 4 - year / 100 + day_of_year - EPOCH
}

/// Year, month and day, by days since the epoch: the inverse of [`days`].
fn civil(days_since_epoch: i64) -> (i64, i64, i64) {
    let shifted = days_since_epoch + EPOCH;
    let (era, day) = (shifted.div_euclid(DAYS_OF_400_YEARS), shifted.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let (date, month) = (day_of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (era * 400 + year + i64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_since_the_epoch() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:01z", 1_000),
            ("1969-12-31 23:59:59.999Z", -1),
            ("2001-09-09T01:46:40Z", 1_000_000_000_000),
            ("2001-09-09T03:46:40+02:00", 1_000_000_000_000),
            ("2001-09-08T20:16:40.5-05:30", 1_000_000_000_500),
            ("2000-02-29T12:00:00.1239-00:00", 951_825_600_123),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("0000-03-01T00:00:00Z", -62_162_035_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ];
        for (text, time) in cases {
            assert_eq!(parse(text), Ok(time), "{text}");
        }
    }

    #[test]
    fn each_day_follows_the_day_before_and_is_shown_as_it_was_parsed() {
        let mut next = parse("1600-01-01T00:00:00Z");
        for year in 1600..2400 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month).unwrap_or(0) {
                    let text = format!("{year}-{month:02}-{day:02}T00:00:00Z");
                    assert_eq!(parse(&text), next);
                    assert_eq!(next.map(show), Ok(text));
                    next = next.map(|next| next + 86_400_000);
                }
            }
        }
        assert_eq!(show(1_714_557_600_123), "2024-05-01T10:00:00Z");
        assert_eq!(show(-1), "1969-12-31T23:59:59Z");
        assert_eq!(show(1_714_557_600_000_000), "56302-03-03T16:00:00Z");
    }

    #[test]
    fn the_error_of_a_text_names_its_first_invalid_part() {
        let cases = [
            ("", TimeError::Date),
            ("noon", TimeError::Date),
            ("1714557600000", TimeError::Number),
            ("1714557600.5", TimeError::Number),
            ("01.05.2024", TimeError::Date),
            ("2001-09-09", TimeError::DateOnly),
            ("2001-1-01T00:00:00Z", TimeError::Date),
            ("+2001-01-01T00:00:00Z", TimeError::Date),
            ("\u{661}001-01-01T00:00:00Z", TimeError::Date),
            ("Wed, 01 May 2024 10:00:00 GMT", TimeError::Date),
            ("2001-13-01T00:00:00Z", TimeError::Month(13)),
            ("2001-00-01T00:00:00Z", TimeError::Month(0)),
            ("2001-01-00T00:00:00Z", TimeError::Day(0)),
            ("2024-02-30T10:00:00Z", TimeError::Day(30)),
            ("2001-02-29T00:00:00Z", TimeError::Day(29)),
            ("1900-02-29T00:00:00Z", TimeError::Day(29)),
            ("2024-05-01/10:00:00Z", TimeError::Separator),
            ("2024-05-01T", TimeError::TimeOfDay),
            ("2024-05-01  10:00:00Z", TimeError::TimeOfDay),
            ("2024-05-01T9:00:00Z", TimeError::TimeOfDay),
            ("2024-05-01T100000Z", TimeError::TimeOfDay),
            ("2001-01-01T0a:00:00Z", TimeError::TimeOfDay),
            ("2024-05-01T10:00Z", TimeError::Seconds),
            ("2024-05-01T10:00", TimeError::Seconds),
            ("2024-05-01T24:00:00Z", TimeError::Hour(24)),
            ("2024-05-01T10:60:00Z", TimeError::Minute(60)),
            ("2024-05-01T10:00:61Z", TimeError::Second(61)),
            ("2024-05-01T10:00:00,123Z", TimeError::Comma),
            ("2024-05-01T10:00:00.Z", TimeError::Fraction),
            ("2024-05-01T10:00:00", TimeError::Zone),
            ("2024-05-01T10:00:00.123", TimeError::Zone),
            ("2024-05-01T10:00:00 +02:00", TimeError::Blank),
            ("2024-05-01T10:00:00 UTC", TimeError::Blank),
            ("2024-05-01T10:00:00CET", TimeError::NoOffset),
            ("2024-05-01T10:00:00+2:00", TimeError::NoOffset),
            ("2024-05-01T10:00:00+00", TimeError::OffsetMinutes),
            ("2024-05-01T10:00:00+02:", TimeError::OffsetMinutes),
            ("2024-05-01T10:00:00+0000", TimeError::OffsetColon),
            ("2024-05-01T10:00:00+24:00", TimeError::Offset),
            ("2024-05-01T10:00:00+02:60", TimeError::Offset),
            ("2024-05-01T10:00:00ZZ", TimeError::Rest),
            ("2024-05-01T10:00:00+02:00[Europe/Paris]", TimeError::Rest),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
