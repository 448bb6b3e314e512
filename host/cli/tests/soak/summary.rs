//! The summary at the end.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::accounts::Accounts;
use crate::faults::Points;
use crate::sampler::Seen;

/// A run and its results.
pub struct Summary<'s> {
    pub seed: u64,
    pub time: Duration,
    pub folder: &'s Path,
    pub faults: usize,
    pub planned: usize,
    pub points: Points,
    pub sent: usize,
    pub accounts: &'s Accounts,
    pub memory: String,
    pub seen: &'s Seen,
    /// Last log entries of the processes that were told to stop.
    pub last_words: &'s [Value],
    pub findings: &'s [(String, String)],
}

impl Summary<'_> {
    /// The text.
    pub fn text(&self) -> String {
        let commits: u64 = self.last_words.iter().filter_map(|words| words["commits"].as_u64()).sum();
        let slowest = self.last_words.iter().filter_map(|words| words["commit_p99_ms"].as_f64()).fold(0.0, f64::max);
        let (whole, unexplained) = self.seen.progress.longest;
        let mut text = format!(
            "seed {}, {:.1} minutes, {} of {} faults, {} of {} points reached, {} records sent\n\
             input: {}\n\
             commits of {} processes that were stopped in order: {commits}, 99 of 100 within {slowest:.0} ms at most\n\
             largest lag: {} records; longest that a partition stood still: {} s, and {} s without a reason\n\
             memory: {}\n\
             folder: {}\n",
            self.seed,
            self.time.as_secs_f64() / 60.0,
            self.faults,
            self.planned,
            self.points.reached,
            self.points.planned,
            self.sent,
            self.accounts,
            self.last_words.len(),
            self.seen.most_lag,
            whole.as_secs(),
            unexplained.as_secs(),
            self.memory,
            self.folder.display(),
        );
        match self.findings {
            [] => text += "PASSED: all six oracles agree\n",
            all => {
                text += &format!("FAILED: {} findings\n", all.len());
                all.iter().for_each(|(oracle, found)| text += &format!("  ({oracle}) {found}\n"));
                text +=
                    &format!("again: just soak --minutes {} --seed {}\n", self.time.as_secs_f64() / 60.0, self.seed);
            }
        }
        text
    }
}
