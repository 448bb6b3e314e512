//! Counters of records, which take effect with the transaction.

mod version_counts;

use std::collections::BTreeMap;

pub use version_counts::VersionCounts;

/// The kind of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterKind {
    /// An operator dropped the record, for example because it has no key.
    Dropped,
    /// A rule skipped the record on purpose.
    Skipped,
    /// The record failed, and was written to the dead-letter topic.
    DeadLettered,
    /// The record was processed, but is unusual.
    Noted,
    /// A counter of the plugin.
    Plugin,
}

impl CounterKind {
    /// Its name in reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Skipped => "skipped",
            Self::DeadLettered => "dead-lettered",
            Self::Noted => "noted",
            Self::Plugin => "plugin",
        }
    }
}

/// A line that a plugin logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The step that called the plugin.
    pub step: String,
    /// `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The line.
    pub text: String,
}

/// One of the records counted under a code, as an example for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Topic of the record's origin.
    pub topic: String,
    /// Partition of the origin.
    pub partition: u32,
    /// Offset of the origin; negative if the record has none.
    pub offset: i64,
    /// Why the record was counted.
    pub reason: String,
    /// What happened to the record.
    pub fate: Fate,
}

impl Example {
    /// Most bytes of a reason, because rules may have reasons of any length.
    const REASON_BYTES: usize = 1_000;

    /// Cuts a reason that is too long.
    fn cut(mut self) -> Self {
        if self.reason.len() > Self::REASON_BYTES {
            self.reason.truncate(self.reason.floor_char_boundary(Self::REASON_BYTES));
            self.reason.push_str("...");
        }
        self
    }
}

/// What happened to a counted record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was processed.
    PassedOn,
    /// It is missing in some of its windows.
    InPart,
    /// It was written to this dead-letter topic.
    DeadLetter(String),
    /// It was dropped. Has the step's setting that keeps such records, if there is one.
    Dropped(Option<&'static str>),
}

/// The counter of a code at a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counter {
    n: u64,
    /// The first record, if it is known.
    example: Option<Box<Example>>,
}

/// The counts of a transaction, or the sum of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Input records processed, internal topics included.
    pub consumed: u64,
    /// Outputs, internal topics included; dead letters are in the counts of their steps.
    pub produced: u64,
    /// By step, kind and code.
    counts: BTreeMap<String, BTreeMap<CounterKind, BTreeMap<String, Counter>>>,
    /// Lines that plugins logged, at most [`Ledger::MAX_LOGS`] per transaction.
    pub logs: Vec<LogLine>,
    /// Number of lines beyond that.
    pub logs_dropped: u64,
    /// The results of each version of each plugin, by its number in the topology and the generation, and by function.
    pub versions: BTreeMap<(usize, u32), BTreeMap<String, VersionCounts>>,
}

impl Ledger {
    /// Most log lines kept between two commits of a task.
    pub const MAX_LOGS: usize = 1_000;

    /// Most codes per step and kind, beside [`Ledger::OTHER`].
    pub const MAX_CODES: usize = 100;

    /// The code for all others, when there are too many.
    pub const OTHER: &str = "other";

    /// Adds `n` to a counter. Guests may have any number of codes: those beyond [`Ledger::MAX_CODES`] for a step and a
    /// kind are counted under [`Ledger::OTHER`].
    pub fn count(&mut self, step: &str, kind: CounterKind, code: &str, n: u64) {
        self.counter(step, kind, code, |counter| counter.n = counter.n.saturating_add(n));
    }

    /// The same with an example, which is only created if the counter has none.
    pub fn count_with(&mut self, step: &str, kind: CounterKind, code: &str, n: u64, example: impl FnOnce() -> Example) {
        self.counter(step, kind, code, |counter| {
            counter.n = counter.n.saturating_add(n);
            counter.example.get_or_insert_with(|| Box::new(example().cut()));
        });
    }

    fn counter(&mut self, step: &str, kind: CounterKind, code: &str, change: impl FnOnce(&mut Counter)) {
        let known = self.counts.get_mut(step).and_then(|step| step.get_mut(&kind)?.get_mut(code));
        if let Some(counter) = known {
            return change(counter);
        }
        let codes = self.counts.entry(step.to_owned()).or_default().entry(kind).or_default();
        let full = codes.keys().filter(|code| *code != Self::OTHER).count() >= Self::MAX_CODES;
        change(codes.entry(if full { Self::OTHER } else { code }.to_owned()).or_default());
    }

    /// The count of a code at a step.
    pub fn count_of(&self, step: &str, kind: CounterKind, code: &str) -> u64 {
        let counter = self.counts.get(step).and_then(|kinds| kinds.get(&kind)?.get(code));
        counter.map_or(0, |counter| counter.n)
    }

    /// All counts, in the order of step, kind and code.
    pub fn counts(&self) -> impl Iterator<Item = (&str, CounterKind, &str, u64)> {
        self.counters().map(|(step, kind, code, counter)| (step, kind, code, counter.n))
    }

    /// All examples, in the same order.
    pub fn examples(&self) -> impl Iterator<Item = (&str, CounterKind, &str, &Example)> {
        self.counters().filter_map(|(step, kind, code, counter)| Some((step, kind, code, counter.example.as_deref()?)))
    }

