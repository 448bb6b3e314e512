//! Times in other units that are mistaken for milliseconds.

use crate::record::Timestamp;

/// A unit that is mistaken for the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Microseconds,
    Nanoseconds,
}

/// The years 2000 to 2099, in seconds. In other units, these years are other numbers: the last is only four times the
/// first, and units are a thousand times apart.
const OUR_DAYS: std::ops::Range<i64> = 946_684_800..4_102_444_800;

impl Unit {
    /// The unit in which a time is in these years, if that isn't the millisecond. In milliseconds, the time would be in
    /// January or February of 1970, or after the year 30000.
    pub(crate) fn of(time: Timestamp) -> Option<Self> {
        let is = |in_a_second: i64| OUR_DAYS.contains(&(time / in_a_second));
        match () {
            () if is(1) => Some(Self::Seconds),
            () if is(1_000_000) => Some(Self::Microseconds),
            () if is(1_000_000_000) => Some(Self::Nanoseconds),
            () => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }
}

/// A hint at the unit that a time looks like; empty for milliseconds and other times.
pub(crate) fn hint(time: Timestamp) -> String {
    let hint = |unit: Unit| format!("; it looks like {}, and milliseconds are expected", unit.name());
    Unit::of(time).map(hint).unwrap_or_default()
}

/// A whole JSON number, also with a fraction of zeros or an exponent. `None` if it isn't whole, or exceeds 64 bits.
pub(crate) fn whole(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().ok()?;
    let mut digits = format!("{integer}{}", fraction.trim_end_matches('0'));
    let shift = exponent.checked_sub(i32::try_from(digits.len() - integer.len()).ok()?)?;
    let is_zero = digits.bytes().all(|byte| b"-0".contains(&byte));
    match usize::try_from(shift) {
        _ if is_zero => return Some(0),
        // No number of 64 bits has more digits.
        Ok(zeros) if zeros < 20 => digits.extend(std::iter::repeat_n('0', zeros)),
        Ok(_) => return None,
        Err(_) => {
            let (cut, zeros) = (shift.unsigned_abs() as usize, digits.len() - digits.trim_end_matches('0').len());
            if cut > zeros {
                return None;
            }
            digits.truncate(digits.len() - cut);
        }
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_our_days_has_one_unit() {
        let cases = [
            (1_714_557_600, Some(Unit::Seconds)),
            (1_714_557_600_000, None),
            (1_714_557_600_000_000, Some(Unit::Microseconds)),
            (1_714_557_600_000_000_000, Some(Unit::Nanoseconds)),
            (4_070_908_800_000, None),
            (0, None),
            (86_400_000, None),
            (i64::MAX, None),
        ];
        for (time, unit) in cases {
            assert_eq!(Unit::of(time), unit, "{time}");
        }
        assert_eq!(hint(1_714_557_600), "; it looks like seconds, and milliseconds are expected");
        assert_eq!(hint(1_714_557_600_000), "");
    }

    #[test]
    fn whole_numbers_with_fraction_or_exponent_are_parsed() {
        let cases = [
            ("1714557600000", Some(1_714_557_600_000)),
            ("1714557600000.0", Some(1_714_557_600_000)),
            ("1714557600000.000", Some(1_714_557_600_000)),
            ("1.7145576e12", Some(1_714_557_600_000)),
            ("1.7145576E+12", Some(1_714_557_600_000)),
            ("17145576000000e-1", Some(1_714_557_600_000)),
            ("1714557600000.5", None),
            ("1714557600000.0000001", None),
            ("1.5e0", None),
            ("15e-1", None),
            ("-2.50e2", Some(-250)),
            ("-0", Some(0)),
            ("-0.0", Some(0)),
            ("0e999999", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775807.0", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("9223372036854775808.0", None),
            ("1e18", Some(1_000_000_000_000_000_000)),
            ("1e19", None),
            ("1e400", None),
            ("1e99999999999", None),
            ("1e-400", None),
            ("100e-3", None),
        ];
        for (text, number) in cases {
            assert_eq!(whole(text), number, "{text}");
        }
        // As long as a record may be: a quadratic algorithm would take minutes.
        let zeros = "0".repeat(20_000_000);
        assert_eq!(whole(&format!("7{zeros}e-{}", zeros.len())), Some(7));
    }
}
