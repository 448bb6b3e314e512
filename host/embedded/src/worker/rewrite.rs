//! Rewriting entries of older state versions in all tasks.

use std::collections::BTreeMap;

use millrace_engine::deployment::RewriteCounts;
use millrace_engine::logic::Logic;

use super::Worker;
use crate::error::Error;

impl Worker {
    /// Rewrites entries, at a cost of about `limit`. Returns the cost.
    ///
    /// # Errors
    /// A task can't go on.
    pub(crate) fn rewrite(&mut self, logic: &mut dyn Logic, limit: usize) -> Result<usize, Error> {
        let mut cost = 0;
        for active in &mut self.tasks {
            if cost >= limit {
                break;
            }
            let step = active.task.rewrite(logic, limit - cost)?;
            cost += step.cost;
            self.dirty |= step.rewritten > 0;
        }
        Ok(cost)
    }

    /// Whether no task has entries to rewrite.
    pub(crate) fn has_rewritten(&self) -> bool {
        self.tasks.iter().all(|active| active.task.has_rewritten())
    }

    /// How far all tasks are, by plugin.
    pub(crate) fn rewrite_counts(&self) -> BTreeMap<String, RewriteCounts> {
        RewriteCounts::sums(self.tasks.iter().flat_map(|active| active.task.rewrite_counts()))
    }
}
