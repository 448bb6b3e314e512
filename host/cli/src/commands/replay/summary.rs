//! The summary of a replay, on standard error: an example of each loss, then the counts in one line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use millrace_engine::ledger::{CounterKind, Example, Fate, Ledger};

use crate::say::say;

/// The summary of a replay.
pub(super) struct Summary<'l> {
    /// Number of records read.
    pub(super) read: u64,
    /// Number of results written, without dead letters.
    pub(super) written: u64,
    pub(super) ledger: &'l Ledger,
    /// Number of windows without a final result.
    pub(super) open_windows: u64,
}

impl Summary<'_> {
    /// Prints it.
    pub(super) fn print(&self) {
        say(self.text().trim_end());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (step, what, code, example) in self.ledger.examples() {
            text.push_str(&one(step, what, code, example));
        }
        let Self { read, written, .. } = self;
        let _ = write!(text, "{read} in, {written} out");
        let letters = self.ledger.total(CounterKind::DeadLettered);
        if letters > 0 {
            let _ = write!(text, ", {letters} dead {}", if letters == 1 { "letter" } else { "letters" });
        }
        for (what, name) in [
            (CounterKind::Dropped, "dropped"),
            (CounterKind::Skipped, "skipped by rules"),
            (CounterKind::Plugin, "counted by rules"),
        ] {
            text.push_str(&self.counts(what, name));
        }
        match self.open_windows {
            0 => {}
            1 => text.push_str("; 1 window open: --close-windows"),
            windows => {
                let _ = write!(text, "; {windows} windows open: --close-windows");
            }
        }
        text.push('\n');
        text
    }

    /// The counts of one kind by code, over all steps.
    fn counts(&self, wanted: CounterKind, name: &str) -> String {
        let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, _, code, n) in self.ledger.counts().filter(|(_, what, ..)| *what == wanted) {
            *codes.entry(code).or_default() += n;
        }
        match codes.len() {
            0 => String::new(),
            1 => codes.into_iter().map(|(code, n)| format!(", {n} {name} ({code})")).collect(),
            _ => {
                let each: Vec<_> = codes.iter().map(|(code, n)| format!("{code} {n}")).collect();
                format!(", {} {name} ({})", codes.values().sum::<u64>(), each.join(", "))
            }
        }
    }
}

/// A line about the first record of a step and code.
fn one(step: &str, what: CounterKind, code: &str, example: &Example) -> String {
    let Example { topic, partition, offset, reason, fate } = example;
    let end = match fate {
        Fate::PassedOn => "; it was processed".to_owned(),
        Fate::DeadLetter(letters) => format!("; it is in `{letters}`"),
        Fate::InPart | Fate::Dropped(None) => String::new(),
        Fate::Dropped(Some(setting)) => format!("; {setting} = \"dead-letter\" keeps such records"),
    };
    let (what, mut place) = (what.name(), String::new());
    // A loss that the clock has caused has no record.
    if *offset >= 0 {
        place = format!(", such as topic `{topic}`, partition {partition}, offset {offset}");
    }
    format!("step `{step}`, {what} ({code}){place}: {reason}{end}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(offset: i64, reason: &str, fate: Fate) -> impl FnOnce() -> Example {
        move || Example { topic: "in".into(), partition: 0, offset, reason: reason.into(), fate }
    }

    #[test]
    fn a_summary_has_an_example_of_each_loss_and_ends_with_the_counts() {
        let mut ledger = Ledger::default();
        let lacks = "an aggregate needs a key, and the record has none";
        ledger.count_with(
            "sums",
            CounterKind::Dropped,
            "null-key",
            1,
            example(3, lacks, Fate::Dropped(Some("on-null-key"))),
        );
        let letter = Fate::DeadLetter("count-dlq".into());
        ledger.count_with("in", CounterKind::DeadLettered, "bad-value", 7, example(4, "the value isn't JSON", letter));
        let text = Summary { read: 20, written: 8, ledger: &ledger, open_windows: 1 }.text();
        insta::assert_snapshot!(text, @r#"
        step `in`, dead-lettered (bad-value), such as topic `in`, partition 0, offset 4: the value isn't JSON; it is in `count-dlq`
        step `sums`, dropped (null-key), such as topic `in`, partition 0, offset 3: an aggregate needs a key, and the record has none; on-null-key = "dead-letter" keeps such records
        20 in, 8 out, 7 dead letters, 1 dropped (null-key); 1 window open: --close-windows
        "#);
    }

    #[test]
    fn a_summary_adds_up_each_code_over_all_steps() {
        let mut ledger = Ledger::default();
        for (step, code, n) in [("a", "late", 2), ("b", "late", 1), ("b", "null-key", 4)] {
            ledger.count(step, CounterKind::Dropped, code, n);
        }
        ledger.count("rule", CounterKind::Skipped, "filtered", 5);
        ledger.count("in", CounterKind::DeadLettered, "bad-key", 1);
        let text = Summary { read: 13, written: 0, ledger: &ledger, open_windows: 2 }.text();
        insta::assert_snapshot!(text, @"13 in, 0 out, 1 dead letter, 7 dropped (late 3, null-key 4), 5 skipped by rules (filtered); 2 windows open: --close-windows");
    }
}
