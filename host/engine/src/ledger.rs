//! What became of the records: counters that take effect with the transaction.

use std::collections::BTreeMap;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Left out by an operator, such as a join that got a record without a key.
    Dropped,
    /// Left out by a rule, on purpose.
    Skipped,
    /// Failed, and written to the dead-letter queue.
    DeadLettered,
    /// A counter of the plugin's own.
    Plugin,
}

impl What {
    /// Its name in reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Skipped => "skipped",
            Self::DeadLettered => "dead-lettered",
            Self::Plugin => "plugin",
        }
    }
}

/// A line a plugin wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The step that called it.
    pub step: String,
    /// `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The line.
    pub text: String,
}

/// The counts of a transaction, or the sum of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Input records processed, internal topics included.
    pub consumed: u64,
    /// Records put out, dead letters and internal topics included.
    pub produced: u64,
    /// By step, what, and code.
    pub counts: BTreeMap<(String, What, String), u64>,
    /// What plugins logged, at most [`Ledger::MAX_LOGS`] lines a transaction.
    pub logs: Vec<LogLine>,
    /// Lines over that number.
    pub logs_dropped: u64,
}

impl Ledger {
    /// Most log lines kept between two commits of a task.
    pub const MAX_LOGS: usize = 1_000;

    /// Counts one more.
    pub fn count(&mut self, step: &str, what: What, code: &str, n: u64) {
        *self.counts.entry((step.to_owned(), what, code.to_owned())).or_default() += n;
    }

    /// Keeps a line for the log.
    pub fn log(&mut self, line: LogLine) {
        if self.logs.len() < Self::MAX_LOGS { self.logs.push(line) } else { self.logs_dropped += 1 }
    }

    /// Adds another ledger's counts, without its log.
    pub fn add(&mut self, other: &Self) {
        self.consumed += other.consumed;
        self.produced += other.produced;
        self.logs_dropped += other.logs_dropped;
        for (key, n) in &other.counts {
            *self.counts.entry(key.clone()).or_default() += n;
        }
    }

    /// The sum over all steps of one kind.
    pub fn total(&self, what: What) -> u64 {
        self.counts.iter().filter(|((_, kind, _), _)| *kind == what).map(|(_, n)| n).sum()
    }
}