    fn counters(&self) -> impl Iterator<Item = (&str, CounterKind, &str, &Counter)> {
        self.counts.iter().flat_map(|(step, kinds)| {
            let codes = kinds.iter().flat_map(|(kind, codes)| codes.iter().map(|(code, n)| (*kind, code.as_str(), n)));
            codes.map(|(kind, code, counter)| (step.as_str(), kind, code, counter))
        })
    }

    /// Adds a line to the log.
    pub fn log(&mut self, line: LogLine) {
        if self.logs.len() < Self::MAX_LOGS { self.logs.push(line) } else { self.logs_dropped += 1 }
    }

    /// The results of a function of a version.
    pub(crate) fn version(&mut self, version: (usize, u32), function: &str) -> &mut VersionCounts {
        let functions = self.versions.entry(version).or_default();
        // Without a copy of the name for each result.
        if !functions.contains_key(function) {
            functions.insert(function.to_owned(), VersionCounts::default());
        }
        match functions.get_mut(function) {
            Some(counts) => counts,
            None => unreachable!("it was inserted"),
        }
    }

    /// Adds another ledger's counts, without its log lines.
    pub fn add(&mut self, other: &Self) {
        self.consumed += other.consumed;
        self.produced += other.produced;
        self.logs_dropped += other.logs_dropped;
        for ((plugin, generation), functions) in &other.versions {
            for (function, counts) in functions {
                self.version((*plugin, *generation), function).add(counts);
            }
        }
        for (step, kind, code, counter) in other.counters() {
            match &counter.example {
                Some(example) => self.count_with(step, kind, code, counter.n, || (**example).clone()),
                None => self.count(step, kind, code, counter.n),
            }
        }
    }

    /// The sum of a kind over all steps.
    pub fn total(&self, kind: CounterKind) -> u64 {
        self.counts().filter(|(_, counted, ..)| *counted == kind).fold(0, |sum, (.., n)| u64::saturating_add(sum, n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_guest_beyond_the_limit_are_counted_as_others() {
        let mut ledger = Ledger::default();
        for number in 0..1_000 {
            ledger.count("step", CounterKind::Plugin, &format!("order-{number}"), 2);
            ledger.count("step", CounterKind::Skipped, &format!("order-{number}"), 1);
        }
        ledger.count("another", CounterKind::Plugin, "order-999", 1);
        ledger.count("step", CounterKind::Plugin, "order-0", 5);
        assert_eq!(ledger.counts().count(), 2 * (Ledger::MAX_CODES + 1) + 1);
        let is = |step, code| {
            move |count: &(&str, CounterKind, &str, u64)| {
                (count.0, count.1, count.2) == (step, CounterKind::Plugin, code)
            }
        };
        let count = |step, code| ledger.counts().find(is(step, code)).map(|(.., n)| n);
        assert_eq!(count("step", "order-0"), Some(7));
        assert_eq!(count("step", Ledger::OTHER), Some(2 * 900));
        assert_eq!(count("another", "order-999"), Some(1), "each step has its own");
        assert_eq!(ledger.total(CounterKind::Plugin), 2_006, "no count is lost");
    }

    #[test]
    fn the_first_record_of_a_code_is_kept_as_its_example_also_in_a_sum() {
        let example = |offset, reason: &str| {
            let (topic, partition, fate) = ("in".to_owned(), 3, Fate::Dropped(Some("on-late")));
            Example { topic, partition, offset, reason: reason.to_owned(), fate }
        };
        let mut sum = Ledger::default();
        for offset in [7, 8] {
            let mut ledger = Ledger::default();
            ledger.count_with("sums", CounterKind::Dropped, "late", 2, || example(offset, "its window is over"));
            ledger.count_with("sums", CounterKind::Dropped, "late", 1, || example(9, "never asked for"));
            ledger.count("sums", CounterKind::Noted, "no-identity", 1);
            sum.add(&ledger);
        }
        let found: Vec<_> = sum.examples().collect();
        assert_eq!(found, [("sums", CounterKind::Dropped, "late", &example(7, "its window is over"))]);
        assert_eq!(sum.total(CounterKind::Dropped), 6);

        sum.count_with("sums", CounterKind::DeadLettered, "bad", 1, || example(1, &"\u{17c}".repeat(5_000)));
        let cut = sum
            .examples()
            .find(|(_, kind, ..)| *kind == CounterKind::DeadLettered)
            .map(|(.., example)| example.reason.len());
        assert_eq!(cut, Some(Example::REASON_BYTES + "...".len()), "reasons are bounded");
    }

    #[test]
    fn the_sum_of_ledgers_is_bounded_too() {
        let mut sum = Ledger::default();
        for number in 0..1_000 {
            let mut ledger = Ledger::default();
            ledger.count("step", CounterKind::Plugin, &format!("order-{number}"), u64::MAX / 2);
            sum.add(&ledger);
        }
        assert_eq!(sum.counts().count(), Ledger::MAX_CODES + 1);
        assert_eq!(sum.total(CounterKind::Plugin), u64::MAX, "it doesn't overflow");
    }
}
