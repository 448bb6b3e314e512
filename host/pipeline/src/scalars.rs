//! Values that are written as strings: durations, sizes, names.

use std::time::Duration;

/// The longest duration: sums of durations and timestamps stay far from overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How a duration is written.
pub(super) const DURATION_HELP: &str = "write a whole number and a unit: \"250ms\", \"10s\", \"5m\", \"1h\" or \"1d\"";

/// How a size is written.
pub(super) const SIZE_HELP: &str =
    "write a number of bytes, or a whole number and a unit: \"512KiB\", \"64MiB\", \"1GiB\"";

/// Reads `250ms`, `10s`, `5m`, `1h`, `1d`.
///
/// # Errors
/// It isn't that: the reason.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text).ok_or_else(|| format!("`{text}` is not a duration"))?;
    let milliseconds = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let factor = milliseconds.ok_or_else(|| match unit {
        "" => format!("`{text}` has no unit"),
        _ => format!("`{text}` is not a duration: there is no unit `{unit}`"),
    })?;
    let duration = number.checked_mul(factor).map(Duration::from_millis);
    duration.filter(|time| *time <= LONGEST).ok_or_else(|| format!("`{text}` is longer than 100 years"))
}

/// Reads `512KiB`, `64MiB`, `1GiB`, `100B`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = number_and_unit(text).ok_or_else(|| format!("`{text}` is not a size"))?;
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "" => return Err(format!("`{text}` has no unit")),
        _ => return Err(format!("`{text}` is not a size: there is no unit `{unit}`")),
    };
    let bytes = number.checked_mul(factor).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| format!("`{text}` is too big"))
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    // There are only digits, so parsing fails only if there are none or too many.
    let number = if number.is_empty() { return None } else { number.parse().unwrap_or(u64::MAX) };
    Some((number, unit))
}

/// A duration as a person would write it: `10s`, not `10000ms`.
pub(super) fn show_milliseconds(milliseconds: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let whole = units.iter().find(|(length, _)| milliseconds > 0 && milliseconds % length == 0);
    whole.map_or_else(
        || if milliseconds == 0 { "0s".to_owned() } else { format!("{milliseconds}ms") },
        |(length, unit)| format!("{}{unit}", milliseconds / length),
    )
}

/// The name of a step or plugin: it becomes part of topic names, and a dot in it would look like a port.
pub(super) fn name_error(name: &str) -> Option<String> {
    let bad = name.chars().find(|character| !character.is_ascii_alphanumeric() && !matches!(character, '-' | '_'));
    match bad {
        Some(bad) => Some(format!("{bad:?} can't be in a name")),
        None if name.is_empty() => Some("a name can't be empty".to_owned()),
        None if name.len() > 100 => Some("a name has at most 100 characters".to_owned()),
        None => None,
    }
}

/// The name of a topic or an app, by Kafka's rules.
pub(super) fn topic_error(name: &str) -> Option<String> {
    let bad =
        name.chars().find(|character| !character.is_ascii_alphanumeric() && !matches!(character, '-' | '_' | '.'));
    match bad {
        Some(bad) => Some(format!("{bad:?} can't be in the name of a topic")),
        None if name.is_empty() => Some("the name of a topic can't be empty".to_owned()),
        None if name.len() > 249 => Some("the name of a topic has at most 249 characters".to_owned()),
        None if matches!(name, "." | "..") => Some(format!("`{name}` can't be the name of a topic")),
        None => None,
    }
}

/// A name of fewer characters doesn't count as an abbreviation.
const SHORTEST: usize = 3;

/// The candidate that was probably meant by `name`: it differs only by case and a few typing errors.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let limit = (name.chars().count() * 2 / 5).max(1);
    let distance = |other: &str| match strsim::damerau_levenshtein(&lower, other) {
        0 => 0,
        // If `name` is the beginning of a candidate, it is an abbreviation, and the missing letters are no errors.
        _ if lower.chars().count() >= SHORTEST && other.starts_with(&lower) => 1,
        distance => distance,
    };
    let scored = candidates.into_iter().filter(|it| !it.is_empty()).map(|it| (distance(&it.to_lowercase()), it));
    scored.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, it)| it)
}

/// `; did you mean ...?`, or nothing if no candidate is near.
pub(super) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|candidate| format!("; did you mean `{candidate}`?")).unwrap_or_default()
}

/// `` `a`, `b` and `c` ``.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>, and: &str) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {and} {last}", rest.join(", ")),
        None => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typing_error_has_a_nearest_name_and_another_word_has_none() {
        let topics = ["orders", "payment-orders", "stock-orders"];
        assert_eq!(nearest("ordres", topics), Some("orders"));
        assert_eq!(nearest("Payment_Orders", topics), Some("payment-orders"));
        assert_eq!(nearest("invoices", topics), None);
        assert_eq!(nearest("val", ["key", "value"]), Some("value"));
        assert_eq!(nearest("v", ["key", "value"]), None);
        assert_eq!(nearest("Orders", ["orders-v2", "orders"]), Some("orders"));
    }
}
