//! The log line of an assignment.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::tasks::TaskId;

/// Logs the partitions that the group has assigned to the instance, and the number of tasks.
pub(crate) fn assignment(partitions: &BTreeSet<(String, u32)>, tasks: &BTreeSet<TaskId>) {
    tracing::info!(partitions = compact(partitions), tasks = tasks.len(), "assigned");
}

/// Partitions by topic, with ranges: `orders: 0-3, 7; stock: 0`.
fn compact(partitions: &BTreeSet<(String, u32)>) -> String {
    let mut text = String::new();
    let mut rest = partitions.iter().peekable();
    let mut topic: Option<&str> = None;
    while let Some((name, first)) = rest.next() {
        let mut last = *first;
        while let Some((_, next)) = rest.next_if(|(other, next)| other == name && *next == last + 1) {
            last = *next;
        }
        let separator = match topic.replace(name) {
            Some(before) if before == name => ", ".to_owned(),
            Some(_) => format!("; {name}: "),
            None => format!("{name}: "),
        };
        let _ = match last {
            last if last == *first => write!(text, "{separator}{first}"),
            last => write!(text, "{separator}{first}-{last}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_shown_by_topic_with_ranges() {
        let of = |partitions: &[(&str, u32)]| {
            compact(&partitions.iter().map(|(topic, partition)| ((*topic).to_owned(), *partition)).collect())
        };
        assert_eq!(of(&[]), "");
        assert_eq!(of(&[("in", 3)]), "in: 3");
        let many = [("orders", 0), ("orders", 1), ("orders", 2), ("orders", 7), ("stock", 8), ("stock", 9), ("x", 10)];
        assert_eq!(of(&many), "orders: 0-2, 7; stock: 8-9; x: 10");
    }
}
