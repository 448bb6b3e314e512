//! Times as text, by RFC 3339: `2026-11-21T17:03:53.25+01:00`.

use crate::record::Timestamp;

/// Milliseconds since the epoch; what is finer is cut off. `None` if the text isn't such a time, or names a day that there
/// is not. A leap second counts as the second after it, as in all that count milliseconds since the epoch.
pub fn parse(text: &str) -> Option<Timestamp> {
    let mut rest = text.as_bytes();
    let (year, month, day) = (digits(&mut rest, 4)?, after(&mut rest, b"-")?, after(&mut rest, b"-")?);
    let (hour, minute, second) = (after(&mut rest, b"Tt ")?, after(&mut rest, b":")?, after(&mut rest, b":")?);
    if day == 0 || day > days_of(year, month)? || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let millis = fraction(&mut rest)?;
    let offset = offset(&mut rest)?;
    if !rest.is_empty() {
        return None;
    }
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset;
    Some((minutes * 60 + second) * 1_000 + millis)
}

/// A number of exactly this many digits.
fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (number, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    number.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

/// A number of two digits behind one of these signs.
fn after(rest: &mut &[u8], signs: &[u8]) -> Option<i64> {
    let (sign, behind) = rest.split_first()?;
    *rest = behind;
    if signs.contains(sign) { digits(rest, 2) } else { None }
}

/// Milliseconds of a part of a second, which need not be there.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let Some(behind) = rest.strip_prefix(b".") else { return Some(0) };
    let length = behind.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let (part, behind) = behind.split_at_checked(length).filter(|_| length > 0)?;
    *rest = behind;
    let three = part.iter().chain(b"000").take(3);
    Some(three.fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0')))
}

/// Minutes east of Greenwich.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    let east = match rest.first()? {
        b'Z' | b'z' => {
            *rest = rest.get(1..)?;
            return Some(0);
        }
        b'-' => -1,
        _ => 1,
    };
    let (hours, minutes) = (after(rest, b"+-")?, after(rest, b":")?);
    (hours < 24 && minutes < 60).then_some(east * (hours * 60 + minutes))
}

fn days_of(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(28 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))),
        _ => None,
    }
}

/// Days since the epoch, counted in years that begin in March, so that a leap day is a year's last (H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    const EPOCH: i64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_OF_400_YEARS + year * 365 + year / 4 - year / 100 + day_of_year - EPOCH
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
            assert_eq!(parse(text), Some(time), "{text}");
        }
    }

    #[test]
    fn each_day_of_the_calendar_follows_the_one_before() {
        let mut next = parse("1600-01-01T00:00:00Z");
        for year in 1600..2400 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month).unwrap_or(0) {
                    assert_eq!(parse(&format!("{year}-{month:02}-{day:02}T00:00:00Z")), next);
                    next = next.map(|next| next + 86_400_000);
                }
            }
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        let texts = "
            2001-09-09
            2001-09-09T01:46:40
            2001-09-09T01:46Z
            2001-09-09T01:46:40.Z
            2001-09-09T01:46:40,5Z
            2001-09-09T01:46:40+0200
            2001-09-09T01:46:40+24:00
            2001-09-09T01:46:40ZZ
            2001-09-09T24:00:00Z
            2001-09-09T01:60:00Z
            2001-09-09T01:46:61Z
            2001-02-29T00:00:00Z
            1900-02-29T00:00:00Z
            2001-13-01T00:00:00Z
            2001-00-01T00:00:00Z
            2001-01-00T00:00:00Z
            2001-1-01T00:00:00Z
            +2001-01-01T00:00:00Z
            2001-01-01T0a:00:00Z
            \u{661}001-01-01T00:00:00Z";
        for text in texts.lines().map(str::trim) {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
