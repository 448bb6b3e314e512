//! The report of a shadow, for people.

use millrace_engine::shadow::{GroupKey, Sample, ShadowGroup, ShadowReport};

/// Samples of a group that are shown; JSON has more.
const SHOWN: usize = 3;

/// The lines of a report.
pub(super) fn lines(report: &ShadowReport) -> Vec<String> {
    let ShadowReport { compared, equal, ignored, unfinished, left_out, groups, .. } = report;
    let mut lines = vec![format!(
        "shadow: {compared} results compared, {equal} equal, {} different",
        compared.saturating_sub(*equal)
    )];
    for (count, said) in [
        (*ignored, "differences ignored"),
        (*unfinished, "records not finished in the time of a call: the shadow may loop, or be slow"),
        (*left_out, "records left out, because the budget was used up"),
    ] {
        if count > 0 {
            lines.push(format!("  {count} {said}"));
        }
    }
    for (GroupKey { function, class, place }, ShadowGroup { records, samples }) in groups {
        let space = if place.is_empty() { "" } else { " " };
        lines.push(format!("  {function}: {}{space}{place} differs in {records} results, such as", class.name()));
        for Sample { input, key, value, timestamp, old, new } in samples.iter().take(SHOWN) {
            let (key, value) = (key.as_deref().unwrap_or("null"), value.as_deref().unwrap_or("null"));
            lines.push(format!(
                "    {old} -> {new}   for key {key}, value {value}, timestamp {timestamp}, from {input}"
            ));
        }
    }
    lines
}
