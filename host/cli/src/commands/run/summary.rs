//! Log lines about a run: counts, plugins' log lines, open windows.

use std::time::Duration;

use hdrhistogram::Histogram;
use millrace_engine::ledger::Ledger;

/// Logs the counts of records, by step and code.
pub(super) fn log_counts(ledger: &Ledger) {
    for (step, what, code, records) in ledger.counts() {
        tracing::info!(step, what = what.name(), code, records, "counted");
    }
}

/// Logs the lines that plugins have logged.
pub(in crate::commands) fn log_lines(ledger: &Ledger) {
    for line in &ledger.logs {
        match line.level {
            "error" => tracing::error!(step = line.step, "{}", line.text),
            "warn" => tracing::warn!(step = line.step, "{}", line.text),
            "info" => tracing::info!(step = line.step, "{}", line.text),
            _ => tracing::debug!(step = line.step, "{}", line.text),
        }
    }
    if ledger.logs_dropped > 0 {
        tracing::warn!(lines = ledger.logs_dropped, "rules have logged more lines than are kept until a commit");
    }
}

/// Logs how many windows have no final result yet.
pub(super) fn log_open_windows(windows: u64) {
    if windows > 0 {
        tracing::info!(
            windows,
            "windows are open: their final results come out once later records move stream time past their end and grace \
             period"
        );
    }
}

/// Durations of commits.
pub(super) struct Commits(Histogram<u64>);

impl Commits {
    pub(super) fn new() -> anyhow::Result<Self> {
        // In microseconds, up to a minute; longer ones count as a minute.
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000, 2)?))
    }

    pub(super) fn add(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1_000.0
    }
}
