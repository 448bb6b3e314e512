//! The report of a process, from all of its threads.

use std::sync::{Mutex, PoisonError};

use super::report::ShadowReport;

/// The report of the shadows that a process runs.
#[derive(Debug, Default)]
pub struct ShadowReports(Mutex<ShadowReport>);

impl ShadowReports {
    /// A thread runs the shadows of this generation from now on; 0 for none.
    pub(super) fn begin(&self, generation: u32) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if report.generation != generation {
            *report = ShadowReport { generation, ..ShadowReport::default() };
        }
    }

    /// Adds the comparisons of a thread. A report of other shadows than those of now is dropped.
    pub(super) fn add(&self, part: ShadowReport) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if part.generation == report.generation {
            report.merge(part);
        }
    }

    /// The report so far; none without a shadow.
    pub fn get(&self) -> Option<ShadowReport> {
        let report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (report.generation > 0).then(|| report.clone())
    }
}
